// Package queue provides a keyed work queue. It promises four things:
//
//   - a key is never handed to two workers at once;
//   - a key that is added while it is being worked on is handed out once more
//     after that, so that no change is missed;
//   - keys added again before they are handed out cost nothing;
//   - live keys overtake background keys, so that a backlog delays nobody.
package queue

import (
	"context"
	"sync"
	"time"
)

// Lane says how urgent a key is.
type Lane int

const (
	// Live is for keys about which something was just heard.
	Live Lane = iota
	// Background is for keys found while catching up.
	Background
	lanes = iota
)

// Queue is a keyed work queue; make one with New.
type Queue[K comparable] struct {
	mu      sync.Mutex
	waiting [lanes][]K    // in order; may hold keys that another lane has handed out
	dirty   map[K]Lane    // keys to be handed out, and the lane they count for
	busy    map[K]bool    // keys handed out and not yet done
	delayed map[K]*delay  // keys to be added later, one entry for each
	closed  bool          // no key is handed out any more
	ready   chan struct{} // holds a token while keys wait
}

type delay struct {
	at    time.Time
	timer *time.Timer
}

// New returns an empty queue.
func New[K comparable]() *Queue[K] {
	return &Queue[K]{
		dirty:   make(map[K]Lane),
		busy:    make(map[K]bool),
		delayed: make(map[K]*delay),
		ready:   make(chan struct{}, 1),
	}
}

// Add puts a key into a lane; a key that waits in the background is moved up
// by adding it as a live one.
func (q *Queue[K]) Add(key K, lane Lane) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(key, lane)
}

func (q *Queue[K]) add(key K, lane Lane) {
	if q.closed {
		return
	}
	if had, ok := q.dirty[key]; ok && had <= lane {
		return
	}
	q.dirty[key] = lane
	if !q.busy[key] {
		q.push(key, lane)
	}
}

func (q *Queue[K]) push(key K, lane Lane) {
	q.waiting[lane] = append(q.waiting[lane], key)
	q.signal()
}

func (q *Queue[K]) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// AddAfter adds a key to the background lane after a while. Of several delays
// for one key the shortest counts.
func (q *Queue[K]) AddAfter(key K, after time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	at := time.Now().Add(after)
	switch d := q.delayed[key]; {
	case d == nil:
		q.delayed[key] = q.delay(key, at, after)
	case at.Before(d.at):
		d.at = at
		d.timer.Reset(after)
	}
}

func (q *Queue[K]) delay(key K, at time.Time, after time.Duration) *delay {
	d := &delay{at: at}
	d.timer = time.AfterFunc(after, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.delayed[key] == d {
			delete(q.delayed, key)
			q.add(key, Background)
		}
	})
	return d
}

// Get waits for a key and hands it out; the caller must call Done with it. It
// returns false when the context or the queue has ended.
func (q *Queue[K]) Get(ctx context.Context) (key K, ok bool) {
	for {
		if key, ok, over := q.next(); over {
			return key, ok
		}
		select {
		case <-ctx.Done():
			return key, false
		case <-q.ready:
		}
	}
}

// next hands out a key if one waits; over says that there is nothing to wait for.
func (q *Queue[K]) next() (key K, ok, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.signal() // wakes the next waiting worker
		return key, false, true
	}
	for lane := range q.waiting {
		for len(q.waiting[lane]) > 0 {
			key = q.waiting[lane][0]
			q.waiting[lane] = q.waiting[lane][1:]
			if _, dirty := q.dirty[key]; !dirty || q.busy[key] {
				continue // was handed out from another lane
			}
			delete(q.dirty, key)
			q.busy[key] = true
			if len(q.dirty) > 0 {
				q.signal()
			}
			return key, true, true
		}
		q.waiting[lane] = nil // lets go of a backlog's memory
	}
	return key, false, false
}

// Done says that the work on a key has ended. A key that was added meanwhile
// waits again.
func (q *Queue[K]) Done(key K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.busy, key)
	if lane, ok := q.dirty[key]; ok {
		q.push(key, lane)
	}
}

// Forget withdraws the delay of a key. One that waits to be handed out still is.
func (q *Queue[K]) Forget(key K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if d, ok := q.delayed[key]; ok {
		d.timer.Stop()
		delete(q.delayed, key)
	}
}

// Len is how many keys wait to be handed out now; delayed ones do not count.
func (q *Queue[K]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.dirty)
}

// Close ends the queue: waiting and delayed keys are dropped and workers that
// wait for one get none. Keys handed out already may still be done.
func (q *Queue[K]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, d := range q.delayed {
		d.timer.Stop()
	}
	clear(q.delayed)
	clear(q.dirty)
	q.waiting = [lanes][]K{}
	q.signal()
}
