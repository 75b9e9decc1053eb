package sandbox

import (
	"sync/atomic"

	"teleport-plugins/lib/sandbox/apiserver"
)

// hub tells any number of watchers that something has changed.
type hub struct {
	*apiserver.Watchers
	version atomic.Uint64 // how many changes there have been
	// done is closed when there will be no more changes.
	done chan struct{}
}

func newHub() *hub {
	return &hub{Watchers: apiserver.NewWatchers("the sandbox"), done: make(chan struct{})}
}

// tell wakes every watcher; several changes may be one wake.
func (h *hub) tell() {
	h.version.Add(1)
	h.Wake()
}

func (h *hub) close() { close(h.done) }
