package harness

import (
	"context"
	"sync"
	"time"
)

// Spans are times during which something was not as usual, such as those while a
// replica was down. The zero value holds none and is ready for use.
type Spans struct {
	mu    sync.Mutex
	spans [][2]time.Time
}

// Note adds one.
func (s *Spans) Note(from, to time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans = append(s.spans, [2]time.Time{from, to})
}

// Hit reports whether one of them lies in a span, wholly or in part.
func (s *Spans) Hit(from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, span := range s.spans {
		if span[0].Before(to) && from.Before(span[1]) {
			return true
		}
	}
	return false
}

// Len is how many there are.
func (s *Spans) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.spans)
}

// WatchMachine calls late until the context ends, each time that the machine was late by
// more than that: what has three seconds is then not to blame.
func WatchMachine(ctx context.Context, by time.Duration, late func(from, to time.Time)) {
	const pause = 50 * time.Millisecond
	for ctx.Err() == nil {
		began := time.Now()
		time.Sleep(pause)
		if now := time.Now(); now.Sub(began) > pause+by {
			late(began, now)
		}
	}
}
