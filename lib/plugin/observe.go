package plugin

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/diag"
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

// Set states a condition.
func (c *conditions) Set(name string, ok bool, reason string) {
	if ok {
		reason = ""
	} else if reason == "" {
		reason = "no reason is known"
	}
	c.mu.Lock()
	before, known := c.state[name]
	c.state[name] = reason
	c.mu.Unlock()
	if known && before == reason {
		return
	}
	if ok {
		c.health.OK(name)
	} else {
		c.health.Fail(name, reason)
	}
	switch {
	case !ok && before == "":
		c.log.Error("Not "+name+": "+reason, zap.String("condition", name))
	case ok && known && before != "":
		c.log.Info("Recovered: "+name, zap.String("condition", name))
	}
}

// observer hands what the engine tells to the metrics.
type observer struct{ m *diag.Metrics }

var actions = map[string]diag.Action{
	"post": diag.Post, "edit": diag.Edit, "reply": diag.Reply, "notice": diag.Notice, "reminder": diag.Reminder,
	"resolve": diag.Lookup, "find": diag.Lookup,
}

var outcomes = map[string]diag.Outcome{
	"ok": diag.OK, "retry": diag.Retry, "wait": diag.Wait, "permanent": diag.Permanent,
	"credentials": diag.Credentials, "gone": diag.Gone, "unclear": diag.Unclear,
}

// Stepped counts a step.
func (o observer) Stepped(step, outcome string, took time.Duration) {
	action := actions[step]
	o.m.Delivered(action, outcomes[outcome])
	o.m.Called(action, took)
	if outcome != "ok" {
		o.m.Retried()
	}
}

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

// Called is told by the transport; the steps are measured where they are taken.
func (o observer) Called(string, int, time.Duration) {}

// Limited counts the time for which a rate limit holds calls back.
func (o observer) Limited(_ string, wait time.Duration) { o.m.Waited(wait) }
