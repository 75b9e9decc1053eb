package sandbox

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/sandbox/fault"
	"teleport-plugins/lib/sandbox/journal"
)

const (
	// storySize is how many entries of the story are kept.
	storySize = 400
	// storyPause is the least time between two looks at what has changed.
	storyPause = 50 * time.Millisecond
)

// storyteller writes the story of what each part does from now on, until ctx ends.
func (s *Sandbox) storyteller(ctx context.Context) func() {
	for _, v := range s.services {
		v.Faults().Observe(func(f fault.Fault, c fault.Call) {
			s.story.Add(journal.Entry{Part: journal.Service, Name: v.Title, Tone: journal.Bad, Text: misbehaviour(f), Detail: c.Method})
		})
	}
	changes, end := s.changes.Subscribe()
	seen := s.look()
	return func() {
		defer end()
		for {
			select {
			case <-changes:
			case <-ctx.Done():
				return
			}
			now, told := s.look(), s.story.Rev()
			s.compare(seen, now)
			if seen = now; s.story.Rev() != told {
				s.changes.Wake()
			}
			if !pace.Sleep(ctx, storyPause) {
				return
			}
		}
	}
}

// glance is what the story compares.
type glance struct {
	order    []string
	requests map[string]*types.AccessRequestV3
	calls    map[string]map[string]int
	ready    map[string]Readiness
}

func (s *Sandbox) look() glance {
	g := glance{requests: make(map[string]*types.AccessRequestV3), calls: make(map[string]map[string]int), ready: make(map[string]Readiness)}
	for _, r := range s.cluster.Requests() {
		g.order = append(g.order, r.GetName())
		g.requests[r.GetName()] = r
	}
	for _, v := range s.services {
		g.calls[v.Title] = v.Counts()
	}
	for _, p := range s.plugins.list() {
		g.ready[p.Name] = p.Readiness
	}
	return g
}

// compare tells what happened between two looks.
func (s *Sandbox) compare(before, now glance) {
	for _, id := range now.order {
		s.compareRequest(before.requests[id], now.requests[id])
	}
	for _, id := range before.order {
		if now.requests[id] == nil {
			s.clusterDid("the request of "+short(before.requests[id].GetUser())+" has expired or was deleted", "")
		}
	}
	for _, v := range s.services {
		for _, method := range slices.Sorted(maps.Keys(now.calls[v.Title])) {
			if n := now.calls[v.Title][method] - before.calls[v.Title][method]; n > 0 {
				s.story.Add(journal.Entry{Part: journal.Service, Name: v.Title, Text: "is called: " + method, Times: n})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now.ready)) {
		s.compareReadiness(name, before.ready[name], now.ready[name])
	}
}

func (s *Sandbox) compareReadiness(name string, before, now Readiness) {
	e := journal.Entry{Part: journal.Plugin, Name: name, Text: "is ready", Tone: journal.Good}
	switch {
	case now.Known && now.Ready && !before.Ready:
	case now.Known && !now.Ready && before.Ready:
		e.Text, e.Tone, e.Detail = "is not ready", journal.Bad, strings.Join(now.Why, "; ")
	default:
		return
	}
	s.story.Add(e)
}

// compareRequest tells what became of a request; before is nil for a new one.
func (s *Sandbox) compareRequest(before, now *types.AccessRequestV3) {
	who := short(now.GetUser())
	reviews, state := 0, types.RequestState_PENDING
	if before == nil {
		s.clusterDid(who+" asks for "+strings.Join(now.GetRoles(), ", "), now.GetRequestReason())
	} else {
		reviews, state = len(before.GetReviews()), before.GetState()
	}
	list := now.GetReviews()
	for _, review := range list[min(reviews, len(list)):] {
		verb := "approves"
		if !review.ProposedState.IsApproved() {
			verb = "denies"
		}
		s.clusterDid(short(review.Author)+" "+verb+" the request of "+who, review.Reason)
	}
	if now.GetState() != state {
		s.clusterDid("the request of "+who+" is "+strings.ToLower(now.GetState().String()), "")
	}
}

// clusterDid tells something that the cluster did.
func (s *Sandbox) clusterDid(text, detail string) {
	s.story.Add(journal.Entry{Part: journal.Teleport, Text: text, Detail: detail})
}

// short is a person's name without the domain.
func short(user string) string {
	name, _, _ := strings.Cut(user, "@")
	return name
}

// misbehaviour says what a fault does to a call.
func misbehaviour(f fault.Fault) string {
	switch f.Effect {
	case fault.Status:
		return "answers " + strconv.Itoa(f.StatusCode())
	case fault.RateLimit:
		return "answers 429, too many calls"
	case fault.Slow:
		return fmt.Sprintf("takes %s for a call", f.Delay())
	case fault.Refuse:
		return "refuses: " + f.Code
	case fault.Cut:
		return "cuts the connection"
	case fault.Hang:
		return "does not answer"
	case fault.DoneNotAnswered:
		return "does what it is asked, and does not answer"
	case fault.Garbage:
		return "answers nonsense"
	}
	return string(f.Effect)
}

// logged takes a line of a plugin's log apart: its level, its sentence, its fields, and
// where in the code it comes from.
var logged = regexp.MustCompile(`^(DEBUG|INFO|WARN|ERROR)\s+(.*?)(?:\s+([a-z_]+:.*?))?(?:\s+\S+\.go:\d+)?$`)

// pluginSays tells what a plugin wrote.
func (s *Sandbox) pluginSays(name, line string) {
	m := logged.FindStringSubmatch(line)
	if m == nil || m[1] == "DEBUG" {
		return
	}
	e := journal.Entry{Part: journal.Plugin, Name: name, Text: m[2], Detail: m[3]}
	if m[1] != "INFO" {
		e.Tone = journal.Bad
	}
	s.story.Add(e)
	s.changes.Wake()
}

// pluginIs tells what became of a plugin.
func (s *Sandbox) pluginIs(name, sentence string) {
	e := journal.Entry{Part: journal.Plugin, Name: name, Text: sentence}
	if strings.HasPrefix(sentence, "ended") {
		e.Tone = journal.Bad
	}
	s.story.Add(e)
}

// getStory answers with what happened after a revision.
func (s *Sandbox) getStory(r *http.Request) (int, any, error) {
	after := uint64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, nil, badRequest("the revision %q is not a number", text)
		}
		after = n
	}
	entries, now := s.story.After(after)
	return http.StatusOK, map[string]any{"rev": now, "entries": entries}, nil
}
