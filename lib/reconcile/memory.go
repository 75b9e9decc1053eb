package reconcile

import (
	"time"

	"teleport-plugins/lib/decide"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/visit"
)

// memory is what this process knows of a request that it works on, beyond the
// record. It belongs to the round.
type memory struct {
	failures int       // of reading or writing, in a row
	unseen   int       // rounds in a row in which the cluster did not show it
	idle     int       // rounds in a row without progress
	ended    time.Time // when its end was first seen
	chosen   []string  // its recipients, not recorded yet
	reused   time.Time // since when its id is known to name another request than the record
	crashed  bool      // the last round broke off in the middle of a step
	// unrecorded holds results that could not be written yet, by recipient, of
	// the request that was created at that time, under a claim of that generation.
	unrecorded      map[string]plugindata.Delivery
	unrecordedOf    int64
	unrecordedUnder int
	pauses          pace.Pauses // after failed steps, by recipient
	doubts          visit.Doubts
	decisions       decide.Memory
	unsure          time.Time       // since when a late call may still change messages back
	once            map[string]bool // what was logged once
}

// said reports whether something was logged before, and notes that it is now.
func (t *memory) said(what string) bool {
	if t.once[what] {
		return true
	}
	if t.once == nil {
		t.once = make(map[string]bool)
	}
	t.once[what] = true
	return false
}
