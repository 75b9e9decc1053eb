package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"teleport-plugins/access/e2e/harness"
)

const (
	// maxStories is how many requests the report describes at length.
	maxStories = 12
	// maxMoments bounds the moments of a story.
	maxMoments = 60
)

// subject is a request at a service.
type subject struct {
	request *request
	side    *side
}

// subjects are those with an offence beyond the promise, one for each kind and
// service first.
func (r *report) subjects() (order []subject, wrong map[subject][]offence) {
	wrong = make(map[subject][]offence)
	var others []subject
	type sort struct {
		side *side
		kind kind
	}
	seen := make(map[sort]bool)
	for _, o := range r.offences {
		if o.excuse != "" {
			continue
		}
		s := subject{o.request, o.side}
		wrong[s] = append(wrong[s], o)
		kind := sort{o.side, o.kind}
		switch {
		case len(wrong[s]) > 1:
		case !seen[kind]:
			order = append(order, s)
		default:
			others = append(others, s)
		}
		seen[kind] = true
	}
	return append(order, others...), wrong
}

// tell tells what happened to each request with an offence beyond the promise, at
// each service.
func (w *world) tell(r *report) {
	order, wrong := r.subjects()
	for i, s := range order {
		if i == maxStories {
			r.stories = append(r.stories, fmt.Sprintf("and %d more requests", len(order)-i))
			return
		}
		r.stories = append(r.stories, w.story(s.request, s.side, wrong[s], r.until))
	}
}

func (w *world) story(q *request, s *side, wrong []offence, until time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n== %s at %s\n", q.id, s.name)
	for _, o := range wrong[:min(len(wrong), 10)] {
		fmt.Fprintf(&b, "   %s at %s: %s\n", o.kind, o.place, o.text)
	}
	for _, sight := range s.Sights() {
		if sight.Request == q.id {
			fmt.Fprintf(&b, "   seen: %s\n", sightText(sight, w.plan.authors()))
		}
	}
	moments := fold(w.moments(q, s, until))
	for _, e := range moments[:min(len(moments), maxMoments)] {
		fmt.Fprintf(&b, "   %s %s\n", clock(e.at), e.text)
	}
	if n := len(moments) - maxMoments; n > 0 {
		fmt.Fprintf(&b, "   and %d more moments, until %s\n", n, clock(moments[len(moments)-1].at))
	}
	record := w.cluster.PluginData(q.id, s.Plugin())
	for _, key := range slices.Sorted(maps.Keys(record)) {
		fmt.Fprintf(&b, "   record: %s = %s\n", key, shorten(record[key], 600))
	}
	return b.String()
}

func sightText(s harness.Sight, authors []string) string {
	text := fmt.Sprintf("%s at %s shows %s", s.ID, s.Place, s.Status)
	if s.Removed {
		text += ", removed"
	}
	var reviews []string
	for _, review := range s.Reviews {
		name, _, _ := strings.Cut(author(review, authors), "@")
		reviews = append(reviews, name)
	}
	return text + fmt.Sprintf(", buttons %q", s.Buttons) + ", tells reviews " + shorten(fmt.Sprint(reviews), 60)
}

// moments are what was done to a request, the faults that touched it, and what the
// logs say of it, in order.
func (w *world) moments(q *request, s *side, until time.Time) (all []event) {
	q.mu.Lock()
	all = append(all, q.events...)
	last := q.changed.Add(30 * time.Second)
	q.mu.Unlock()
	if last.After(until) {
		last = until
	}
	for _, m := range w.journal.history(s).touching(q, last) {
		all = append(all, event{m.from, "    fault: " + m.String()})
	}
	for _, p := range s.processes {
		for _, line := range p.Logs() {
			if strings.Contains(line.Text, q.id) {
				all = append(all, event{line.Time, fmt.Sprintf("        %v: %s", p, shorten(line.Text, 600))})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b event) int { return a.at.Compare(b.at) })
	return all
}

// fold makes one moment of those in a row that say the same.
func fold(all []event) (folded []event) {
	times := 1
	for i, e := range all {
		if i+1 < len(all) && all[i+1].text == e.text {
			times++
			continue
		}
		if times > 1 {
			e = event{all[i+1-times].at, fmt.Sprintf("%s (%d times, until %s)", e.text, times, clock(e.at))}
		}
		folded, times = append(folded, e), 1
	}
	return folded
}
