package reconcile

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/inbox"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/lane"
	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/repeat"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/visit"
)

type repeatingService struct{ err error }

func (s *repeatingService) Tells(integration.Kind) bool                         { return true }
func (s *repeatingService) Resolve(_ context.Context, n string) (string, error) { return n, nil }
func (s *repeatingService) Check(context.Context) error                         { return nil }
func (s *repeatingService) CanFind(string) bool                                 { return true }
func (s *repeatingService) Repeats()                                            {}
func (s *repeatingService) Tell(context.Context, integration.Place, integration.Effect, request.View) (plugindata.Message, error) {
	return plugindata.Message{Channel: "portal", ID: "1"}, s.err
}

func (s *repeatingService) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	return repeat.Find(ctx, s, to, e, v)
}

type deafObserver struct{}

func (deafObserver) Stepped(integration.Step, error, time.Duration) {}
func (deafObserver) Recorded(bool)                                  {}
func (deafObserver) Retried()                                       {}
func (deafObserver) Panicked()                                      {}
func (deafObserver) Exceeded()                                      {}
func (deafObserver) Set(string, bool, string)                       {}
func (deafObserver) Note(string, string)                            {}

// Where a place was refused in the middle of a doubt and has taken it since, the fallback is
// not notified of the next request.
func TestTheFallbackIsNotToldOfAPlaceThatTookADoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &repeatingService{}
		never := func(error) bool { return false }
		r := New(Options{
			Plugin: "p", Owner: "me", Service: s, Fallback: []string{"boss"}, Faults: Faults{never, never, never}, Health: deafObserver{},
			Observer: deafObserver{}, Log: zap.NewNop(), Place: func() (string, string) { return "c", "" },
			Timing: Timing{RetryMin: time.Millisecond, RetryMax: time.Millisecond},
		})
		of := func(id string, d plugindata.Delivery) *round {
			x := r.round(inbox.Turn[memory]{Item: &inbox.Item[memory]{}, ID: id})
			x.wants = r.want(request.View{ID: id, Status: request.Pending, Created: time.Now()}, false)
			x.rec.Progress.Deliveries = []plugindata.Delivery{d}
			return x
		}
		first := of("first", plugindata.Delivery{Recipient: "portal", Address: "portal"})
		first.Memory.unrecorded = make(map[string]plugindata.Delivery)
		v := &visit.Visit{
			Request: "first", Wants: first.wants, Claim: ledger.Claim{Owner: "me", Generation: 1}, Fenced: func() bool { return false },
			Doubts: &visit.Doubts{}, Delivery: first.rec.Progress.Deliveries[0].Clone(), Lane: lane.Address("portal"),
		}
		for _, err := range []error{
			&outbound.Error{Kind: outbound.Unclear, Err: errors.New("cut off")},
			&outbound.Error{Kind: outbound.Refused, Scope: outbound.ThePlace, Err: errors.New("410")}, nil,
		} {
			s.err = err
			r.visitor.Visit(t.Context(), v)
			first.take(v)
			time.Sleep(time.Hour) // the probe is due
		}
		if !v.Posted() || v.Err != nil {
			t.Fatalf("the first request: %v, %+v", v.Err, v.Delivery)
		}
		if second := of("second", plugindata.Delivery{Recipient: "portal", Address: "portal"}); second.fallBack() {
			t.Errorf("the fallback is notified of the second request: %+v", second.rec.Progress.Deliveries)
		}
	})
}
