package conformance

import (
	"strings"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/sandbox/cluster"
)

// waiting lets a request wait with two replicas. They learn what is due, and to whom, once
// the request stands everywhere: who hears of it later than that is not reminded.
func waiting(w *world) {
	made := time.Now()
	w.start()
	id, broken := w.request(cluster.CreateParams{}), w.request(cluster.CreateParams{Roles: []string{BrokenRole}})
	w.untilShown(id, w.both())
	w.untilShown(broken, w.both()[:1])
	w.stopAll()
	due := (time.Since(made).Truncate(time.Second) + 2*time.Second).String()
	w.configure(map[string]any{
		"reminders": map[string]any{"at": []string{due}},
		"escalation": map[string]any{
			"second": map[string]any{"after": due, "recipients": w.far.Places()[1:2], "roles": []string{BrokenRole}},
		},
	})
	w.start()
	w.start()
	w.untilShown(broken, w.both(), BrokenRole)
	w.until("everybody is reminded", func() bool {
		for _, place := range w.both() {
			if len(w.places(id)[place]) == 0 || w.reminded(id, place) == 0 {
				return false
			}
		}
		return true
	})
	w.review(id, cluster.Bob, types.RequestState_DENIED, "because of the freeze")
	w.untilShown(id, w.both(), "denied", "because of the freeze")
	w.settled(id)
	for _, place := range w.both() {
		if n := w.reminded(id, place); n != 1 {
			w.Errorf("%s has %d reminders", place, n)
		}
	}
	if n := w.reminded(broken, w.both()[1]); n != 0 {
		w.Errorf("who has just heard of a request is reminded of it %d times", n)
	}
}

// reminded counts the reminders of a request in a place.
func (w *world) reminded(id, place string) (n int) {
	for _, p := range w.places(id)[place] {
		n += strings.Count(read(p), message.StillPending)
	}
	return n
}
