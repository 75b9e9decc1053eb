package pagerduty

import (
	"errors"
	"net/http"
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

// alice is on call for payments at the first level.
func fromAlice() message.View {
	v := pending()
	v.User = "alice@example.com"
	return v
}

func TestWhoIsOnCallIsApprovedWithTheDocumentedReason(t *testing.T) {
	r := newRig(t, "")
	m := r.posted(t)
	d, err := r.Decide(t.Context(), fromAlice(), []plugindata.Message{m})
	if err != nil || !d.Approve {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, part := range []string{"Alice Example", "alice@example.com", "Payments"} {
		if !strings.Contains(d.Reason, part) {
			t.Errorf("the reason %q does not name %q", d.Reason, part)
		}
	}
	want := []string{`Approved automatically: Alice Example <alice@example.com> is on call: "Payments" at level 1 through the schedule "Primary"`}
	if got := contents(r.incident(t, m)); !slices.Equal(got, want) {
		t.Errorf("noted %q, want %q", got, want)
	}
	if _, err := r.Decide(t.Context(), fromAlice(), []plugindata.Message{m}); err != nil || len(r.incident(t, m).Notes) != 1 {
		t.Errorf("a second look: %v, notes %q", err, contents(r.incident(t, m)))
	}
}

func TestARefusalIsNotedWithItsEvidence(t *testing.T) {
	r := newRig(t, "[pagerduty.auto_approve]\nmax_escalation_level = 2")
	m, v := r.posted(t), pending()
	v.User = "bob@example.com"
	d, err := r.Decide(t.Context(), v, []plugindata.Message{m})
	if err != nil || d.Approve || !strings.Contains(d.Evidence, "only levels up to 2 may be approved") {
		t.Fatalf("%+v, %v", d, err)
	}
	if got := contents(r.incident(t, m)); len(got) != 1 || !strings.HasPrefix(got[0], "Not approved automatically, please decide: Bob Example") {
		t.Errorf("noted %q", got)
	}
}

func TestRequestsThatNoRuleConcernsCostNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		change func(*message.View)
	}{
		"no annotation":    {"", func(v *message.View) { v.Annotations = nil }},
		"empty annotation": {"", func(v *message.View) { v.Annotations["pagerduty_services"] = []string{" "} }},
		"other annotation": {`services = "oncall"`, func(*message.View) {}},
		"switched off":     {"[pagerduty.auto_approve]\nenabled = false", func(*message.View) {}},
		"off the old way":  {"auto_approve = false", func(*message.View) {}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tc.config)
			v := fromAlice()
			tc.change(&v)
			d, err := r.Decide(t.Context(), v, nil)
			if err != nil || d.Approve || d.Evidence != "" || len(r.api.Requests()) != 0 {
				t.Errorf("%+v, %v, %d calls", d, err, len(r.api.Requests()))
			}
		})
	}
}

func TestApprovalNeedsNoServiceToNotify(t *testing.T) {
	r := newRig(t, "")
	v := fromAlice()
	v.Annotations = map[string][]string{"pagerduty_services": {"payments", "PAYMENTS", "nowhere"}}
	if d, err := r.Decide(t.Context(), v, nil); err != nil || !d.Approve {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestIdentity(t *testing.T) {
	all := "user_email_trait = \"mail\"\nuser_email_suffix = \"@suffix.example.com\"\n[pagerduty.users]\ncarla = \"table@example.com\"\n\"dan@example.com\" = \"dan@pagerduty.example.com\"\n"
	for name, tc := range map[string]struct {
		config, user string
		traits       map[string][]string
		email, why   string
	}{
		"an address":                     {"", "dan@example.com", nil, "dan@example.com", ""},
		"no address":                     {"", "dan", nil, "", "is not an e-mail address"},
		"an address with a name":         {"", "Dan <dan@example.com>", nil, "", "is not an e-mail address"},
		"table before all":               {all, "carla", map[string][]string{"mail": {"trait@example.com"}}, "table@example.com", ""},
		"table before the name":          {all, "dan@example.com", nil, "dan@pagerduty.example.com", ""},
		"name before trait and suffix":   {all, "eve@example.com", map[string][]string{"mail": {"trait@example.com"}}, "eve@example.com", ""},
		"trait before suffix":            {all, "eve", map[string][]string{"mail": {"trait@example.com"}}, "trait@example.com", ""},
		"the same trait twice":           {all, "eve", map[string][]string{"mail": {"t@example.com", "t@example.com"}}, "t@example.com", ""},
		"suffix where there is no trait": {all, "eve", map[string][]string{"other": {"x@example.com"}}, "eve@suffix.example.com", ""},
		"two traits":                     {all, "eve", map[string][]string{"mail": {"a@example.com", "b@example.com"}}, "", `the trait "mail" of the Teleport user "eve" has 2 values`},
		"a name that breaks the suffix":  {"user_email_suffix = \"@example.com\"", "a b", nil, "", "is not an e-mail address"},
		"a name with another address":    {"user_email_suffix = \"@example.com\"", "mallory@evil.example.com,x", nil, "", "is not an e-mail address"},
		"a table is exact":               {all, "Carla", nil, "Carla@suffix.example.com", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tc.config)
			r.traits = tc.traits
			email, why, err := r.email(t.Context(), tc.user)
			if err != nil || email != tc.email || (why == "") != (tc.why == "") || !strings.Contains(why, tc.why) {
				t.Errorf("got %q, %q, %v; want %q, %q", email, why, err, tc.email, tc.why)
			}
		})
	}
	t.Run("traits that cannot be read", func(t *testing.T) {
		r := newRig(t, all)
		r.denied = errors.New("denied")
		if _, err := r.Decide(t.Context(), func() message.View { v := fromAlice(); v.User = "eve"; return v }(), nil); !errors.Is(err, r.denied) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a user without an address is left to people", func(t *testing.T) {
		r := newRig(t, "")
		v := fromAlice()
		v.User = "alice"
		if d, err := r.Decide(t.Context(), v, nil); err != nil || d.Approve || d.Evidence == "" || r.api.Calls("GET /users") != 0 {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestTheAddressMustBeTheSame(t *testing.T) {
	r := newRig(t, "")
	r.api.AddUser(pagerdutyapi.User{ID: "PUX", Name: "Malice", Email: "malalice@example.com"})
	r.api.AddUser(pagerdutyapi.User{ID: "PUY", Name: "alice@example.com", Email: "y@example.com"})
	for user, want := range map[string]string{"ALICE@Example.com": "PUALICE", "lice@example.com": "", "alice@example.co": ""} {
		list, err := r.People(t.Context(), user)
		if err != nil || want == "" && len(list) > 0 || want != "" && (len(list) != 1 || list[0].ID != want) {
			t.Errorf("%s: %+v, %v", user, list, err)
		}
	}
	r.api.AddUser(pagerdutyapi.User{ID: "PUZ", Name: "Alice Again", Email: "Alice@example.com"})
	if d, err := r.Decide(t.Context(), fromAlice(), nil); err != nil || d.Approve || !strings.Contains(d.Evidence, "2 users at PagerDuty") {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestOnlyThePresentRotaCounts(t *testing.T) {
	r := newRig(t, "")
	decide := func() bool {
		t.Helper()
		d, err := r.Decide(t.Context(), fromAlice(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return d.Approve
	}
	if !decide() {
		t.Error("on call and not approved")
	}
	r.api.TakeOffCall("PUALICE")
	if decide() {
		t.Error("approved after going off call")
	}
	r.api.PutOnCall(pagerdutyapi.OnCall{User: "PUALICE", Policy: "PEPAYMT", Level: 1, Start: time.Now().Add(time.Hour)})
	if decide() {
		t.Error("approved for a shift to come")
	}
	r.api.PutOnCall(pagerdutyapi.OnCall{User: "PUALICE", Policy: "PEDATAB", Level: 1})
	if decide() {
		t.Error("approved for another service")
	}
	// The service comes under another policy: what was looked up before is not used.
	r.api.AddService(pagerdutyapi.Service{ID: "PSPAYMT", Name: "Payments", Policy: "PEDATAB"})
	if !decide() {
		t.Error("not approved for the service's new policy")
	}
}

func TestAllPagesOfTheRotaAreRead(t *testing.T) {
	r := newRig(t, "[pagerduty.auto_approve]\nschedules = [\"Last\"]")
	for i := range 150 {
		r.api.PutOnCall(pagerdutyapi.OnCall{User: "PUALICE", Policy: "PEPAYMT", Level: i + 2, Schedule: "PRTEAM0"})
	}
	r.api.PutOnCall(pagerdutyapi.OnCall{User: "PUALICE", Policy: "PEPAYMT", Level: 1, Schedule: "Last"})
	if d, err := r.Decide(t.Context(), fromAlice(), nil); err != nil || !d.Approve {
		t.Errorf("%+v, %v", d, err)
	}
	if n := r.api.Calls("GET /oncalls"); n != 2 {
		t.Errorf("%d pages", n)
	}
}

func TestAnOpenIncidentIsOneThatTheRequestDidNotMake(t *testing.T) {
	r := newRig(t, "[pagerduty.auto_approve]\nrequire_open_incident = true")
	decide := func() bool {
		t.Helper()
		d, err := r.Decide(t.Context(), fromAlice(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return d.Approve
	}
	// The request's own incident is assigned to Alice, who is on call.
	if _, err := r.Post(t.Context(), "PSPAYMT", fromAlice()); err != nil {
		t.Fatal(err)
	}
	if in := r.api.Incidents("PSPAYMT"); len(in) != 1 || !slices.Equal(in[0].Assigned, []string{"PUALICE"}) {
		t.Fatalf("%+v", in)
	}
	if decide() {
		t.Error("a request approved itself by its own incident")
	}
	real, err := r.api.OpenByHand("PSPAYMT", "payments are down", "PUBOB01")
	if err != nil {
		t.Fatal(err)
	}
	if !decide() {
		t.Error("assigned to a true incident and not approved")
	}
	if err := r.api.ResolveByHand(real.ID, "PUALICE"); err != nil {
		t.Fatal(err)
	}
	if decide() {
		t.Error("approved by a resolved incident")
	}
	other, err := r.api.OpenByHand("PSDATAB", "databases are slow", "PUBOB01")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.api.AcknowledgeByHand(other.ID, "PUALICE"); err != nil {
		t.Fatal(err)
	}
	if decide() {
		t.Error("approved by an incident of another service")
	}
}

func TestNotesNeverStandInTheWayOfADecision(t *testing.T) {
	for name, f := range map[string]fault.Fault{
		"refused": {Effect: fault.Refuse, Code: "2010"}, "failing": {Effect: fault.Status}, "silent": {Effect: fault.Hang}, "cut": {Effect: fault.Cut},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			m := r.posted(t)
			f.Method = "POST /incidents/{id}/notes"
			r.fault(f)
			ctx := within(t, 6*time.Second)
			d, err := r.Decide(ctx, fromAlice(), []plugindata.Message{m})
			if err != nil || !d.Approve {
				t.Errorf("%+v, %v", d, err)
			}
			if ctx.Err() != nil {
				t.Error("no time is left to submit the review")
			}
			if r.logs.FilterMessageSnippet("cannot be noted").Len() != 1 {
				t.Error("the missing note was not told")
			}
		})
	}
}

func TestNobodyIsApprovedOnAFailedLookup(t *testing.T) {
	for _, op := range []string{"GET /users", "GET /services", "GET /oncalls", "GET /incidents"} {
		for name, tc := range map[string]struct {
			fault fault.Fault
			want  outbound.Kind
		}{
			"401":     {fault.Fault{Effect: fault.Refuse, Code: "2006"}, outbound.Credentials},
			"403":     {fault.Fault{Effect: fault.Refuse, Code: "2010"}, outbound.Permanent},
			"429":     {fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 1000}, outbound.Wait},
			"500":     {fault.Fault{Effect: fault.Status}, outbound.Retry},
			"garbage": {fault.Fault{Effect: fault.Garbage}, outbound.Retry},
			"hang":    {fault.Fault{Effect: fault.Hang}, outbound.Retry},
		} {
			t.Run(op+" "+name, func(t *testing.T) {
				r := newRig(t, "[pagerduty.auto_approve]\nrequire_open_incident = true")
				tc.fault.Method, tc.fault.Times = op, 1
				r.fault(tc.fault)
				ctx := t.Context()
				if tc.fault.Effect == fault.Hang {
					ctx = r.untilHit(t)
				}
				d, err := r.Decide(ctx, fromAlice(), nil)
				wantKind(t, err, tc.want)
				if d.Approve {
					t.Error("approved")
				}
			})
		}
	}
}

func TestARotaWithoutReadableTimesDoesNotCount(t *testing.T) {
	body := `{"oncalls":[{"user":{"id":"P"},"escalation_policy":{"id":"E"},"escalation_level":1,"start":"soon","end":null},
		{"user":{"id":"X"},"escalation_policy":{"id":"E"},"escalation_level":1},
		{"user":{"id":"P"},"escalation_policy":{"id":"F"},"escalation_level":1}]}`
	r := newRigWith(t, "", pagerdutyapi.Options{}, answering{http.StatusOK, body})
	if list, err := r.Shifts(t.Context(), "P", []string{"E"}); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}
