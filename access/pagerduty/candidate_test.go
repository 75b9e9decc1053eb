package pagerduty

import (
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// again is another person's request, made under the id of the pending one after
// that was deleted, a second later.
func again() request.View {
	v := pending()
	v.User, v.Roles, v.Reason, v.Created = "carol@example.com", []string{"prod-admin"}, "", v.Created.Add(time.Second)
	return v
}

// TestAnEarlierRequestsIncidentIsNotTakenForTheNewOne: it says who asked for what
// before, and would be approved for that. It is resolved first, and the request's
// own is opened by the next attempt.
func TestAnEarlierRequestsIncidentIsNotTakenForTheNewOne(t *testing.T) {
	for name, status := range map[string]request.Status{"pending": request.Pending, "ended": request.Denied} {
		t.Run(name, func(t *testing.T) {
			r, v := newRig(t, ""), again()
			v.Status = status
			old := r.posted(t)
			r = r.another(t)
			m, err := r.tell(t.Context(), "PSAPPRV", v)
			wantKind(t, err, outbound.Retry)
			if in := r.incident(t, old); m.ID != "" || in.Open() || len(in.Notes) > 0 || len(r.api.Incidents("")) != 1 {
				t.Fatalf("posted %v, the old one is %+v", m, in)
			}
			if m, err = r.tell(t.Context(), "PSAPPRV", v); err != nil || m == old {
				t.Fatalf("posted %v, %v", m, err)
			}
			in := r.incident(t, m)
			if in.Open() == v.Status.Ended() || !strings.Contains(in.Details, v.User) || len(r.api.Incidents("")) != 2 {
				t.Errorf("%+v", in)
			}
			if got := r.found(t, m, announcement, v); !slices.Equal(got, []string{m.ID}) {
				t.Errorf("found %q for the new request", got)
			}
			if got := r.found(t, m, announcement, pending()); !slices.Equal(got, []string{old.ID}) {
				t.Errorf("found %q for the old request", got)
			}
		})
	}
}

// TestAnEarlierRequestsIncidentIsClearedUntilItIs: nothing has been announced
// meanwhile, so there is nothing to be in doubt about.
func TestAnEarlierRequestsIncidentIsClearedUntilItIs(t *testing.T) {
	for name, tc := range map[string]struct {
		fault fault.Fault
		want  outbound.Kind
	}{
		"failing":    {fault.Fault{Effect: fault.Status}, outbound.Retry},
		"unanswered": {fault.Fault{Effect: fault.DoneNotAnswered}, outbound.Retry},
		"limited":    {fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 1}, outbound.Wait},
		"refused":    {fault.Fault{Effect: fault.Refuse, Code: "2010"}, outbound.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			old := r.posted(t)
			tc.fault.Method, tc.fault.Times = opResolve, 1
			r.fault(tc.fault)
			_, err := r.tell(t.Context(), "PSAPPRV", again())
			wantKind(t, err, tc.want)
			r.later(t)
			if r.incident(t, old).Open() {
				_, err = r.tell(t.Context(), "PSAPPRV", again())
				wantKind(t, err, outbound.Retry)
			}
			if m, err := r.tell(t.Context(), "PSAPPRV", again()); err != nil || m == old || r.incident(t, old).Open() {
				t.Errorf("posted %v, %v", m, err)
			}
		})
	}
}

// TestALaterRequestsIncidentIsLeftAlone: an instance that is behind may still
// want to announce the request that was deleted.
func TestALaterRequestsIncidentIsLeftAlone(t *testing.T) {
	r := newRig(t, "")
	m, err := r.tell(t.Context(), "PSAPPRV", again())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []request.View{pending(), ended(request.Expired)} {
		_, err = r.tell(t.Context(), "PSAPPRV", v)
		wantKind(t, err, outbound.Retry)
		if got := r.found(t, m, announcement, v); len(got) > 0 {
			t.Errorf("found %q", got)
		}
	}
	if in := r.incident(t, m); !in.Open() || len(in.Notes) > 0 {
		t.Errorf("the incident was touched: %+v", in)
	}
}

// TestAnEarlierRequestsIncidentWithoutAKeyIsNotFound: people had added an alert.
func TestAnEarlierRequestsIncidentWithoutAKeyIsNotFound(t *testing.T) {
	r, old := newRig(t, ""), pending()
	old.Created = time.Now()
	later := again()
	later.Created = old.Created.Add(time.Second)
	m, err := r.tell(t.Context(), "PSAPPRV", old)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.api.AddAlertByHand(m.ID, "disk full"); err != nil {
		t.Fatal(err)
	}
	if got := r.found(t, m, announcement, later); len(got) > 0 {
		t.Errorf("found %q", got)
	}
}

// TestAnIncidentThatDoesNotSayIsJudgedByItsTime: Teleport's own plugin writes no
// line with the creation of the request. Its incidents stay the request's, unless
// they were there long before it.
func TestAnIncidentThatDoesNotSayIsJudgedByItsTime(t *testing.T) {
	for name, tc := range map[string]struct {
		after time.Duration // from the request to the incident
		ours  bool
	}{
		"a minute after": {time.Minute, true}, "days after": {48 * time.Hour, true},
		"just before, by another clock": {-clockSkew / 2, true}, "long before": {-2 * clockSkew, false},
	} {
		t.Run(name, func(t *testing.T) {
			opened := pending().Created.Add(tc.after)
			r := newRigWith(t, "", pagerdutyapi.Options{Options: apiserver.Options{Now: func() time.Time { return opened }}}, nil)
			in, err := r.api.OpenWithKey("PSAPPRV", "Access request", key(pending().ID))
			if err != nil {
				t.Fatal(err)
			}
			got := r.found(t, plugindata.Message{Channel: "PSAPPRV"}, announcement, pending())
			if slices.Equal(got, []string{in.ID}) != tc.ours {
				t.Errorf("found %q", got)
			}
			m, err := r.tell(t.Context(), "PSAPPRV", pending())
			if (m.ID == in.ID) != tc.ours || (err == nil) != tc.ours {
				t.Errorf("posted %v, %v", m, err)
			}
		})
	}
}

// TestAnIncidentThatVanishesWhileItIsExaminedIsNoAnswer: that of the request may
// be there all the same.
func TestAnIncidentThatVanishesWhileItIsExaminedIsNoAnswer(t *testing.T) {
	r := newRig(t, "")
	r.posted(t)
	r.fault(fault.Fault{Method: opIncident, Effect: fault.Refuse, Code: "2100", Times: 1})
	_, err := r.tell(t.Context(), "PSAPPRV", pending())
	wantKind(t, err, outbound.Retry)
}
