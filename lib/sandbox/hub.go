package sandbox

import "sync"

// hub tells any number of watchers that something has changed.
type hub struct {
	mu       sync.Mutex
	version  uint64
	watchers map[chan struct{}]struct{}
	// done is closed when there will be no more changes.
	done chan struct{}
}

func newHub() *hub {
	return &hub{watchers: make(map[chan struct{}]struct{}), done: make(chan struct{})}
}

// tell wakes every watcher; several changes may be one wake.
func (h *hub) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.version++
	for w := range h.watchers {
		select {
		case w <- struct{}{}:
		default: // It has not yet looked at the change before; that will do.
		}
	}
}

// watch returns a channel with a value after changes, and what ends it.
func (h *hub) watch() (<-chan struct{}, func()) {
	w := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[w] = struct{}{}
	return w, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, w)
	}
}

// now is how many changes there have been.
func (h *hub) now() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.version
}

func (h *hub) close() { close(h.done) }
