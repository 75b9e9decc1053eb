package e2e_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/panel"
)

const role = "editor"

// service is the one with which the program itself is tried: all have the same.
func service() string { return harness.Services()[0] }

// binary is the path of its plugin, without which there is nothing to test.
func binary(t *testing.T) string {
	t.Helper()
	path, err := harness.Binary(service())
	if errors.Is(err, harness.ErrNotBuilt) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// world is a harness.World within a test.
type world struct {
	*testing.T
	*harness.World
}

// start starts a world with a role that takes two approvals, and one denial.
func start(t *testing.T, o harness.Options) *world {
	t.Helper()
	binary(t)
	if o.Service == "" {
		o.Service = service()
	}
	halted := o.Halted
	o.Halted = true
	inner, err := harness.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t, inner}
	t.Cleanup(w.finish)
	w.Cluster.AddRole(role, cluster.RoleSpec{Approve: 2, Deny: 1})
	if !halted {
		w.must(w.StartReplicas())
	}
	return w
}

// finish shows what the replicas logged, should the test have failed.
func (w *world) finish() {
	if err := w.Close(); err != nil {
		w.Error(err)
	}
	if w.Failed() {
		for i := range w.Replicas() {
			w.Logf("replica %d:\n%s", i, w.Replica(i).LogText())
		}
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// patient is a context for what must come.
func (w *world) patient() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), harness.Patience)
	w.Cleanup(cancel)
	return ctx
}

// request makes a request of alice, who is known at the service.
func (w *world) request() string {
	w.Helper()
	id, err := w.Cluster.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{role}, Reason: "INC-204"})
	w.must(err)
	return id
}

func (w *world) review(id, author string, state types.RequestState) {
	w.Helper()
	w.must(w.Cluster.Review(id, author, state, "because of "+author))
}

// dm is the recipient that stands for a user.
func (w *world) dm(email string) string {
	w.Helper()
	person := w.Person(email)
	if person == "" {
		w.Fatalf("%s is not known at the service", email)
	}
	return person
}

// channel is where requests are announced.
func (w *world) channel() string { return w.Service().Places()[0] }

// said is what is said at a place.
func (w *world) said(recipient string) []panel.Message {
	for _, ch := range w.Service().Panel(0).Channels {
		if ch.ID == w.Place(recipient) {
			return ch.Messages
		}
	}
	return nil
}

// everyone are the conversations that hold a post of a request: the channel, and
// the requester's own.
func (w *world) everyone() []string { return []string{w.channel(), w.dm(cluster.Alice)} }

// shows waits until the service shows what is expected, and no more than that.
func (w *world) shows(expected ...harness.Expected) {
	w.Helper()
	if v := w.Outcome(w.patient(), expected...); !v.Good() {
		w.Fatal(v)
	}
}

// untilPosted waits until requests were announced and that was recorded.
func (w *world) untilPosted(ids ...string) {
	w.Helper()
	w.shows(harness.Expected{Recipients: w.everyone()}.Of(ids...)...)
}

// notices counts what the requester was told beside the announcement.
func notices(messages []panel.Message) (n int) {
	for _, m := range messages {
		if m.Thread == "" && !m.Deleted && m.Request == "" {
			n++
		}
	}
	return n
}

const (
	approve = types.RequestState_APPROVED
	deny    = types.RequestState_DENIED
)

// What happens to a request is told where it was announced, by one replica of
// however many.
func TestTimeline(t *testing.T) {
	for _, replicas := range []int{1, 2} {
		for _, c := range []struct {
			name    string
			happens func(w *world, id string)
			reviews int
			status  request.Status
		}{
			{"announced", func(*world, string) {}, 0, request.Pending},
			{"first of two approvals", func(w *world, id string) { w.review(id, cluster.Bob, approve) }, 1, request.Pending},
			{"approved", func(w *world, id string) {
				w.review(id, cluster.Bob, approve)
				w.review(id, cluster.Carol, approve)
			}, 2, request.Approved},
			{"approved after a while", func(w *world, id string) {
				w.review(id, cluster.Bob, approve)
				w.shows(harness.Expected{ID: id, Recipients: w.everyone(), Reviews: 1})
				w.review(id, cluster.Carol, approve)
			}, 2, request.Approved},
			{"denied", func(w *world, id string) { w.review(id, cluster.Bob, deny) }, 1, request.Denied},
			{"decided by an administrator", func(w *world, id string) { w.must(w.Cluster.Decide(id, approve, "fine")) }, 0, request.Approved},
			{"expired", func(w *world, id string) { w.must(w.Cluster.Expire(id)) }, 0, request.Expired},
			{"promoted", func(w *world, id string) { w.must(w.Cluster.Promote(id, "The Night Watch")) }, 0, request.Promoted},
		} {
			t.Run(c.name+" with "+plural(replicas), func(t *testing.T) {
				w := start(t, harness.Options{Replicas: replicas})
				id := w.request()
				w.untilPosted(id)
				c.happens(w, id)
				w.shows(harness.Expected{ID: id, Recipients: w.everyone(), Reviews: c.reviews, Status: c.status})
			})
		}
	}
}

func plural(replicas int) string {
	if replicas == 1 {
		return "one replica"
	}
	return "two replicas"
}

// Two replicas that see everything at the same moment tell each thing once.
func TestReplicasShareTheWork(t *testing.T) {
	w := start(t, harness.Options{Replicas: 2})
	var ids []string
	for range 100 {
		id := w.request()
		w.review(id, cluster.Bob, approve)
		ids = append(ids, id)
	}
	for _, id := range ids {
		w.review(id, cluster.Carol, approve)
	}
	w.shows(harness.Expected{Recipients: w.everyone(), Reviews: 2, Status: request.Approved}.Of(ids...)...)
	if n := notices(w.said(w.dm(cluster.Alice))); n > len(ids) {
		w.Errorf("the requester was notified of %d decisions on %d requests", n, len(ids))
	}
}
