package timeline

import (
	"context"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/farend"
)

// shortLease lets a replica take over soon. The time for a call is shorter than
// that by as much as the config asks for.
const shortLease = `[delivery]
call_timeout = "900ms"
lease = "2s"
retry_max = "200ms"
heartbeat = "500ms"
`

// steadyLease is for rows whose promise allows no call or write to run out of time
// unless a replica is killed: longer than a busy machine takes.
const steadyLease = `[delivery]
call_timeout = "4s"
lease = "8s"
retry_max = "200ms"
heartbeat = "2s"
`

// crashes are rows in which the plugin is not there, or not to its end.
func crashes() []Row {
	return []Row{
		{
			Name:    "plugin down while 200 requests are made, 50 decided, 20 expired",
			Promise: "one post each in its present state; expired ones are not announced, and those announced before say so",
			Run:     down,
		},
		{
			Name:    "the same with a cluster of version 14",
			Promise: "as before, through the older calls",
			Setup:   func(_ *World, o *harness.Options) { o.Cluster.Old = true },
			Run:     down,
		},
		{
			Name:    "kill -9 at a random moment of a burst of 500, and restart",
			Promise: "0 doubled: what may have been posted is looked up by metadata, nonce or key",
			Repeat:  20,
			Setup:   func(_ *World, o *harness.Options) { o.Config = shortLease },
			Run:     killed,
		},
		{
			Name:    "the same without the scope to read history",
			Promise: "doubled at most one message in each place for each kill",
			Only:    blindable,
			Repeat:  20,
			Setup: func(_ *World, o *harness.Options) {
				o.Config, o.FarEnd.Blind = steadyLease, true
			},
			Run: func(w *World) {
				killed(w)
				w.mayDouble = len(w.everyone())
			},
		},
		{
			Name:    "3 replicas, one killed in a burst of 300",
			Promise: "0 doubled: the others take its requests over after the lease, and look first",
			Repeat:  5,
			Setup:   func(_ *World, o *harness.Options) { o.Config, o.Replicas = shortLease, 3 },
			Run:     oneOfThree,
		},
		{
			Name:    "3 replicas, all killed in a burst of 300, and restarted",
			Promise: "0 doubled",
			Repeat:  5,
			Setup:   func(_ *World, o *harness.Options) { o.Config, o.Replicas = shortLease, 3 },
			Run:     allOfThree,
		},
		{
			Name:    "the same without the scope to read history",
			Promise: "doubled at most one message in each place for each kill",
			Only:    blindable,
			Repeat:  5,
			Setup: func(_ *World, o *harness.Options) {
				o.Config, o.Replicas, o.FarEnd.Blind = steadyLease, 3, true
			},
			Run: func(w *World) {
				allOfThree(w)
				w.mayDouble = w.Replicas() * len(w.everyone())
			},
		},
	}
}

// blindable are services at which the right to look up what was posted can be
// missing.
func blindable(s farend.Service) bool { return s.CanBlind }

func down(w *World) {
	before := w.create(of(w, 9, 30))
	w.settle()
	code, _, err := w.Replica(0).Stop()
	w.must(err)
	w.promise(code == 0, "the plugin ended with code %d", code)
	third := len(before) / 3
	w.approve(before[:third]...)
	w.deny(before[third : 2*third]...)
	w.expire(true, before[2*third:]...)

	made := w.create(of(w, 40, 200))
	decided, expired := len(made)/4, len(made)/10
	for i, id := range made[:decided] {
		if i%2 == 0 {
			w.approve(id)
		} else {
			w.deny(id)
		}
	}
	w.expire(false, made[decided:decided+expired]...)
	w.heal()
	w.again(0)
}

// amid ends replicas at a random moment of a burst.
func (w *World) amid(n int, kill func() error) {
	calls := n * len(w.everyone())
	at := 1 + w.rng.IntN(calls*9/10)
	w.beside(func(context.Context) error {
		w.until("the moment of the kill has come", func() bool { return w.posts() >= at })
		return kill()
	}, func() { w.burst(n, 0) })
}

func killed(w *World) {
	w.amid(of(w, 60, 500), w.Replica(0).Kill)
	w.heal()
	w.again(0)
}

func oneOfThree(w *World) {
	w.amid(of(w, 60, 300), w.Replica(w.rng.IntN(3)).Kill)
	w.heal()
}

func allOfThree(w *World) {
	w.amid(of(w, 60, 300), func() error {
		for i := range w.Replicas() {
			if err := w.Replica(i).Kill(); err != nil {
				return err
			}
		}
		return nil
	})
	w.heal()
	for i := range w.Replicas() {
		w.again(i)
	}
}

// approved is a decision.
const approved = types.RequestState_APPROVED
