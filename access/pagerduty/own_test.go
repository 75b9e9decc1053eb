package pagerduty

import (
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// TestAnIncidentThatLostItsKeyIsFoundByItsText: PagerDuty shows no key of an
// incident to which somebody added an alert.
func TestAnIncidentThatLostItsKeyIsFoundByItsText(t *testing.T) {
	r := newRig(t, "")
	v := pending()
	v.Created = time.Now()
	m, err := r.tell(t.Context(), "PSAPPRV", v)
	if err != nil {
		t.Fatal(err)
	}
	other := v
	other.ID, other.Reason = "22222222-2222-4333-8444-555555555555", "as in\nID: "+v.ID
	elsewhere, err := r.tell(t.Context(), "PSAPPRV", other)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := r.api.OpenByHand("PSAPPRV", "Access request portal is down", "PUBOB01")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{m.ID, elsewhere.ID, foreign.ID} {
		if err := r.api.AddAlertByHand(id, "disk full"); err != nil {
			t.Fatal(err)
		}
	}
	r = r.another(t)
	if got := r.found(t, plugindata.Message{Channel: "PSAPPRV"}, announcement, v); !slices.Equal(got, []string{m.ID}) {
		t.Errorf("found %q, want %s", got, m.ID)
	}
	r = r.another(t)
	v.Status = request.Denied
	if err := r.Show(t.Context(), m, v); err != nil || r.incident(t, m).Open() {
		t.Errorf("not resolved: %v", err)
	}
	wantRefusal(t, r.Show(t.Context(), elsewhere, v), outbound.OneCall)
}

func TestTooManyIncidentsWithoutAKeyAreNoAnswer(t *testing.T) {
	r := newRig(t, "")
	for range maxProofs + 1 {
		in, err := r.api.OpenByHand("PSAPPRV", "Access request portal is down", "PUBOB01")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.api.AddAlertByHand(in.ID, "alert"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.Find(t.Context(), integration.Place{Address: "PSAPPRV"}, announcement, pending())
	wantKind(t, err, outbound.Retry)
}

// TestOnlyOurOwnIncidentsAreTouched: records can be written by others.
func TestOnlyOurOwnIncidentsAreTouched(t *testing.T) {
	setups := map[string]func(t *testing.T, r *rig) string{
		"somebody's": func(t *testing.T, r *rig) string {
			in, err := r.api.OpenByHand("PSPAYMT", "payments are down", "PUBOB01")
			if err != nil {
				t.Fatal(err)
			}
			return in.ID
		},
		"somebody's with an alert": func(t *testing.T, r *rig) string {
			in, err := r.api.OpenByHand("PSPAYMT", "payments are down", "PUBOB01")
			if err != nil {
				t.Fatal(err)
			}
			// Our own alert may have been merged into it.
			if err := r.api.AddAlertByHand(in.ID, key(pending().ID)); err != nil {
				t.Fatal(err)
			}
			return in.ID
		},
		"another request's": func(t *testing.T, r *rig) string {
			v := pending()
			v.ID = "another"
			m, err := r.tell(t.Context(), "PSPAYMT", v)
			if err != nil {
				t.Fatal(err)
			}
			return m.ID
		},
	}
	for name, setup := range setups {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			m := plugindata.Message{Channel: "PSPAYMT", ID: setup(t, r)}
			v := ended(request.Denied)
			for what, call := range map[string]func() error{
				"show":   func() error { return r.Show(t.Context(), m, v) },
				"review": func() error { return r.below(t.Context(), m, firstReview, v) },
				"end":    func() error { return r.below(t.Context(), m, end(v), v) },
			} {
				err := call()
				wantRefusal(t, err, outbound.OneCall)
				if err != nil && !strings.Contains(err.Error(), "is not that of the access request") {
					t.Errorf("%s: %v", what, err)
				}
			}
			r.oncall.Report(t.Context(), v, []plugindata.Message{m}, integration.Verdict{Evidence: "off call"})
			if in := r.incident(t, m); !in.Open() || len(in.Notes) > 0 {
				t.Errorf("the incident was touched: %+v", in)
			}
		})
	}
}

func TestAnIncidentIsProvenOnce(t *testing.T) {
	r := newRig(t, "")
	m, v := r.posted(t), ended(request.Denied)
	both := func(r *rig) {
		t.Helper()
		if err := r.below(t.Context(), m, firstReview, v); err != nil {
			t.Fatal(err)
		}
		if err := r.Show(t.Context(), m, v); err != nil {
			t.Fatal(err)
		}
	}
	both(r)
	if n := r.api.Calls(opIncident); n != 0 {
		t.Errorf("the process that made it asked %d times", n)
	}
	both(r.another(t))
	if n := r.api.Calls(opIncident); n != 1 {
		t.Errorf("another process asked %d times", n)
	}
}

func TestHostilePathsStayInTheirPlace(t *testing.T) {
	r := newRig(t, "")
	v := ended(request.Denied)
	for _, id := range []string{"../incidents", "..", "", "a/b", "a?b=c", "a#b", "%2e%2e", " ", strings.Repeat("Q", 65)} {
		m := plugindata.Message{Channel: "PSAPPRV", ID: id}
		wantKind(t, r.below(t.Context(), m, firstReview, v), outbound.Gone)
		wantKind(t, r.Show(t.Context(), m, v), outbound.Gone)
		if got := r.found(t, m, firstReview, v); len(got) > 0 {
			t.Errorf("found %q", got)
		}
	}
	if n := len(r.api.Requests()); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}
