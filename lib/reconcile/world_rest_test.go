package reconcile_test

import (
	"maps"
	"slices"

	"teleport-plugins/lib/plugindata"
)

func (j *judge) record(id string) {
	data := j.w.data(id)
	if data == nil {
		return
	}
	rec, err := plugindata.Decode(plugindata.Messages{}, data)
	if err != nil {
		j.say("%s: the record is not to be read: %v", id, err)
	}
	if !rec.Claim.Free() {
		j.say("%s: the claim %v is not free", id, rec.Claim)
	}
}

func (j *judge) nodes() {
	for _, n := range j.w.nodes {
		if n.dead() {
			continue
		}
		n.mu.Lock()
		for _, c := range slices.Sorted(maps.Keys(n.bad)) {
			j.say("%s: not well at the end: %s (%s)", n.name, c, n.bad[c])
		}
		n.mu.Unlock()
		if since := n.rec.Undelivered(); !since.IsZero() {
			j.say("%s: undelivered since %v", n.name, since.Sub(j.w.start))
		}
		if n.rec.Unwell() {
			j.say("%s: takes the service for unwell", n.name)
		}
		for _, line := range n.logs.All() {
			if !j.explained() {
				j.say("%s: logged at %v as an error: %s %v", n.name, line.Time.Sub(j.w.start), line.Message, line.ContextMap())
			}
		}
	}
}

// explained reports whether a fault explains that something is logged as an error:
// a place that refuses, a message that cannot be changed, what was given up in a
// blind place.
func (j *judge) explained() bool {
	if j.w.count(refuse, fixed) > 0 {
		return true
	}
	for place, kind := range j.w.office.kinds {
		if kind == refusing || kind == blind && j.w.office.unsure[place]+j.w.crashes+j.w.count(lostDone, lostUndone, lostLate) > 0 {
			return true
		}
	}
	return false
}

// bounds judges that nothing is done without end.
func (j *judge) bounds() {
	w := j.w
	places, faults := len(w.office.kinds), len(w.fired)
	events := len(w.story)
	if w.waits {
		events += len(w.lives) * len(reminders)
	}
	calls := events*places*4 + 25*faults*(1+len(w.lives)/2)
	writes := events*places*6 + 40*faults*(1+len(w.lives)/2)
	for _, kind := range w.office.kinds {
		if kind == refusing { // where doubt stays, look-ups are tried for a day
			calls, writes = calls+60, writes+120
		}
	}
	if w.calls > calls {
		j.say("%d calls, more than %d", w.calls, calls)
	}
	if w.writes > writes {
		j.say("%d writes, more than %d", w.writes, writes)
	}
}
