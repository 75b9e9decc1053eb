package plugin

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// memoryLimit bounds how much is remembered of one sort.
	memoryLimit = 10_000
	// lookupsAtOnce bounds the calls that are under way together.
	lookupsAtOnce = 4
)

// memory remembers answers for a while, those that say that there is nothing too.
// It is safe for concurrent use; the zero value is empty.
type memory[V any] struct {
	mu    sync.Mutex
	known map[string]remembered[V]
}

type remembered[V any] struct {
	value V
	until time.Time
}

func (m *memory[V]) get(key string) (value V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.known[key]
	if !ok || !time.Now().Before(r.until) {
		return value, false
	}
	return r.value, true
}

func (m *memory[V]) put(key string, value V, age time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= memoryLimit {
		m.known = make(map[string]remembered[V])
	}
	m.known[key] = remembered[V]{value, time.Now().Add(age)}
}

// lookups makes one call for all who want the same at the same time, and few
// together. A call lasts no longer than decorateTime, and is not given up when
// the one who wanted it first goes away.
type lookups struct {
	calls singleflight.Group
	room  chan struct{}
}

func newLookups() *lookups { return &lookups{room: make(chan struct{}, lookupsAtOnce)} }

// once calls look, unless somebody does so already under this key, and waits for
// its end. look must first see whether its answer is there by now.
func (l *lookups) once(ctx context.Context, key string, look func(context.Context)) {
	_, _, _ = l.calls.Do(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decorateTime)
		defer cancel()
		select {
		case l.room <- struct{}{}:
			defer func() { <-l.room }()
			look(ctx)
		case <-ctx.Done():
		}
		return nil, nil
	})
}
