package visit_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/calls"
	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/lane"
	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/repeat"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/visit"
)

// teller is a service that finds by telling again.
type teller struct{ err error }

func (s *teller) Tells(integration.Kind) bool                         { return true }
func (s *teller) Resolve(_ context.Context, n string) (string, error) { return n, nil }
func (s *teller) Check(context.Context) error                         { return nil }
func (s *teller) CanFind(string) bool                                 { return true }
func (s *teller) Repeats()                                            {}
func (s *teller) Tell(context.Context, integration.Place, integration.Effect, request.View) (plugindata.Message, error) {
	return plugindata.Message{Channel: "portal", ID: "1"}, s.err
}

func (s *teller) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	return repeat.Find(ctx, s, to, e, v)
}

// A place that refused what was told again, and takes it now, is open: it is no reason any
// more to tell the fallback of the next request.
func TestAPlaceIsOpenThatTookWhatWasInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &teller{}
		lanes := lane.New(lane.Options{Wake: func(string) {}, Width: 4, Pace: pace.Pace{Min: time.Second, Max: time.Second}})
		log := zap.NewNop()
		r := &visit.Visitor{Options: visit.Options{
			Service: s, Lanes: lanes, Digest: diag.NewDigest(log), Log: log, Crashes: diag.Crashes{Log: log, Count: func() {}},
			Calls: calls.New(calls.Options{
				Lanes: lanes, Most: 4, Time: time.Second, Accepted: func(bool, string) {}, Stepped: func(integration.Step, error, time.Duration) {}, Digest: diag.NewDigest(log),
			}),
		}}
		v := &visit.Visit{
			Request: "r", Claim: ledger.Claim{Owner: "me", Generation: 1}, Fenced: func() bool { return false }, Doubts: &visit.Doubts{},
			Delivery: plugindata.Delivery{Recipient: "portal", Address: "portal"}, Lane: lane.Address("portal"),
			Wants: plan.Wants{View: request.View{ID: "r", Status: request.Pending}, Can: plan.AbilitiesOf(s), Announced: true},
		}
		call := func(err error) {
			s.err = err
			r.Visit(t.Context(), v)
		}
		call(&outbound.Error{Kind: outbound.Unclear, Err: errors.New("cut off")})
		call(&outbound.Error{Kind: outbound.Refused, Scope: outbound.ThePlace, Err: errors.New("410")})
		if outbound.ScopeOf(v.Err) != outbound.ThePlace || len(v.Doubt) != 1 {
			t.Fatalf("after the refusal: %v, %v", v.Err, v.Doubt)
		}
		lanes.Refuse(v.Lane)  // as the reconciler does with such an error
		time.Sleep(time.Hour) // the probe is due
		call(nil)
		if v.Err != nil || !v.Posted() || len(v.Doubt) != 0 {
			t.Fatalf("after it was taken: %v, %v", v.Err, v.Delivery)
		}
		if !lanes.Open(v.Lane) {
			t.Error("the place has taken a call, and still counts as one that refuses all")
		}
	})
}
