// Package recent provides a memory of what was put into it last, which does not grow.
package recent

import "sync"

// Memory remembers what was put into it last: at least the newest entries, as many as
// its size, and at most twice that many. Make one with New; it may be used by several
// goroutines.
type Memory[K comparable, V any] struct {
	size int

	mu         sync.Mutex
	young, old map[K]V
}

// New returns a memory for as many entries.
func New[K comparable, V any](size int) *Memory[K, V] {
	return &Memory[K, V]{size: size, young: make(map[K]V)}
}

// Get returns what was put in last under a key.
func (r *Memory[K, V]) Get(k K) (v V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok = r.young[k]; !ok {
		v, ok = r.old[k]
	}
	return v, ok
}

// Put puts a value in.
func (r *Memory[K, V]) Put(k K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young) >= r.size {
		r.young, r.old = make(map[K]V), r.young
	}
	r.young[k] = v
}
