package pagerduty

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/sandbox/fault"
	"teleport-plugins/lib/sandbox/pagerdutyapi"
)

func TestPostOpensTheDocumentedIncident(t *testing.T) {
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
	r.posted(t)
	if n := r.api.Calls("GET /priorities"); n != 1 {
		t.Errorf("the priority was looked up %d times", n)
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
			if _, err := r.Post(within(t, 6*time.Second), "PSAPPRV", pending()); err != nil {
				t.Fatal(err)
			}
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
	other, err := r.Post(t.Context(), "PSPAYMT", pending())
	if err != nil || other == first {
		t.Errorf("on another service: %v, %v", other, err)
	}
	if n := len(r.api.Incidents("")); n != 2 {
		t.Errorf("%d incidents", n)
	}
}

func TestALostAnswerIsLookedUp(t *testing.T) {
	r := newRig(t, "")
	r.fault(fault.Fault{Method: "POST /incidents", Effect: fault.DoneNotAnswered, Times: 1})
	_, err := r.Post(t.Context(), "PSAPPRV", pending())
	wantKind(t, err, outbound.Unclear)
	in := r.api.Incidents("PSAPPRV")[0]

	t.Run("while it is open", func(t *testing.T) {
		if m, found, err := r.Find(t.Context(), "PSAPPRV", pending()); err != nil || !found || m.ID != in.ID {
			t.Errorf("found %v %v, %v", m, found, err)
		}
	})
	t.Run("after somebody resolved it", func(t *testing.T) {
		if err := r.api.ResolveByHand(in.ID, "PUALICE"); err != nil {
			t.Fatal(err)
		}
		if m, found, err := r.Find(t.Context(), "PSAPPRV", pending()); err != nil || !found || m.ID != in.ID {
			t.Errorf("found %v %v, %v", m, found, err)
		}
	})
	t.Run("not on another service", func(t *testing.T) {
		if m, found, err := r.Find(t.Context(), "PSPAYMT", pending()); err != nil || found {
			t.Errorf("found %v %v, %v", m, found, err)
		}
	})
	t.Run("not where it may not be looked up", func(t *testing.T) {
		r.fault(fault.Fault{Method: "GET /incidents", Effect: fault.Refuse, Code: "2010", Times: 1})
		if _, found, err := r.Find(t.Context(), "PSAPPRV", pending()); err != nil || found {
			t.Errorf("found %v, %v", found, err)
		}
	})
}

func TestFindPrefersTheOpenIncidentAmongThoseOfAllTime(t *testing.T) {
	now := time.Now()
	r := newRigWith(t, "", pagerdutyapi.Options{Now: func() time.Time { return now }}, nil)
	old := r.posted(t)
	if err := r.api.ResolveByHand(old.ID, "PUALICE"); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(0, 3, 0)
	if m, found, err := r.Find(t.Context(), "PSAPPRV", pending()); !found || m != old || err != nil {
		t.Errorf("after three months: %v %v, %v", m, found, err)
	}
	open := r.posted(t)
	if m, found, err := r.Find(t.Context(), "PSAPPRV", pending()); !found || m != open || err != nil {
		t.Errorf("with an open one: %v %v, %v; want %v", m, found, err, open)
	}
}

func TestAnAnswerWithoutAnIncidentIsNoIncident(t *testing.T) {
	for name, body := range map[string]string{
		"no id": `{"incident":{}}`, "nothing": `{}`, "null": `null`, "empty": ``, "no JSON": `<html>`,
		"details that the library cannot read": `{"incident":{"id":"Q1","body":{"type":"incident_body","details":{"a":1}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigWith(t, "", pagerdutyapi.Options{}, answering{201, body})
			m, err := r.Post(t.Context(), "PSAPPRV", pending())
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

func TestReviewsBecomeNotes(t *testing.T) {
	r := newRig(t, "")
	m, v := r.posted(t), ended(message.Pending)
	if found, err := r.FindReply(t.Context(), m, v, 0); found || err != nil {
		t.Errorf("found before it was written: %v, %v", found, err)
	}
	if err := r.Reply(t.Context(), m, v, 0); err != nil {
		t.Fatal(err)
	}
	if found, err := r.FindReply(t.Context(), m, v, 0); !found || err != nil {
		t.Errorf("not found after it was written: %v, %v", found, err)
	}
	want := []string{"Review by erin on 04 Mar 26 05:07 UTC: APPROVED\nReason:\n> fine with me"}
	if got := contents(r.incident(t, m)); !slices.Equal(got, want) {
		t.Errorf("notes %q, want %q", got, want)
	}
	if err := r.Reply(t.Context(), m, message.View{Reviews: make([]message.Review, 1)}, 0); err != nil {
		t.Error(err)
	}
	if n := len(r.incident(t, m).Notes); n != 1 {
		t.Errorf("a review that is not known was told; %d notes", n)
	}
}

func TestEachEndResolvesWithANote(t *testing.T) {
	for status, want := range map[message.Status]string{
		message.Approved: "Access request approved\nReason:\n> as agreed",
		message.Denied:   "Access request denied\nReason:\n> as agreed",
		message.Promoted: "Access request promoted to the access list On-call engineers\nReason:\n> as agreed",
		message.Expired:  "Access request expired\nReason:\n> as agreed",
	} {
		t.Run(string(status), func(t *testing.T) {
			r := newRig(t, "")
			m, v := r.posted(t), ended(status)
			v.AccessList = "On-call engineers"
			if err := r.Edit(t.Context(), m, v); err != nil {
				t.Fatal(err)
			}
			in := r.incident(t, m)
			if in.Open() || in.ResolvedBy != "PUBOT01" || !slices.Equal(contents(in), []string{want}) {
				t.Errorf("got %s by %s with %q", in.Status, in.ResolvedBy, contents(in))
			}
		})
	}
}

func TestAPendingRequestNeedsNoEdit(t *testing.T) {
	r := newRig(t, "")
	m := r.posted(t)
	before := len(r.api.Requests())
	if err := r.Edit(t.Context(), m, ended(message.Pending)); err != nil || len(r.api.Requests()) != before {
		t.Errorf("calls were made: %v", err)
	}
}

func TestAResolutionThatIsTriedAgainWritesItsNoteOnce(t *testing.T) {
	for name, f := range map[string]fault.Fault{
		"the status change failed":         {Method: "PUT /incidents", Effect: fault.Status},
		"its answer was lost":              {Method: "PUT /incidents", Effect: fault.DoneNotAnswered},
		"the note's answer was lost":       {Method: "POST /incidents/{id}/notes", Effect: fault.DoneNotAnswered},
		"the note failed":                  {Method: "POST /incidents/{id}/notes", Effect: fault.Status},
		"the notes could not be read":      {Method: "GET /incidents/{id}/notes", Effect: fault.Status},
		"the incident changed meanwhile":   {Method: "PUT /incidents", Effect: fault.Refuse, Code: "1005"},
		"the rate limit stood in the way":  {Method: "PUT /incidents", Effect: fault.RateLimit, RetryAfterMS: 1},
		"the key was refused for a moment": {Method: "PUT /incidents", Effect: fault.Refuse, Code: "2006"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			m := r.posted(t)
			f.Times = 1
			r.fault(f)
			if err := r.Edit(t.Context(), m, ended(message.Denied)); err == nil {
				t.Error("the failure was not told")
			}
			r.later(t)
			if err := r.Edit(t.Context(), m, ended(message.Denied)); err != nil {
				t.Fatal(err)
			}
			if in := r.incident(t, m); in.Open() || len(in.Notes) != 1 {
				t.Errorf("%s with the notes %q", in.Status, contents(in))
			}
		})
	}
}

func TestAlreadyResolvedIsSuccess(t *testing.T) {
	r := newRig(t, "")
	m := r.posted(t)
	if err := r.api.ResolveByHand(m.ID, "PUALICE"); err != nil {
		t.Fatal(err)
	}
	if err := r.Edit(t.Context(), m, ended(message.Approved)); err != nil {
		t.Error(err)
	}
	if in := r.incident(t, m); len(in.Notes) != 1 || in.ResolvedBy != "PUALICE" {
		t.Errorf("%+v", in)
	}
	for _, code := range []string{"1001", "1019", "2018"} {
		r.fault(fault.Fault{Method: "PUT /incidents", Effect: fault.Refuse, Code: code, Times: 1})
		if err := r.Edit(t.Context(), m, ended(message.Approved)); err != nil {
			t.Errorf("code %s: %v", code, err)
		}
	}
}

func TestAnUnwantedNoteDoesNotKeepTheIncidentOpen(t *testing.T) {
	r := newRig(t, "")
	m := r.posted(t)
	r.fault(fault.Fault{Method: "POST /incidents/{id}/notes", Effect: fault.Refuse, Code: "2001"})
	if err := r.Edit(t.Context(), m, ended(message.Denied)); err != nil {
		t.Fatal(err)
	}
	if r.incident(t, m).Open() {
		t.Error("the incident is open")
	}
}

func TestALostIncidentIsGone(t *testing.T) {
	r := newRig(t, "")
	m := r.posted(t)
	if err := r.api.DeleteIncident(m.ID); err != nil {
		t.Fatal(err)
	}
	wantKind(t, r.Edit(t.Context(), m, ended(message.Denied)), outbound.Gone)
	wantKind(t, r.Reply(t.Context(), m, ended(message.Pending), 0), outbound.Gone)
}

func TestARequestThatEndedUnseenPagesNobody(t *testing.T) {
	r := newRig(t, `urgency = "high"`)
	m, err := r.Post(t.Context(), "PSAPPRV", ended(message.Approved))
	if err != nil {
		t.Fatal(err)
	}
	in := r.incident(t, m)
	if in.Open() || in.Urgency != "low" || len(in.Notes) != 1 {
		t.Errorf("%+v", in)
	}
}

func TestARequestThatEndedUnseenIsResolvedByTheNextTryAtLast(t *testing.T) {
	r := newRig(t, "")
	r.fault(fault.Fault{Method: "PUT /incidents", Effect: fault.Status, Times: 1})
	_, err := r.Post(t.Context(), "PSAPPRV", ended(message.Approved))
	wantKind(t, err, outbound.Unclear)
	m, found, err := r.Find(t.Context(), "PSAPPRV", ended(message.Approved))
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	if err := r.Edit(t.Context(), m, ended(message.Approved)); err != nil {
		t.Fatal(err)
	}
	if in := r.incident(t, m); in.Open() || len(in.Notes) != 1 || len(r.api.Incidents("")) != 1 {
		t.Errorf("%+v", in)
	}
}

func TestServicesAreFoundByName(t *testing.T) {
	r := newRig(t, "")
	for i := range 230 { // more than two pages
		r.api.AddService(pagerdutyapi.Service{Name: fmt.Sprintf("edge zone %03d", i)})
	}
	want := r.api.AddService(pagerdutyapi.Service{Name: "Edge Zone"}).ID
	for _, name := range []string{"Edge Zone", "edge zone", "EDGE ZONE"} {
		if got, err := r.Resolve(t.Context(), name); err != nil || got != want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if n := r.api.Calls("GET /services"); n != 3 {
		t.Errorf("%d calls for three pages, once", n)
	}
	_, err := r.Resolve(t.Context(), "edge")
	wantKind(t, err, outbound.Permanent)
	if !strings.Contains(err.Error(), `PagerDuty has no service "edge"`) {
		t.Errorf("got %v", err)
	}
}

func TestTheExactSpellingOfAServiceWins(t *testing.T) {
	r := newRig(t, "")
	r.api.AddService(pagerdutyapi.Service{Name: "DATABASES"})
	want := r.api.AddService(pagerdutyapi.Service{Name: "databases"}).ID
	if got, _, err := r.Service(t.Context(), "databases"); err != nil || got.ID != want {
		t.Errorf("got %+v, %v; want %s", got, err, want)
	}
}

func TestEndlessPagesEnd(t *testing.T) {
	t.Run("empty pages that promise more", func(t *testing.T) {
		r := newRigWith(t, "", pagerdutyapi.Options{}, answering{200, `{"oncalls":[],"users":[],"services":[],"incidents":[],"more":true}`})
		if list, err := r.Shifts(t.Context(), "P", []string{"E"}); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
		if _, ok, err := r.Service(t.Context(), "x"); ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
	})
	t.Run("full pages that promise more", func(t *testing.T) {
		r := newRigWith(t, "", pagerdutyapi.Options{}, answering{200, `{"users":[` + strings.Repeat(`{"id":"A"},`, 99) + `{"id":"A"}],"more":true}`})
		_, err := r.People(t.Context(), "a@example.com")
		wantKind(t, err, outbound.Permanent)
	})
}

func TestRecipientsAreAllServicesOfTheAnnotation(t *testing.T) {
	r := newRig(t, "notify_service = \"page\"")
	v := message.View{Annotations: map[string][]string{"page": {"b", " a ", "b", ""}, "pagerduty_notify_service": {"c"}}}
	if got := r.parts.Router.Recipients(t.Context(), v); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("got %q", got)
	}
	if got := r.parts.Router.Recipients(t.Context(), message.View{}); len(got) != 0 {
		t.Errorf("got %q for a request without annotations", got)
	}
}

func TestTheKeyIsReadAtEachCall(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	write := func(key string) {
		if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(pagerdutyapi.DefaultKey)
	r := newRig(t, "")
	c, _, err := load(t, "[teleport]\nidentity = \"/id\"\n[pagerduty]\nuser_email = \"teleport@example.com\"\napi_key = \""+file+"\"\n")
	if err != nil {
		t.Fatal(err)
	}
	r.key = c.PagerDuty.APIKey
	if err := r.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.api.RevokeKey(pagerdutyapi.DefaultKey)
	wantKind(t, r.Check(t.Context()), outbound.Credentials)
	r.api.PutKey(pagerdutyapi.Key{Token: "another, longer key"})
	write("another, longer key")
	if err := r.Check(t.Context()); err != nil {
		t.Errorf("after the key was replaced: %v", err)
	}
}

func TestInspect(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		opts   pagerdutyapi.Options
		fault  fault.Fault
		want   []string
	}{
		"all in order": {config: "priority = \"P1\"\n[pagerduty.auto_approve]\nschedules = [\"primary\", \"PRTEAM0\"]"},
		"no such user": {opts: pagerdutyapi.Options{Users: []pagerdutyapi.User{{ID: "X", Email: "x@example.com"}}}, want: []string{`PagerDuty has no user with the address "teleport@example.com"`}},
		"users unread": {fault: fault.Fault{Method: "GET /users", Effect: fault.Refuse, Code: "2010"}, want: []string{"PagerDuty's users cannot be read"}},
		"no priority":  {config: `priority = "P0"`, want: []string{`PagerDuty has no priority "P0"`}},
		"no schedule":  {config: "[pagerduty.auto_approve]\nschedules = [\"Nights\"]", want: []string{`PagerDuty has no schedule "Nights"`}},
		"read-only user": {opts: pagerdutyapi.Options{
			Users: []pagerdutyapi.User{{ID: "X", Email: "teleport@example.com", Role: "read_only_user"}},
			Keys:  []pagerdutyapi.Key{{Token: pagerdutyapi.DefaultKey, User: "X"}},
		}, want: []string{`belongs to a user with the role "read_only_user"`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigWith(t, tc.config, tc.opts, nil)
			if tc.fault.Effect != "" {
				r.fault(tc.fault)
			}
			got := r.Inspect(t.Context())
			if len(got) != len(tc.want) {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
			for i := range got {
				if !strings.Contains(got[i], tc.want[i]) {
					t.Errorf("got %q, want %q", got[i], tc.want[i])
				}
				keepsSecrets(t, got[i])
			}
		})
	}
}

func TestHostilePathsStayInTheirPlace(t *testing.T) {
	r := newRig(t, "")
	for _, id := range []string{"../incidents", "a/b", "a?b=c", "a#b", "%2e%2e", " "} {
		err := r.Reply(t.Context(), plugindata.Message{Channel: "PSAPPRV", ID: id}, ended(message.Pending), 0)
		wantKind(t, err, outbound.Gone)
	}
}
