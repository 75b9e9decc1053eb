package pagerduty

import (
	"maps"
	"slices"
	"testing"

	"go.uber.org/zap/zapcore"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

// TestADecisionIsNotedAsItTurnedOut: the view is the request as it is after the
// review.
func TestADecisionIsNotedAsItTurnedOut(t *testing.T) {
	reviewed := func(s request.Status, needed int) request.View {
		v := fromAlice()
		v.Status, v.ApprovalsNeeded = s, needed
		v.Reviews = []request.Review{{Author: "access-plugin", State: request.Approved}}
		return v
	}
	const onCallNow = `Alice Example <alice@example.com> is on call: "Payments" at level 1 through the schedule "Primary"`
	for name, tc := range map[string]struct {
		view    request.View
		propose request.Status
		want    string
	}{
		"approved":        {reviewed(request.Approved, 1), request.Approved, "Approved automatically: "},
		"one of two":      {reviewed(request.Pending, 2), request.Approved, "1 of 2 approvals, one of them automatic: "},
		"of unknown many": {reviewed(request.Pending, 0), request.Approved, "1 approval, one of them automatic: "},
		"not seen yet":    {fromAlice(), request.Approved, "An approval was submitted automatically: "},
		"denied":          {reviewed(request.Denied, 1), request.Approved, "An approval was submitted automatically, but the request was denied: "},
		"left to people":  {fromAlice(), "", "Not approved automatically, please decide: "},
		"left and ended":  {reviewed(request.Denied, 1), "", "Not approved automatically: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			m := r.posted(t)
			v := integration.Verdict{Propose: tc.propose, Evidence: onCallNow}
			r.oncall.Report(t.Context(), tc.view, []plugindata.Message{m}, v)
			again := tc.view
			again.Status = request.Approved
			r.oncall.Report(t.Context(), again, []plugindata.Message{m}, v)
			if got := contents(r.incident(t, m)); !slices.Equal(got, []string{tc.want + onCallNow}) {
				t.Errorf("noted %q, want %q once", got, tc.want)
			}
		})
	}
}

func TestApprovalsAreLoggedAsDocumented(t *testing.T) {
	r := newRig(t, "")
	d, err := r.oncall.Decide(t.Context(), fromAlice(), integration.Told{})
	if err != nil {
		t.Fatal(err)
	}
	r.oncall.Report(t.Context(), fromAlice(), nil, integration.Verdict{Evidence: "off call"})
	const sentence = "Successfully submitted a request approval"
	if r.logs.FilterMessage(sentence).Len() != 0 {
		t.Error("an abstention was logged as an approval")
	}
	r.oncall.Report(t.Context(), fromAlice(), nil, d)
	want := map[string]any{
		"pd_user_email": "alice@example.com", "pd_user_name": "Alice Example", "request_id": fromAlice().ID,
		"request_op": "put", "request_state": "PENDING", "evidence": d.Evidence,
	}
	logged := r.logs.FilterMessage(sentence).FilterLevelExact(zapcore.InfoLevel).All()
	if len(logged) != 1 || !maps.Equal(logged[0].ContextMap(), want) {
		t.Errorf("logged %v, want %v", logged, want)
	}
}

func TestADecisionThatCannotBeNotedIsLogged(t *testing.T) {
	for name, f := range map[string]fault.Fault{
		"refused": {Effect: fault.Refuse, Code: "2010"}, "failing": {Effect: fault.Status}, "cut": {Effect: fault.Cut},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			m := r.posted(t)
			f.Method = opNote
			r.fault(f)
			r.oncall.Report(t.Context(), fromAlice(), []plugindata.Message{m}, integration.Verdict{Evidence: "off call"})
			if r.logs.FilterMessageSnippet("cannot be noted").Len() != 1 {
				t.Error("the missing note was not told")
			}
		})
	}
}
