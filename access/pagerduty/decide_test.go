package pagerduty

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

// alice is on call for payments at the first level.
func fromAlice() request.View {
	v := pending()
	v.User = "alice@example.com"
	return v
}

// approves reports whether a verdict is an approval.
func approves(d integration.Verdict) bool { return d.Propose == request.Approved }

func TestWhoIsOnCallIsApprovedWithTheDocumentedReason(t *testing.T) {
	r := newRig(t, "")
	m := r.posted(t)
	d, err := r.oncall.Decide(t.Context(), fromAlice(), integration.Told{Posts: []plugindata.Message{m}})
	if err != nil || !approves(d) {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, part := range []string{"Alice Example", "alice@example.com", "Payments"} {
		if !strings.Contains(d.Reason, part) {
			t.Errorf("the reason %q does not name %q", d.Reason, part)
		}
	}
	if notes := contents(r.incident(t, m)); len(notes) > 0 {
		t.Errorf("noted before the cluster took the review: %q", notes)
	}
}

func TestARefusalHasItsEvidence(t *testing.T) {
	r := newRig(t, "[pagerduty.auto_approve]\nmax_escalation_level = 2")
	v := pending()
	v.User = "bob@example.com"
	d, err := r.oncall.Decide(t.Context(), v, integration.Told{})
	if err != nil || d.Propose != "" || !strings.Contains(d.Evidence, "only levels up to 2 may be approved") {
		t.Fatalf("%+v, %v", d, err)
	}
}

// TestRequestsBeyondTheLimitsAreLeftToPeople: a request is measured against the limits
// as it is, from its own times.
func TestRequestsBeyondTheLimitsAreLeftToPeople(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		change func(*request.View)
		want   string
	}{
		"no limits": {"", func(v *request.View) {
			v.AccessUntil = v.Created.AddDate(1, 0, 0)
			v.Start = time.Now().AddDate(0, 1, 0)
		}, ""},
		"short": {`max_duration = "8h"`, func(*request.View) {}, ""},
		"long":  {`max_duration = "8h"`, func(v *request.View) { v.AccessUntil = v.Created.Add(168 * time.Hour) }, "access for 7 days is asked for, and at most 8 hours"},
		"short, later": {`max_duration = "8h"`, func(v *request.View) {
			v.Start = v.Created.Add(48 * time.Hour)
			v.AccessUntil = v.Start.Add(8 * time.Hour)
		}, ""},
		"unknown":       {`max_duration = "8h"`, func(v *request.View) { v.AccessUntil = time.Time{} }, "it is not known how long"},
		"at once":       {`max_start_delay = "1h"`, func(*request.View) {}, ""},
		"next week":     {`max_start_delay = "1h"`, func(v *request.View) { v.Start = time.Now().AddDate(0, 0, 7) }, "begins later than 1 hour from now"},
		"several roles": {"single_role = true", func(*request.View) {}, "the request is for 2 roles"},
		"one role":      {"single_role = true", func(v *request.View) { v.Roles = v.Roles[:1] }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "[pagerduty.auto_approve]\n"+tc.config)
			v := fromAlice()
			tc.change(&v)
			if !r.oncall.Concerns(v) {
				t.Error("not looked at")
			}
			d, err := r.oncall.Decide(t.Context(), v, integration.Told{})
			if err != nil || approves(d) != (tc.want == "") || !strings.Contains(d.Evidence, tc.want) {
				t.Errorf("%+v, %v; want %q", d, err, tc.want)
			}
		})
	}
}

func TestRequestsThatNoRuleConcernsCostNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		change func(*request.View)
	}{
		"no annotation":    {"", func(v *request.View) { v.Annotations = nil }},
		"empty annotation": {"", func(v *request.View) { v.Annotations["pagerduty_services"] = []string{" "} }},
		"other annotation": {`services = "oncall"`, func(*request.View) {}},
		"switched off":     {"[pagerduty.auto_approve]\nenabled = false", func(*request.View) {}},
		"off the old way":  {"auto_approve = false", func(*request.View) {}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tc.config)
			v := fromAlice()
			tc.change(&v)
			if r.oncall.Concerns(v) {
				t.Error("claimed before anybody can be told")
			}
			d, err := r.oncall.Decide(t.Context(), v, integration.Told{})
			if err != nil || approves(d) || d.Evidence != "" || len(r.api.Requests()) != 0 {
				t.Errorf("%+v, %v, %d calls", d, err, len(r.api.Requests()))
			}
		})
	}
}

func TestApprovalNeedsNoServiceToNotify(t *testing.T) {
	r := newRig(t, "")
	v := fromAlice()
	v.Annotations = map[string][]string{"pagerduty_services": {"payments", "PAYMENTS", "nowhere"}}
	if d, err := r.oncall.Decide(t.Context(), v, integration.Told{}); err != nil || !approves(d) {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestOnlyThePresentRotaCounts(t *testing.T) {
	r := newRig(t, "")
	decide := func() bool {
		t.Helper()
		d, err := r.oncall.Decide(t.Context(), fromAlice(), integration.Told{})
		if err != nil {
			t.Fatal(err)
		}
		return approves(d)
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
	if d, err := r.oncall.Decide(t.Context(), fromAlice(), integration.Told{}); err != nil || !approves(d) {
		t.Errorf("%+v, %v", d, err)
	}
	if n := r.api.Calls("GET /oncalls"); n != 2 {
		t.Errorf("%d pages", n)
	}
}

func TestAnOpenIncidentIsOneThatTheRequestDidNotMake(t *testing.T) {
	r := newRig(t, "[pagerduty.auto_approve]\nrequire_open_incident = true")
	var posts []plugindata.Message
	decide := func() bool {
		t.Helper()
		d, err := r.oncall.Decide(t.Context(), fromAlice(), integration.Told{Posts: posts})
		if err != nil {
			t.Fatal(err)
		}
		return approves(d)
	}
	// The request's own incident is assigned to Alice, who is on call.
	m, err := r.tell(t.Context(), "PSPAYMT", fromAlice())
	if err != nil {
		t.Fatal(err)
	}
	if in := r.api.Incidents("PSPAYMT"); len(in) != 1 || !slices.Equal(in[0].Assigned, []string{"PUALICE"}) {
		t.Fatalf("%+v", in)
	}
	if decide() {
		t.Error("a request approved itself by its own incident")
	}
	// PagerDuty shows no key of an incident with alerts.
	if err := r.api.AddAlertByHand(m.ID, "alert"); err != nil {
		t.Fatal(err)
	}
	if decide() {
		t.Error("a request approved itself by its own incident without a key")
	}
	if err := r.api.RenameByHand(m.ID, "payments are down"); err != nil {
		t.Fatal(err)
	}
	if posts = []plugindata.Message{m}; decide() {
		t.Error("a request approved itself by its own incident under another name")
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

func TestNobodyIsApprovedOnAFailedLookup(t *testing.T) {
	for _, op := range []string{"GET /users", "GET /services", "GET /oncalls", "GET /incidents"} {
		for name, tc := range map[string]struct {
			fault fault.Fault
			want  outbound.Kind
		}{
			"401":     {fault.Fault{Effect: fault.Refuse, Code: "2006"}, outbound.Refused},
			"403":     {fault.Fault{Effect: fault.Refuse, Code: "2010"}, outbound.Refused},
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
				d, err := r.oncall.Decide(ctx, fromAlice(), integration.Told{})
				wantKind(t, err, tc.want)
				if approves(d) {
					t.Error("approved")
				}
			})
		}
	}
}

// TestARequestThatNamesTooManyServicesCostsNoCalls: annotations can be templates
// over what others fill in.
func TestARequestThatNamesTooManyServicesCostsNoCalls(t *testing.T) {
	r, v := newRig(t, ""), fromAlice()
	for i := range 1500 {
		v.Annotations["pagerduty_services"] = append(v.Annotations["pagerduty_services"], "Service "+strconv.Itoa(i))
	}
	d, err := r.oncall.Decide(t.Context(), v, integration.Told{})
	if err != nil || approves(d) || !strings.Contains(d.Evidence, "1501 services") || d.Again != 0 {
		t.Errorf("%+v, %v", d, err)
	}
	if n := len(r.api.Requests()); n > 0 {
		t.Errorf("%d calls", n)
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
