package reconcile_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// result is what came of a world.
type result struct {
	wrong, trace  []string
	fired         []fault
	calls, writes int
	said          []string
}

// live lives a world from its beginning to its end.
func live(t *testing.T, s setting, faults func(string) faultKind) (r result) {
	synctest.Test(t, func(*testing.T) {
		w := newWorld(s, faults)
		w.live()
		r = result{wrong: w.verdict(), trace: w.trace, fired: w.fired, calls: w.calls, writes: w.writes}
		for _, x := range w.office.said {
			below := ""
			if x.below != nil {
				below = " below " + x.below.id
			}
			r.said = append(r.said, fmt.Sprintf("%v %s %s %s %v%s by %s shows %v removed %v", x.at.Sub(w.start), x.id, x.request, x.place, x.effect, below, x.by, x.shown, x.removed))
		}
		w.close()
	})
	return r
}

// minimal drops what people do and what goes wrong, one by one, as long as the
// same kind of thing stays wrong.
func minimal(t *testing.T, s setting, r result, kind string) (setting, result) {
	still := func(s setting, faults []fault) bool {
		again := live(t, s, placed(faults))
		if !slices.ContainsFunc(again.wrong, func(w string) bool { return kindOf(w) == kind }) {
			return false
		}
		r = again
		return true
	}
	faults := r.fired
	for i := 0; i < len(s.story); {
		less := s
		less.story = slices.Delete(slices.Clone(s.story), i, i+1)
		if id := s.story[i].request; s.story[i].what == "create" { // with all that happens to it
			less.story = slices.DeleteFunc(slices.Clone(s.story), func(h happening) bool { return h.request == id })
		}
		if len(less.story) > 0 && still(less, faults) {
			s = less
		} else {
			i++
		}
	}
	for i := 0; i < len(faults); {
		if fewer := slices.Delete(slices.Clone(faults), i, i+1); still(s, fewer) {
			faults = fewer
		} else {
			i++
		}
	}
	for len(s.places) > 1 {
		less := s
		less.places = s.places[:len(s.places)-1]
		if !still(less, faults) {
			break
		}
		s = less
	}
	return s, r
}

func (s setting) String() string {
	var b strings.Builder
	for _, p := range s.places {
		b.WriteString(string(p))
	}
	for _, o := range []struct {
		is   bool
		name string
	}{{s.notify, "notify"}, {s.shows, "shows"}, {s.keyed, "keyed"}, {s.ends, "ends"}, {s.waits, "waits"}} {
		if o.is {
			b.WriteString("+" + o.name)
		}
	}
	if s.opening > 0 {
		fmt.Fprintf(&b, ", opens at %v", s.opening)
	}
	for _, h := range s.story {
		fmt.Fprintf(&b, ", %v %s %s", h.at, h.request, h.what)
	}
	return b.String()
}

// finding collects what is wrong, by kind, with the smallest example.
type findings struct {
	mu    sync.Mutex
	count map[string]int
	least map[string]string
	size  map[string]int
}

func (f *findings) add(t *testing.T, s setting, r result) {
	kinds := map[string]bool{}
	for _, wrong := range r.wrong {
		kinds[kindOf(wrong)] = true
	}
	for kind := range kinds {
		f.mu.Lock()
		f.count[kind]++
		many := f.count[kind] > 5
		f.mu.Unlock()
		least, small := s, r
		if len(r.fired) > 2 || len(s.story) > 4 {
			if many {
				continue
			}
			least, small = minimal(t, s, r, kind)
		}
		f.mu.Lock()
		size := len(small.fired)*1000 + len(least.String())
		if f.least[kind] == "" || size < f.size[kind] {
			if f.least[kind] == "" {
				fmt.Fprintf(os.Stderr, "found: %s\n\t%v %v\n", kind, least, small.fired)
			}
			f.size[kind] = size
			f.least[kind] = fmt.Sprintf("%v %v\n\t%s\n\ttrace: %s\n\t%s", least, small.fired, strings.Join(small.wrong, "\n\t"),
				strings.Join(small.trace, "; "), strings.Join(small.said, "\n\t"))
		}
		f.mu.Unlock()
	}
}

// kindOf is a finding without its numbers and names.
func kindOf(s string) string {
	for _, place := range []string{"#alice", "#A", "#B", "#C", "#D"} {
		s = strings.ReplaceAll(s, place, "#")
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}

func (f *findings) report(t *testing.T) {
	shown := map[string]bool{}
	for _, kind := range slices.Sorted(maps.Keys(f.count)) {
		if shown[f.least[kind]] {
			t.Errorf("%d worlds: %s (as above)", f.count[kind], kind)
			continue
		}
		shown[f.least[kind]] = true
		t.Errorf("%d worlds: %s\n\tsmallest: %s", f.count[kind], kind, f.least[kind])
	}
}

func newFindings() *findings {
	return &findings{count: map[string]int{}, least: map[string]string{}, size: map[string]int{}}
}
