package pagerduty

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/check"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

// TestWhatPagerDutyDoesNotTakeIsToldPlainly: the plain form drops all that people
// wrote and all that the config adds.
func TestWhatPagerDutyDoesNotTakeIsToldPlainly(t *testing.T) {
	r := newRig(t, "urgency = \"high\"\npriority = \"P1\"")
	for _, code := range []string{"2001", "2014"} {
		v := pending()
		v.ID = code
		r.fault(fault.Fault{Method: opCreate, Effect: fault.Refuse, Code: code, Times: 1})
		m, err := r.tell(t.Context(), "PSAPPRV", v)
		if err != nil {
			t.Fatal(err)
		}
		in := r.incident(t, m)
		if in.Title != "Access request" || in.Priority != "" || strings.Contains(in.Details, "dana") || strings.Contains(in.Details, "backup") ||
			!strings.Contains(in.Details, "ID: "+code) || in.Key != key(code) {
			t.Errorf("%+v", in)
		}
		r.fault(fault.Fault{Method: opNote, Effect: fault.Refuse, Code: "2001", Times: 1})
		v = ended(request.Pending)
		v.ID = code
		if err := r.below(t.Context(), m, firstReview, v); err != nil {
			t.Fatal(err)
		}
		if got := contents(r.incident(t, m)); !slices.Equal(got, []string{"Review on 04 Mar 26 05:07 UTC: APPROVED"}) {
			t.Errorf("noted %q", got)
		}
		if got := r.found(t, m, firstReview, v); len(got) != 1 {
			t.Errorf("found %q", got)
		}
	}
	r.fault(fault.Fault{Method: opCreate, Effect: fault.Refuse, Code: "2001", Times: 2})
	_, err := r.tell(t.Context(), "PSPAYMT", pending())
	wantRefusal(t, err, outbound.OneCall)
}

func TestReviewsBecomeNotes(t *testing.T) {
	r := newRig(t, "")
	m, v := r.posted(t), ended(request.Pending)
	if got := r.found(t, m, firstReview, v); len(got) > 0 {
		t.Errorf("found before it was written: %q", got)
	}
	for range 2 {
		if err := r.below(t.Context(), m, firstReview, v); err != nil {
			t.Fatal(err)
		}
	}
	in := r.incident(t, m)
	if got := r.found(t, m, firstReview, v); !slices.Equal(got, []string{in.Notes[0].ID, in.Notes[1].ID}) {
		t.Errorf("found %q of %+v", got, in.Notes)
	}
	want := "Review by erin on 04 Mar 26 05:07 UTC: APPROVED\nReason:\n> fine with me"
	if got := contents(in); got[0] != want {
		t.Errorf("notes %q, want %q", got, want)
	}
}

// TestWhatIsNotKnownOfAReviewIsNotTold: the reviews of a request that is gone are
// known by their number alone.
func TestWhatIsNotKnownOfAReviewIsNotTold(t *testing.T) {
	r := newRig(t, "")
	m, v := r.posted(t), pending()
	v.Reviews = make([]request.Review, 1)
	before := len(r.api.Requests())
	for _, i := range []int{0, 1, 7, -1} {
		e := integration.Effect{Kind: integration.Review, Index: i}
		if err := r.below(t.Context(), m, e, v); err != nil {
			t.Error(err)
		}
		if got := r.found(t, m, e, v); len(got) > 0 {
			t.Errorf("found %q", got)
		}
	}
	if n := len(r.api.Requests()) - before; n != 0 {
		t.Errorf("%d calls were made", n)
	}
	notice := integration.Effect{Kind: integration.Notice}
	if got := r.found(t, m, notice, v); len(got) > 0 || r.Tells(notice.Kind) {
		t.Errorf("found %q", got)
	}
	wantRefusal(t, r.below(t.Context(), m, notice, v), outbound.OneCall)
}

// A reminder is a note, which is found by when it was due.
func TestRemindersAreNotes(t *testing.T) {
	r := newRig(t, "")
	m, v := r.posted(t), pending()
	v.Now, v.Expires = v.Created.Add(40*time.Minute), v.Created.Add(time.Hour)
	for i, index := range []int{900, 2400} {
		e := integration.Effect{Kind: integration.Pending, Index: index}
		if got := r.found(t, m, e, v); len(got) > 0 {
			t.Errorf("found %q", got)
		}
		if err := r.below(t.Context(), m, e, v); err != nil {
			t.Fatal(err)
		}
		later := v
		later.Now = v.Now.Add(time.Minute)
		if got := r.found(t, m, e, later); len(got) != 1 {
			t.Errorf("found %q", got)
		}
		if n := len(contents(r.incident(t, m))); n != i+1 {
			t.Errorf("%d notes", n)
		}
	}
	notes := contents(r.incident(t, m))
	slices.Sort(notes)
	want := "Still pending, reminder of " + v.Created.Add(15*time.Minute).UTC().Format(time.RFC3339) + ".\nThis request is still pending"
	if !strings.HasPrefix(notes[0], want) || !strings.Contains(notes[0], "It expires in 20 minutes.") {
		t.Errorf("notes %q", notes)
	}
}

func TestEachEndResolvesAndThenHasANote(t *testing.T) {
	for status, want := range map[request.Status]string{
		request.Approved: "Access request approved\nReason:\n> as agreed",
		request.Denied:   "Access request denied\nReason:\n> as agreed",
		request.Promoted: "Access request promoted to the access list On-call engineers\nReason:\n> as agreed",
		request.Expired:  "Access request expired\nReason:\n> as agreed",
	} {
		t.Run(string(status), func(t *testing.T) {
			r := newRig(t, "")
			m, v := r.posted(t), ended(status)
			v.AccessList = "On-call engineers"
			// Notes that fail hold nobody on call (B13).
			r.fault(fault.Fault{Method: opNote, Effect: fault.Status, HTTPStatus: 503, Times: 1})
			if err := r.Show(t.Context(), m, v); err != nil {
				t.Fatal(err)
			}
			if in := r.incident(t, m); in.Open() || in.ResolvedBy != "PUBOT01" {
				t.Errorf("%s by %s", in.Status, in.ResolvedBy)
			}
			wantKind(t, r.below(t.Context(), m, end(v), v), outbound.Unclear)
			if got := r.found(t, m, end(v), v); len(got) > 0 {
				t.Errorf("found %q", got)
			}
			if err := r.below(t.Context(), m, end(v), v); err != nil {
				t.Fatal(err)
			}
			if got := contents(r.incident(t, m)); !slices.Equal(got, []string{want}) {
				t.Errorf("noted %q", got)
			}
			// The reason is not known any more once the request is gone.
			if got := r.found(t, m, end(v), request.View{ID: v.ID, Status: request.Expired}); len(got) != 1 {
				t.Errorf("found %q", got)
			}
			for _, other := range []request.Status{request.Pending, request.Approved, request.Denied, request.Promoted, request.Expired} {
				if got := r.found(t, m, integration.Outcome(integration.End, other), v); other != status && len(got) > 0 {
					t.Errorf("%s: found %q", other, got)
				}
			}
		})
	}
}

func TestAPendingRequestIsShownAsItIs(t *testing.T) {
	r := newRig(t, "")
	m := r.posted(t)
	before := len(r.api.Requests())
	if err := r.Show(t.Context(), m, ended(request.Pending)); err != nil || len(r.api.Requests()) != before {
		t.Errorf("calls were made: %v", err)
	}
}

func TestAlreadyResolvedIsSuccess(t *testing.T) {
	r := newRig(t, "")
	m := r.posted(t)
	if err := r.api.ResolveByHand(m.ID, "PUALICE"); err != nil {
		t.Fatal(err)
	}
	if err := r.Show(t.Context(), m, ended(request.Approved)); err != nil {
		t.Error(err)
	}
	if in := r.incident(t, m); in.ResolvedBy != "PUALICE" {
		t.Errorf("%+v", in)
	}
	for _, code := range []string{"1001", "1019", "2018"} {
		r.fault(fault.Fault{Method: opResolve, Effect: fault.Refuse, Code: code, Times: 1})
		if err := r.Show(t.Context(), m, ended(request.Approved)); err != nil {
			t.Errorf("code %s: %v", code, err)
		}
	}
}

func TestALostIncidentIsGone(t *testing.T) {
	r := newRig(t, "")
	m, v := r.posted(t), ended(request.Denied)
	if err := r.api.DeleteIncident(m.ID); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*rig{r, r.another(t)} {
		wantKind(t, r.Show(t.Context(), m, v), outbound.Gone)
		wantKind(t, r.below(t.Context(), m, firstReview, v), outbound.Gone)
		wantKind(t, r.below(t.Context(), m, end(v), v), outbound.Gone)
		if got := r.found(t, m, firstReview, v); len(got) > 0 {
			t.Errorf("found %q", got)
		}
	}
}

// TestGoneIsOnlyWhatPagerDutySaysIsGone: a gateway's 404 opens no second incident.
func TestGoneIsOnlyWhatPagerDutySaysIsGone(t *testing.T) {
	r := newRig(t, "")
	m, v := r.posted(t), ended(request.Denied)
	for op, call := range map[string]func(*rig) error{
		opResolve:  func(r *rig) error { return r.Show(t.Context(), m, v) },
		opNote:     func(r *rig) error { return r.below(t.Context(), m, end(v), v) },
		opIncident: func(r *rig) error { return r.another(t).Show(t.Context(), m, v) },
		opNotes: func(r *rig) error {
			_, err := r.Find(t.Context(), integration.Place{Message: m}, end(v), v)
			return err
		},
	} {
		r.fault(fault.Fault{Method: op, Effect: fault.Status, HTTPStatus: 404, Times: 1})
		want := outbound.Unclear
		if reads(op) {
			want = outbound.Retry
		}
		wantKind(t, call(r), want)
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
	_, err := r.Resolve(t.Context(), "edge")
	wantRefusal(t, err, outbound.ThePlace)
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
		_, err := r.Shifts(t.Context(), "P", []string{"E"})
		wantKind(t, err, outbound.Retry)
		_, err = r.Find(t.Context(), integration.Place{Address: "S"}, announcement, pending())
		wantKind(t, err, outbound.Retry)
	})
	t.Run("full pages that promise more", func(t *testing.T) {
		r := newRigWith(t, "", pagerdutyapi.Options{}, answering{200, `{"users":[` + strings.Repeat(`{"id":"A"},`, 99) + `{"id":"A"}],"more":true}`})
		_, err := r.People(t.Context(), "a@example.com")
		wantRefusal(t, err, outbound.OneCall)
	})
}

func TestRecipientsAreAllServicesOfTheAnnotation(t *testing.T) {
	r := newRig(t, "notify_service = \"page\"")
	v := request.View{Annotations: map[string][]string{"page": {"b", " a ", "b", ""}, "pagerduty_notify_service": {"c"}}}
	if got := r.parts.Router.Recipients(t.Context(), v).Recipients(); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("got %q", got)
	}
	if got := r.parts.Router.Recipients(t.Context(), request.View{}); len(got) != 0 {
		t.Errorf("got %+v for a request without annotations", got)
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
	wantRefusal(t, r.Check(t.Context()), outbound.TheToken)
	r.api.PutKey(pagerdutyapi.Key{Token: "another, longer key"})
	write("another, longer key")
	if err := r.Check(t.Context()); err != nil {
		t.Errorf("after the key was replaced: %v", err)
	}
}

// inspected are the lines of the command check about the service and a recipient, but
// for those that say that all is well.
func (r *rig) inspected(t *testing.T, recipient string) (lines []string) {
	t.Helper()
	run := &check.Run{Limit: time.Minute, Tell: func(l check.Line) {
		if l.Result != check.OK {
			lines = append(lines, l.String())
		}
	}}
	legs := r.Probes()
	if recipient != "" {
		legs = append(legs, check.Leg{What: recipient, Try: func(ctx context.Context) error { return r.Prove(ctx, recipient) }})
	}
	run.Do(t.Context(), legs...)
	return lines
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		opts   pagerdutyapi.Options
		fault  fault.Fault

		recipient string
		want      []string
	}{
		"all in order": {config: "priority = \"P1\"\n[pagerduty.auto_approve]\nschedules = [\"primary\", \"PRTEAM0\"]"},
		"no such user": {opts: pagerdutyapi.Options{Users: []pagerdutyapi.User{{ID: "X", Email: "x@example.com"}}}, want: []string{`FAIL  PagerDuty user teleport@example.com: there is none with this address`}},
		"users unread": {fault: fault.Fault{Method: "GET /users", Effect: fault.Refuse, Code: "2010"}, want: []string{"note  PagerDuty user teleport@example.com: PagerDuty's users cannot be read"}},
		"no priority":  {config: `priority = "P0"`, want: []string{`note  PagerDuty priority "P0": there is none`}},
		"no schedule":  {config: "[pagerduty.auto_approve]\nschedules = [\"Nights\"]", want: []string{`note  PagerDuty schedule "Nights": there is none`}},
		"no service":   {recipient: "Nowhere", want: []string{`FAIL  Nowhere: GET /services: PagerDuty has no service "Nowhere"`}},
		"a service":    {recipient: "Databases"},
		"read-only user": {opts: pagerdutyapi.Options{
			Users: []pagerdutyapi.User{{ID: "X", Email: "teleport@example.com", Role: "read_only_user"}},
			Keys:  []pagerdutyapi.Key{{Token: pagerdutyapi.DefaultKey, User: "X"}},
		}, want: []string{`FAIL  role of the API key's user: it is "read_only_user"`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigWith(t, tc.config, tc.opts, nil)
			if tc.fault.Effect != "" {
				r.fault(tc.fault)
			}
			got := r.inspected(t, tc.recipient)
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
