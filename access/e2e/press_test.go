package e2e_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// withButtons starts replicas of a plugin whose service has buttons, or skips the test.
func withButtons(t *testing.T, service string, replicas int) (*world, farend.Presser) {
	t.Helper()
	w := start(t, harness.Options{Service: service, Replicas: replicas, Halted: true, Review: map[string]any{}})
	far, ok := w.Service().(farend.Presser)
	if !ok {
		t.Skip("people cannot press anything there")
	}
	w.Cluster.AddRole(role, cluster.RoleSpec{Approve: 10, Deny: 10})
	w.must(w.StartReplicas())
	return w, far
}

// One hundred presses over three replicas that are killed now and then: at most one
// review for each person and request, and whoever presses while all replicas live hears
// what came of it.
func TestPressesOverReplicasThatAreKilled(t *testing.T) {
	for _, service := range harness.Services() {
		t.Run(service, func(t *testing.T) {
			w, far := withButtons(t, service, 3)
			var requests []string
			for range 10 {
				id := w.request()
				w.untilPosted(id)
				requests = append(requests, id)
			}
			ctx, stop := context.WithCancel(t.Context())
			var killed harness.Spans
			var killing, people sync.WaitGroup
			killing.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					r, from := w.Replica(i%3), time.Now()
					w.must(r.Kill())
					w.must(r.Start())
					_ = r.Ready(ctx)
					killed.Note(from, time.Now())
					select {
					case <-ctx.Done():
					case <-time.After(time.Second):
					}
				}
			})
			killing.Go(func() { harness.WatchMachine(ctx, 300*time.Millisecond, killed.Note) })
			names := []string{cluster.Alice, cluster.Bob, cluster.Carol, cluster.Dave, "mallory@example.com"}
			var mu sync.Mutex
			var excuses []func() // are asked for once it is known what was killed when
			for i, person := range names {
				rng := rand.New(rand.NewPCG(uint64(i), 7))
				people.Go(func() {
					for range 20 {
						verdict, from := []string{"approve", "deny"}[rng.IntN(2)], time.Now()
						// Whoever took the press may be killed before it is answered.
						pressing, done := context.WithTimeout(ctx, 12*time.Second)
						saw, err := far.Press(pressing, person, requests[rng.IntN(len(requests))], verdict, "because")
						done()
						said := strings.Join(saw, " ")
						unheard := said == "" || strings.Contains(said, "did not respond") || strings.Contains(said, "interaction failed")
						if to := time.Now(); i < 4 && unheard {
							mu.Lock()
							excuses = append(excuses, func() {
								if !killed.Hit(from, to) {
									t.Errorf("%s pressed and saw %q, %v", person, said, err)
								}
							})
							mu.Unlock()
						}
					}
				})
			}
			people.Wait()
			stop()
			killing.Wait()
			for _, excuse := range excuses {
				excuse()
			}
			reviews := 0
			for _, id := range requests {
				req, _ := w.Cluster.Request(id)
				by := map[string]bool{}
				for _, r := range req.GetReviews() {
					if reviews++; by[r.Author] || r.Author == names[4] || r.Author == req.GetUser() {
						t.Errorf("request %s has a review too many, of %s", id, r.Author)
					}
					by[r.Author] = true
				}
			}
			if reviews == 0 {
				t.Error("no press became a review")
			}
			t.Logf("%d reviews, %d kills", reviews, killed.Len())
		})
	}
}
