package pagerduty

import "sync"

// recent remembers what was put into it last: at least the newest entries, as
// many as its size, and at most twice that many.
type recent[K comparable, V any] struct {
	size int

	mu         sync.Mutex
	young, old map[K]V
}

func newRecent[K comparable, V any](size int) *recent[K, V] {
	return &recent[K, V]{size: size, young: make(map[K]V)}
}

func (r *recent[K, V]) get(k K) (v V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok = r.young[k]; !ok {
		v, ok = r.old[k]
	}
	return v, ok
}

func (r *recent[K, V]) put(k K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young) >= r.size {
		r.young, r.old = make(map[K]V), r.young
	}
	r.young[k] = v
}
