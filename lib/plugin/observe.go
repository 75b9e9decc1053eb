package plugin

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/integration"
)

// conditions states the plugin's conditions and logs each change once.
type conditions struct {
	health *diag.Health
	log    *zap.Logger

	mu    sync.Mutex
	state map[string]string // condition to its reason; empty when it holds
}

func newConditions(h *diag.Health, log *zap.Logger) *conditions {
	return &conditions{health: h, log: log, state: make(map[string]string)}
}

// Withdraw takes back a condition of which there is nothing to say any more.
func (c *conditions) Withdraw(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.state, name)
	c.health.Withdraw(name)
}

// Failing reports whether a condition was stated not to hold.
func (c *conditions) Failing(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state[name] != ""
}

// Set states a condition. The state of health and the log change together, so
// that they agree whoever states it last.
func (c *conditions) Set(name string, ok bool, reason string) {
	if ok {
		reason = ""
	} else if reason == "" {
		reason = "no reason is known"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	before, known := c.state[name]
	if known && before == reason {
		return
	}
	c.state[name] = reason
	if ok {
		c.health.OK(name)
	} else {
		c.health.Fail(name, reason)
	}
	switch {
	case !ok && before == "":
		c.log.Error("Not "+name+": "+reason, zap.String("condition", name))
	case ok && known:
		c.log.Info("Recovered: "+name, zap.String("condition", name))
	}
}

// observer hands what the engine tells to the metrics.
type observer struct{ m *diag.Metrics }

// Stepped counts a step and how it ended.
func (o observer) Stepped(step integration.Step, err error, took time.Duration) {
	o.m.Stepped(step, err, took)
}

// Retried counts a request that is put back after a failure that passes.
func (o observer) Retried() { o.m.Retried() }

// Panicked counts a request whose work broke off.
func (o observer) Panicked() { o.m.Broke(diag.Panic) }

// Exceeded counts a request that asked for more calls than can be needed.
func (o observer) Exceeded() { o.m.Broke(diag.Budget) }

// Recorded counts a write to a record.
func (o observer) Recorded(conflict bool) { o.m.RecordWritten(conflict) }

// Event counts an event of the stream.
func (o observer) Event(op string) {
	if op == "delete" {
		o.m.Event(diag.Delete)
		return
	}
	o.m.Event(diag.Put)
}

// Streaming notes whether there is a stream.
func (o observer) Streaming(since time.Time) {
	if since.IsZero() {
		o.m.StreamClosed()
		return
	}
	o.m.StreamOpened()
}

// Limited counts the time for which a rate limit holds calls back.
func (o observer) Limited(_ string, wait time.Duration) { o.m.Waited(wait) }
