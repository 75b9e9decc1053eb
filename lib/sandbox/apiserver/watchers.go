package apiserver

import (
	"context"
	"fmt"
	"sync"
)

// Watchers are those who wait for something to happen. Make one with NewWatchers.
type Watchers struct {
	name string

	mu   sync.Mutex
	open map[chan struct{}]struct{}
}

// NewWatchers makes an empty list; name is what errors call the thing that is
// watched.
func NewWatchers(name string) *Watchers {
	return &Watchers{name: name, open: make(map[chan struct{}]struct{})}
}

// Wake lets everyone look again.
func (w *Watchers) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		select {
		case c <- struct{}{}:
		default: // It has not yet looked at the change before; that will do.
		}
	}
}

// Subscribe returns a channel that gets a value after changes of the state and
// after each call of the API, one for several if the reader is slow; the version
// in the snapshot tells whether anything changed. The returned function ends it.
func (w *Watchers) Subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, c)
	}
}

// Wait returns once done reports true; it is asked at once, after each change
// and after each call of the API. The error is the context's.
func (w *Watchers) Wait(ctx context.Context, done func() bool) error {
	changes, stop := w.Subscribe()
	defer stop()
	for !done() {
		select {
		case <-changes:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", w.name, ctx.Err())
		}
	}
	return nil
}
