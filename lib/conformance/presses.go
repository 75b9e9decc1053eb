package conformance

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// presses are the behaviours of a service at which people can press buttons.
func presses() []behaviour {
	return []behaviour{
		{"a press becomes one review in the person's name", pressed},
		{"a press that must not decide does not, and says why", refusedPresses},
		{"buttons come and go with the config", switchedButtons},
	}
}

// reviewing switches the buttons on, for the replicas that start from now on.
func (w *world) reviewing() farend.Presser {
	w.Helper()
	far := w.far.(farend.Presser)
	w.configure(map[string]any{"review": far.Review()})
	w.cluster.AllowSubmitFor(cluster.PluginRole, "*")
	return far
}

// press presses once the button is there, and returns what the person saw.
func (w *world) press(far farend.Presser, person, id, verdict string) string {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	for {
		saw, err := far.Press(ctx, person, id, verdict, "because")
		switch {
		case err == nil && len(saw) > 0 && !unheard(saw):
			return strings.Join(saw, " ")
		case ctx.Err() != nil:
			w.Fatalf("%s cannot %s: %v, saw %q", person, verdict, err, saw)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// unheard reports whether a person saw that nobody has heard the press yet: a replica
// that has just started may not be connected.
func unheard(saw []string) bool {
	said := strings.Join(saw, " ")
	return strings.Contains(said, "did not respond") || strings.Contains(said, "interaction failed")
}

func (w *world) reviewsOf(id string) (authors []string) {
	w.Helper()
	req, ok := w.cluster.Request(id)
	if !ok {
		w.Fatalf("request %s is gone", id)
	}
	for _, r := range req.GetReviews() {
		authors = append(authors, r.Author)
	}
	return authors
}

// hasButtons reports whether all announcements of a request have buttons, and whether
// any of them has.
func (w *world) hasButtons(id string) (all, any bool) {
	sights := w.posts(id)
	all = len(sights) > 0
	for _, s := range sights {
		if strings.Contains(s.Text, "[Approve]") && strings.Contains(s.Text, "[Deny]") {
			any = true
		} else {
			all = false
		}
	}
	return all, any
}

func pressed(w *world) {
	w.cluster.AddRole(Role, cluster.RoleSpec{Logins: []string{"root"}, Approve: 2, Annotations: annotations(w)})
	far := w.reviewing()
	w.start()
	w.start() // either replica may be asked
	id := w.request(cluster.CreateParams{})
	w.untilShown(id, w.both(), Role)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { w.press(far, cluster.Bob, id, "approve") })
	}
	all.Wait()
	if got := w.reviewsOf(id); !slices.Equal(got, []string{cluster.Bob}) {
		w.Errorf("after two presses of one person there are reviews of %q", got)
	}
	w.untilShown(id, w.both(), cluster.Bob)
	if saw := w.press(far, cluster.Carol, id, "approve"); !strings.Contains(saw, "approved") {
		w.Errorf("the person saw %q", saw)
	}
	w.untilShown(id, w.both(), cluster.Carol, "approved")
	w.until("the buttons vanish", func() bool { _, any := w.hasButtons(id); return !any })
	w.settled(id)
}

func refusedPresses(w *world) {
	far := w.reviewing()
	w.start()
	id := w.request(cluster.CreateParams{})
	w.untilShown(id, w.both(), Role)
	if saw := w.press(far, cluster.Alice, id, "approve"); !strings.Contains(saw, "own request") {
		w.Errorf("the requester saw %q", saw)
	}
	w.cluster.AddUser(cluster.Dave, []string{"requester"}, nil)
	if saw := w.press(far, cluster.Dave, id, "deny"); !strings.Contains(saw, "does not let "+cluster.Dave) {
		w.Errorf("who may not review saw %q", saw)
	}
	w.cluster.AllowSubmitFor(cluster.PluginRole)
	if saw := w.press(far, cluster.Bob, id, "deny"); !strings.Contains(saw, "does not let") {
		w.Errorf("where the plugin may not submit for others the person saw %q", saw)
	}
	if got := w.reviewsOf(id); len(got) > 0 {
		w.Errorf("there are reviews of %q", got)
	}
	w.review(id, cluster.Carol, types.RequestState_DENIED, "no")
	w.until("the buttons vanish", func() bool { _, any := w.hasButtons(id); return !any })
}

// connected reports whether the service sees somebody who listens for presses.
func (w *world) connected() bool {
	far, ok := w.far.(farend.PressFaults)
	if !ok {
		return false
	}
	now, _ := far.Connected()
	return now > 0
}

func switchedButtons(w *world) {
	replica := w.start()
	id := w.request(cluster.CreateParams{})
	w.untilShown(id, w.both(), Role)
	w.settled(id)
	other := w.request(cluster.CreateParams{}) // whose messages are changed
	w.review(other, cluster.Bob, types.RequestState_APPROVED, "fine")
	w.settled(other)
	if _, any := w.hasButtons(id); any {
		w.Error("there are buttons though they are off")
	}
	off := w.far.Counts()
	if w.connected() {
		w.Error("presses are listened for though the buttons are off")
	}
	replica.halt(w.T)
	w.reviewing()
	replica = w.start()
	w.until("the buttons come", func() bool { all, _ := w.hasButtons(id); return all })
	w.settled(id)
	// What hears presses listens, or begins with a call that is made for nothing else.
	w.until("presses are listened for", func() bool {
		for method := range w.far.Counts() {
			if off[method] == 0 {
				return true
			}
		}
		return w.connected()
	})
	replica.halt(w.T)
	w.configure(nil)
	w.start()
	w.until("the buttons go", func() bool { _, any := w.hasButtons(id); return !any })
}
