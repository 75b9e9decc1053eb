package cluster

import (
	"sync"
	"sync/atomic"
)

// calls counts the calls by method.
type calls struct {
	byMethod atomic.Pointer[sync.Map] // string to *atomic.Int64
}

func (c *calls) reset() { c.byMethod.Store(new(sync.Map)) }

func (c *calls) add(method string) {
	m := c.byMethod.Load()
	n, ok := m.Load(method)
	if !ok {
		n, _ = m.LoadOrStore(method, new(atomic.Int64))
	}
	n.(*atomic.Int64).Add(1)
}

// Calls tells how often each method was called since the start or the last
// ResetCalls, whatever became of the call. Methods go by their bare names, for
// example UpdatePluginData.
func (c *Cluster) Calls() map[string]int {
	out := make(map[string]int)
	c.calls.byMethod.Load().Range(func(method, n any) bool {
		out[method.(string)] = int(n.(*atomic.Int64).Load())
		return true
	})
	return out
}

// ResetCalls sets every count to zero.
func (c *Cluster) ResetCalls() { c.calls.reset() }
