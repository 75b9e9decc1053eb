package pagerduty

import (
	"context"
	"sync"
	"time"

	"github.com/PagerDuty/go-pagerduty"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"
)

// How long the id of the priority is not looked up again, and how long it is not
// tried again where there is none or PagerDuty did not say.
const (
	priorityFound  = 10 * time.Minute
	priorityMissed = time.Minute
)

// priority is the configured priority of incidents. It is looked up once for all
// who wait for it; its zero value has not been looked up.
type priority struct {
	flight singleflight.Group

	mu    sync.Mutex
	id    string
	until time.Time
}

func (p *priority) known() (id string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id, time.Now().Before(p.until)
}

func (p *priority) learn(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lasts := priorityMissed
	if id != "" {
		lasts = priorityFound
	}
	p.id, p.until = id, time.Now().Add(lasts)
}

// priorityReference names the priority of new incidents, or nothing: without it
// an incident is opened all the same, and in time.
func (s *service) priorityReference(ctx context.Context) *pagerduty.APIReference {
	if s.Priority == "" {
		return nil
	}
	id, ok := s.priority.known()
	if !ok {
		id = s.askPriority(ctx)
	}
	if id == "" {
		return nil
	}
	return &pagerduty.APIReference{ID: id, Type: "priority_reference"}
}

// askPriority looks the priority up, within half of the time that is left; the
// lookup does not end with the one who was first to ask.
func (s *service) askPriority(ctx context.Context) string {
	limited, cancel := half(ctx)
	defer cancel()
	answer := s.priority.flight.DoChan("", func() (any, error) {
		if id, ok := s.priority.known(); ok {
			return id, nil
		}
		ask := context.WithoutCancel(ctx)
		if deadline, ok := limited.Deadline(); ok {
			var cancel context.CancelFunc
			ask, cancel = context.WithDeadline(ask, deadline)
			defer cancel()
		}
		id, err := s.priorityID(ask, s.Priority)
		s.priority.learn(id)
		if id == "" {
			s.log.Warn("Incidents are opened without the configured priority; PagerDuty does not have it or did not say",
				zap.String("priority", s.Priority), zap.Error(err))
		}
		return id, nil
	})
	select {
	case r := <-answer:
		id, _ := r.Val.(string)
		return id
	case <-limited.Done():
		return ""
	}
}

// half bounds what is not essential to half of the time that is left.
func half(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithTimeout(ctx, time.Until(deadline)/2)
	}
	return context.WithCancel(ctx)
}
