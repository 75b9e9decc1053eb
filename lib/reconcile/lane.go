package reconcile

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// lanes let one at a time through at each recipient. Where what was posted
// cannot be looked up, a call is made only after the one before it at the same
// recipient was recorded: then a death of the process leaves at most one call
// for each recipient of which nobody knows the outcome.
type lanes struct {
	mu   sync.Mutex
	open map[string]*lane
}

type lane struct {
	*semaphore.Weighted
	users int // who are in it or wait for it
}

// enter waits for the lane of a recipient. Whoever gets in must leave.
func (l *lanes) enter(ctx context.Context, recipient string) (leave func(), err error) {
	l.mu.Lock()
	if l.open == nil {
		l.open = make(map[string]*lane)
	}
	at := l.open[recipient]
	if at == nil {
		at = &lane{Weighted: semaphore.NewWeighted(1)}
		l.open[recipient] = at
	}
	at.users++
	l.mu.Unlock()
	if err := at.Acquire(ctx, 1); err != nil {
		l.forget(recipient)
		return nil, err
	}
	return func() {
		at.Release(1)
		l.forget(recipient)
	}, nil
}

func (l *lanes) forget(recipient string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.open[recipient]
	if at.users--; at.users == 0 {
		delete(l.open, recipient)
	}
}
