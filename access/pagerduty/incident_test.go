package pagerduty

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

func TestAnAnnouncementOpensTheDocumentedIncident(t *testing.T) {
	r := newRig(t, "urgency = \"low\"\npriority = \"p2\"")
	m := r.posted(t)
	in := r.incident(t, m)
	if m.Channel != "PSAPPRV" || in.Service != "PSAPPRV" || in.Status != pagerdutyapi.Triggered {
		t.Errorf("posted %+v as %+v", m, in)
	}
	if in.Key != "teleport-access-request/11111111-2222-4333-8444-555555555555" || in.Title != "Access request from dana@example.com" {
		t.Errorf("key %q, title %q", in.Key, in.Title)
	}
	if in.Urgency != "low" || in.Priority != "PPRIO02" || in.Creator != "PUBOT01" {
		t.Errorf("urgency %q, priority %q, creator %q", in.Urgency, in.Priority, in.Creator)
	}
}

func TestAnnouncementsAreLoggedAsDocumented(t *testing.T) {
	r := newRig(t, "")
	m := r.posted(t)
	if _, err := r.tell(t.Context(), "PSAPPRV", pending()); err != nil { // the same incident, found
		t.Fatal(err)
	}
	logged := r.logs.FilterMessage("Successfully created PagerDuty incident").FilterLevelExact(zapcore.InfoLevel).All()
	want := map[string]any{
		"pd_incident_id": m.ID, "pd_service_name": "Access Approvals", "request_id": pending().ID,
		"request_op": "put", "request_state": "PENDING",
	}
	if len(logged) != 1 || !maps.Equal(logged[0].ContextMap(), want) {
		t.Errorf("logged %v, want %v once", logged, want)
	}
}

// TestThePriorityIsLookedUpOnce: also where there is none, and for a burst.
func TestThePriorityIsLookedUpOnce(t *testing.T) {
	for _, name := range []string{"p2", "P0"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, `priority = "`+name+`"`)
			var g errgroup.Group
			for i := range 20 {
				g.Go(func() error {
					v := pending()
					v.ID += strconv.Itoa(i)
					_, err := r.tell(t.Context(), "PSAPPRV", v)
					return err
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
			r.askPriority(t.Context()) // as one who has just missed the answer
			if n := r.api.Calls("GET /priorities"); n != 1 {
				t.Errorf("the priority was looked up %d times", n)
			}
		})
	}
}

func TestAnUnknownOrSilentPriorityDoesNotHoldBackTheIncident(t *testing.T) {
	for name, f := range map[string]fault.Fault{
		"unknown": {}, "refused": {Effect: fault.Refuse, Code: "2010"}, "failing": {Effect: fault.Status}, "silent": {Effect: fault.Hang},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, `priority = "P0"`)
			if f.Effect != "" {
				f.Method = "GET /priorities"
				r.fault(f)
			}
			if _, err := r.tell(within(t, 6*time.Second), "PSAPPRV", pending()); err != nil {
				t.Fatal(err)
			}
			// The look-up may outlast the call; this waits until it has ended.
			_, _, _ = r.priority.flight.Do("", func() (any, error) { return nil, nil })
			if r.logs.FilterMessageSnippet("without the configured priority").Len() != 1 {
				t.Error("the missing priority was not told")
			}
		})
	}
}

func TestTheSameRequestNeverHasTwoIncidents(t *testing.T) {
	r := newRig(t, "")
	first := r.posted(t)
	if second := r.posted(t); second != first {
		t.Errorf("the second post is %v, not %v", second, first)
	}
	other, err := r.tell(t.Context(), "PSPAYMT", pending())
	if err != nil || other == first {
		t.Errorf("on another service: %v, %v", other, err)
	}
	if n := len(r.api.Incidents("")); n != 2 {
		t.Errorf("%d incidents", n)
	}
}

func TestALostAnswerIsLookedUp(t *testing.T) {
	r := newRig(t, "")
	r.fault(fault.Fault{Method: opCreate, Effect: fault.DoneNotAnswered, Times: 1})
	_, err := r.tell(t.Context(), "PSAPPRV", pending())
	wantKind(t, err, outbound.Unclear)
	in := r.api.Incidents("PSAPPRV")[0]
	at := plugindata.Message{Channel: "PSAPPRV"}

	t.Run("while it is open", func(t *testing.T) {
		if got := r.found(t, at, announcement, pending()); !slices.Equal(got, []string{in.ID}) {
			t.Errorf("found %q", got)
		}
	})
	t.Run("after somebody resolved it", func(t *testing.T) {
		if err := r.api.ResolveByHand(in.ID, "PUALICE"); err != nil {
			t.Fatal(err)
		}
		if got := r.found(t, at, announcement, pending()); !slices.Equal(got, []string{in.ID}) {
			t.Errorf("found %q", got)
		}
	})
	t.Run("after the request was deleted", func(t *testing.T) {
		if got := r.found(t, at, announcement, request.View{ID: pending().ID, Status: request.Expired, Reviews: make([]request.Review, 3)}); !slices.Equal(got, []string{in.ID}) {
			t.Errorf("found %q", got)
		}
	})
	t.Run("not on another service", func(t *testing.T) {
		if got := r.found(t, plugindata.Message{Channel: "PSPAYMT"}, announcement, pending()); len(got) > 0 {
			t.Errorf("found %q", got)
		}
	})
	t.Run("not for another request", func(t *testing.T) {
		if got := r.found(t, at, announcement, request.View{ID: "another"}); len(got) > 0 {
			t.Errorf("found %q", got)
		}
	})
	t.Run("not where it may not be looked up", func(t *testing.T) {
		r.fault(fault.Fault{Method: "GET /incidents", Effect: fault.Refuse, Code: "2010", Times: 1})
		_, err := r.Find(t.Context(), integration.Place{Address: "PSAPPRV"}, announcement, pending())
		wantRefusal(t, err, outbound.ThePlace)
	})
}

func TestFindShowsAllIncidentsOfAllTime(t *testing.T) {
	now := time.Now()
	r := newRigWith(t, "", pagerdutyapi.Options{Options: apiserver.Options{Now: func() time.Time { return now }}}, nil)
	old := r.posted(t)
	if err := r.api.ResolveByHand(old.ID, "PUALICE"); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(0, 3, 0)
	if got := r.found(t, old, announcement, pending()); !slices.Equal(got, []string{old.ID}) {
		t.Errorf("after three months: %q", got)
	}
	open := r.posted(t)
	if got := r.found(t, old, announcement, pending()); !slices.Equal(got, []string{old.ID, open.ID}) {
		t.Errorf("with an open one: %q", got)
	}
	if again := r.posted(t); again != open {
		t.Errorf("told again as %v, not as the open one", again)
	}
}

func TestAnAnswerWithoutAnIncidentIsNoIncident(t *testing.T) {
	for name, body := range map[string]string{
		"no id": `{"incident":{}}`, "nothing": `{}`, "null": `null`, "empty": ``, "no JSON": `<html>`,
		"details that the library cannot read": `{"incident":{"id":"Q1","body":{"type":"incident_body","details":{"a":1}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigWith(t, "", pagerdutyapi.Options{}, answering{201, body})
			m, err := r.tell(t.Context(), "PSAPPRV", pending())
			wantKind(t, err, outbound.Unclear)
			if m.ID != "" {
				t.Errorf("posted %v", m)
			}
		})
	}
}

// answering is a transport that gives the same answer to each call.
type answering struct {
	status int
	body   string
}

func (a answering) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(bytes.NewBufferString(a.body)),
	}, nil
}

// scripted is a transport that answers each call by its verb and path, or else
// by its verb.
type scripted map[string]answering

func (s scripted) RoundTrip(req *http.Request) (*http.Response, error) {
	if a, ok := s[req.Method+" "+req.URL.Path]; ok {
		return a.RoundTrip(req)
	}
	return s[req.Method].RoundTrip(req)
}

// TestAnOpenIncidentThatIsNotShownIsAskedForAgain: a resolved one is not it.
func TestAnOpenIncidentThatIsNotShownIsAskedForAgain(t *testing.T) {
	incident := func(status string) string {
		return `{"id":"Q1","incident_key":"` + key(pending().ID) + `","status":"` + status + `","service":{"id":"PSAPPRV"}}`
	}
	for status, want := range map[string]string{"triggered": "Q1", "acknowledged": "Q1", "resolved": ""} {
		r := newRigWith(t, "", pagerdutyapi.Options{}, scripted{
			"POST": {400, `{"error":{"code":2002,"message":"Arguments Caused Error","errors":["Open incident with matching dedup key already exists on this service"]}}`},
			"GET":  {200, `{"incidents":[` + incident(status) + `]}`}, "GET /incidents/Q1": {200, `{"incident":` + incident(status) + `}`},
		})
		m, err := r.tell(t.Context(), "PSAPPRV", pending())
		if m.ID != want {
			t.Errorf("%s: %v, %v", status, m, err)
		}
		if want == "" {
			wantKind(t, err, outbound.Retry)
		}
	}
}

// TestARequestThatEndedUnseenPagesNobody: also where its incident was open already.
func TestARequestThatEndedUnseenPagesNobody(t *testing.T) {
	for name, first := range map[string]request.Status{"new": request.Approved, "open": request.Pending} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, `urgency = "high"`)
			if first == request.Pending {
				r.posted(t)
			}
			m, err := r.tell(t.Context(), "PSAPPRV", ended(request.Approved))
			if err != nil {
				t.Fatal(err)
			}
			in := r.incident(t, m)
			if in.Open() || in.Urgency == "low" != (first != request.Pending) || len(in.Notes) > 0 || len(r.api.Incidents("")) != 1 {
				t.Errorf("%+v", in)
			}
		})
	}
}

// TestAnIncidentThatIsNotResolvedAtOnceIsInDoubt: then it is looked for, and shown
// as it should be.
func TestAnIncidentThatIsNotResolvedAtOnceIsInDoubt(t *testing.T) {
	for name, f := range map[string]fault.Fault{
		"failing": {Effect: fault.Status}, "refused": {Effect: fault.Refuse, Code: "2010"},
		"unanswered": {Effect: fault.DoneNotAnswered}, "limited": {Effect: fault.RateLimit, RetryAfterMS: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, v := newRig(t, ""), ended(request.Approved)
			f.Method, f.Times = opResolve, 1
			r.fault(f)
			_, err := r.tell(t.Context(), "PSAPPRV", v)
			wantKind(t, err, outbound.Unclear)
			if limited := f.Effect == fault.RateLimit; limited != (outbound.AfterOf(err) > 0) {
				t.Errorf("to wait for %v", outbound.AfterOf(err))
			}
			r.later(t)
			found := r.found(t, plugindata.Message{Channel: "PSAPPRV"}, announcement, v)
			if len(found) != 1 {
				t.Fatalf("found %q", found)
			}
			m := plugindata.Message{Channel: "PSAPPRV", ID: found[0]}
			if err := r.Show(t.Context(), m, v); err != nil || r.incident(t, m).Open() {
				t.Errorf("not resolved: %v", err)
			}
		})
	}
}
