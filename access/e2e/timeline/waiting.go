package timeline

import (
	"fmt"
	"slices"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/fault"
)

// reminding is the config of rows in which requests wait: a reminder is due soon, and not
// before all that is announced is there.
func reminding(w *World, o *harness.Options) {
	o.Config = shortLease + fmt.Sprintf("\n[reminders]\nat = [%q]\n", remindedAfter(w))
}

func remindedAfter(w *World) time.Duration { return of(w, 4*time.Second, 12*time.Second) }

// waiting are rows about requests that nobody decides for a while.
func waiting() []Row {
	return []Row{
		{
			Name:    "reminders, and no fault",
			Promise: "each recipient is reminded once; none after the decision",
			Setup:   reminding,
			Run: func(w *World) {
				ids := w.create(of(w, 5, 50))
				w.deny(w.create(of(w, 5, 50))...)
				w.heal()
				w.reminded(ids...)
				w.deny(ids...)
			},
		},
		{
			Name:    "the answers to reminders are lost",
			Promise: "0 doubled: they are looked up",
			Setup:   reminding,
			Run: func(w *World) {
				ids := w.create(of(w, 3, 30))
				w.settle()
				w.fault(fault.Fault{Effect: fault.DoneNotAnswered, Times: len(ids)})
				w.reminded(ids...)
				w.clearFaults()
			},
		},
		{
			Name:    "3 replicas, all killed as reminders are due, and restarted",
			Promise: "0 doubled",
			Repeat:  5,
			Setup: func(w *World, o *harness.Options) {
				reminding(w, o)
				o.Replicas = 3
			},
			Run: func(w *World) {
				ids := w.create(of(w, 5, 50))
				w.settle()
				w.until("the first reminder is told", func() bool { return w.reminders() > 0 })
				for i := range w.Replicas() {
					w.must(w.Replica(i).Kill())
				}
				w.heal()
				w.expectReminders(ids...)
				for i := range w.Replicas() {
					w.again(i)
				}
				w.settle()
			},
		},
		{
			Name:    "the plugin is down as reminders are due",
			Promise: "told late, once, where nobody has decided",
			Setup:   reminding,
			Run: func(w *World) {
				ids, decided := w.create(of(w, 3, 30)), w.create(of(w, 3, 30))
				w.settle()
				_, _, err := w.Replica(0).Stop()
				w.must(err)
				w.pass(remindedAfter(w))
				w.deny(decided...)
				w.heal()
				w.expectReminders(ids...)
				w.again(0)
				w.settle()
			},
		},
	}
}

// expectReminders expects that everybody but the requester is reminded of requests.
func (w *World) expectReminders(ids ...string) {
	if w.failed() != nil {
		return
	}
	for _, id := range ids {
		w.expectation(id).Reminded = slices.Clone(w.places)
	}
}

// reminded lets that come.
func (w *World) reminded(ids ...string) {
	w.expectReminders(ids...)
	w.settle()
}

// reminders counts all reminders so far.
func (w *World) reminders() (n int) {
	for _, s := range w.Sights() {
		n += s.Reminders
	}
	return n
}
