package approval_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/access/pagerduty/approval"
)

// busy is a directory that takes a second for each service, and counts.
type busy struct {
	*world
	now, most, all atomic.Int32
	fails          bool
}

func (b *busy) Service(ctx context.Context, name string) (approval.Service, bool, error) {
	b.all.Add(1)
	if n := b.now.Add(1); n > b.most.Load() {
		b.most.Store(n)
	}
	defer b.now.Add(-1)
	time.Sleep(time.Second)
	if b.fails {
		return approval.Service{}, false, errUnreachable
	}
	return b.world.Service(ctx, name)
}

// services are n names, the last of which is that of a service.
func services(n int) (list []string) {
	for i := range n - 1 {
		list = append(list, fmt.Sprint("Nowhere ", i))
	}
	return append(list, "Payments")
}

// TestLookUpsAreBounded: PagerDuty's limits are those of the account, which
// incidents of others need as well.
func TestLookUpsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &busy{world: ordinary()}
		got, err := rules(nil).Decide(t.Context(), b, request(nil, services(approval.MaxServices)))
		if err != nil || !got.Approve || b.all.Load() != approval.MaxServices || b.most.Load() > 4 {
			t.Errorf("%+v, %v; %d look-ups, %d at once", got, err, b.all.Load(), b.most.Load())
		}
	})
}

func TestTheFirstFailureEndsTheLookUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &busy{world: ordinary(), fails: true}
		got, err := rules(nil).Decide(t.Context(), b, request(nil, services(approval.MaxServices)))
		if !errors.Is(err, errUnreachable) || got.Approve || b.all.Load() > 8 {
			t.Errorf("%+v, %v; %d look-ups", got, err, b.all.Load())
		}
	})
}

// TestTooManyServicesAreLeftToPeople: also where the requester is on call for one.
func TestTooManyServicesAreLeftToPeople(t *testing.T) {
	b := &busy{world: ordinary()}
	list := services(approval.MaxServices + 1)
	got, err := rules(nil).Decide(t.Context(), b, request(nil, list))
	want := "the request names 51 services, and at most 50 are looked at"
	if err != nil || got.Approve || got.Evidence != want || b.all.Load() > 0 {
		t.Errorf("%+v, %v; %d look-ups", got, err, b.all.Load())
	}
}
