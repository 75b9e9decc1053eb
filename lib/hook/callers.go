package hook

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Callers tells calls of the service's from those of strangers, who may make any number.
// It may be used by several goroutines.
type Callers struct {
	// Note states what is to be known of how presses arrive, or withdraws it; it may be
	// nil. As long as the service has not called, it states Awaited.
	Note    func(text string)
	Awaited string
	Log     *zap.Logger

	known      atomic.Bool
	complained atomic.Int64 // when a stranger was last logged, in Unix time
}

// quietTime is for how long no further stranger is logged, in seconds.
const quietTime = 60

// Known is for a call of the service's.
func (c *Callers) Known() {
	if !c.known.Swap(true) {
		c.note("")
	}
}

// Stranger logs somebody else's call, now and then.
func (c *Callers) Stranger(message string, fields ...zap.Field) {
	now := time.Now().Unix()
	if last := c.complained.Load(); now-last >= quietTime && c.complained.CompareAndSwap(last, now) {
		c.Log.Warn(message, fields...)
	}
}

func (c *Callers) note(text string) {
	if c != nil && c.Note != nil {
		c.Note(text)
	}
}

// awaited states that no call has come yet, from now on.
func (c *Callers) awaited() {
	if c != nil {
		c.note(c.Awaited)
	}
}
