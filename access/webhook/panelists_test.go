package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"teleport-plugins/lib/document"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// panelists are endpoints of which each answers as it is told to.
type panelists struct {
	mu     sync.Mutex
	say    map[string]string           // by endpoint; "hang" hangs, and "fail" fails
	events map[string][]document.Event // what each has heard
}

func (p *panelists) set(endpoint, answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.say[endpoint] = answer
}

func (p *panelists) heard(endpoint string) []document.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events[endpoint])
}

func (p *panelists) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	var d document.Event
	_ = json.NewDecoder(r.Body).Decode(&d)
	_, _ = io.Copy(io.Discard, r.Body)
	p.mu.Lock()
	p.events[name] = append(p.events[name], d)
	say := p.say[name]
	p.mu.Unlock()
	switch say {
	case "hang":
		<-r.Context().Done()
	case "fail":
		w.WriteHeader(http.StatusInternalServerError)
	default:
		_, _ = io.WriteString(w, say)
	}
}

// sitting is a decider over panelists.
type sitting struct {
	rig
	*panelists
	decider *decider
	told    []string // who was told
	reviews int      // how many reviews were told to them
	all     []string // who is to be told
	blind   bool     // somebody may be missing from that
}

// sit makes a decider over endpoints with these answers; a name that ends in "?" is of
// one that is not required.
func sit(t *testing.T, decide string, say map[string]string, change func(*plugin.Deps)) *sitting {
	t.Helper()
	p := &panelists{say: make(map[string]string), events: make(map[string][]document.Event)}
	url := serve(t, p.ServeHTTP)
	s := &sitting{panelists: p}
	var text strings.Builder
	for name, answer := range say {
		bare := strings.TrimSuffix(name, "?")
		p.say[bare] = answer
		fmt.Fprintf(&text, "[endpoints.%s]\nurl = \"%s/%s\"\nrequired = %v\ntimeout = \"500ms\"\n", bare, url, bare, bare == name)
		s.all = append(s.all, bare)
	}
	slices.Sort(s.all)
	s.told = slices.Clone(s.all)
	s.rig = build(t, text.String()+"[decide]\n"+decide, change)
	s.decider = &decider{s.service}
	return s
}

// tellAll tells the endpoints that are to be told.
func (s *sitting) tellAll(t *testing.T, e integration.Effect, v request.View) {
	t.Helper()
	for _, name := range s.told {
		_, _ = s.Tell(t.Context(), integration.Place{Address: name}, e, v) // some fail
	}
}

func (s *sitting) verdict(t *testing.T, v request.View) integration.Verdict {
	t.Helper()
	told := integration.Told{Recipients: func(context.Context) ([]string, bool) { return s.all, !s.blind }, Reviews: make(map[string]int)}
	for _, name := range s.told {
		told.Reviews[name] = s.reviews
		told.Posts = append(told.Posts, plugindata.Message{Channel: name, ID: "evt_" + name})
	}
	got, err := s.decider.Decide(t.Context(), v, told)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const (
	enabled = "enabled = true\nroles = [\"dev-*\"]\n"
	yes     = `{"decision":"approve","reason":"on call"}`
	no      = `{"decision":"deny","reason":"frozen"}`
)
