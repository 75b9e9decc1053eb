package diag

import (
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"

	"teleport-plugins/lib/message"
)

// Crashes keeps a fault of this program, or a record that nobody thought of, from
// ending the process.
type Crashes struct {
	Log *zap.Logger
	// Count is called for each.
	Count func()
}

// Catch is to be deferred around the work on something.
func (c Crashes) Catch(id, what string) {
	if fault := recover(); fault != nil {
		c.Caught(id, what, fault)
	}
}

// Caught reports what was recovered in the work on something.
func (c Crashes) Caught(id, what string, fault any) {
	c.Count()
	c.Log.Error("A fault in this program while it worked on "+what+"; please report it with this line",
		zap.String("request_id", id), zap.String("fault", message.Cut(fmt.Sprint(fault), 500)), zap.ByteString("stack", debug.Stack()))
}
