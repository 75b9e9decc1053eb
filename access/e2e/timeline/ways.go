package timeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// disturbances are a row for each way in which a service disturbs the connections on
// which it sends presses.
func disturbances() (rows []Row) {
	for _, far := range pressers() {
		for _, d := range far.Disturbances() {
			row := Row{
				Name: "presses while " + d.Name, Heavy: d.Slow, Repeat: 5, Setup: askReasons,
				Promise: fmt.Sprintf("connected again within %v; ", d.Within),
				Only: func(s farend.Service) bool {
					far := presser(s)
					return far != nil && slices.ContainsFunc(far.Disturbances(), func(other farend.Disturbance) bool { return other.Name == d.Name })
				},
				Run: func(w *World) { disturbed(w, d.Name) },
			}
			if d.Loses {
				row.Promise += "what is pressed before that shows as failed, and counts when pressed again"
			} else {
				row.Promise += "no press is lost"
			}
			if !slices.ContainsFunc(rows, func(r Row) bool { return r.Name == row.Name }) {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// standings are a row for each kind of account that decides nothing.
func standings() (rows []Row) {
	for _, far := range pressers() {
		for _, standing := range far.Standings() {
			row := Row{
				Name: "press by " + standing, Promise: "refused before the cluster is asked",
				Only: func(s farend.Service) bool {
					far := presser(s)
					return far != nil && slices.Contains(far.Standings(), standing)
				},
				Run: func(w *World) { outsider(w, standing) },
			}
			if !slices.ContainsFunc(rows, func(r Row) bool { return r.Name == row.Name }) {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// outsider has somebody press who could decide, but for the account.
func outsider(w *World, standing string) {
	id := w.pressable(1)[0]
	w.must(w.people.far.Become(cluster.Dave, standing))
	w.people.barred[cluster.Dave] = true
	for _, verdict := range []string{"approve", "deny"} {
		w.refused(farend.Press{Person: cluster.Dave, Request: id, Verdict: verdict}, "decide")
	}
	w.askedFor(0)
	w.becomes(id, cluster.Bob, cluster.Carol)
}

func disturbed(w *World, name string) {
	all := w.people.far.Disturbances()
	d := all[slices.IndexFunc(all, func(d farend.Disturbance) bool { return d.Name == name })]
	ids := w.pressable(6)
	w.pass(d.After)
	w.pressing(ids, 3, func() {
		w.pass(300 * time.Millisecond)
		w.disturb(d)
		w.pass(300 * time.Millisecond)
	})
	w.heal()
	w.becomes(w.pressable(1)[0], reviewers...)
}

// disturb carries a disturbance out, and waits until presses reach the plugin again.
func (w *World) disturb(d farend.Disturbance) {
	if w.failed() != nil {
		return
	}
	earlier, from := w.ever(), time.Now()
	d.Begin()
	if d.Says != "" {
		w.says(false, d.Says)
	}
	if d.End != nil {
		w.pass(d.For)
		d.End()
	}
	ended := time.Now()
	w.connected(earlier)
	if d.Loses {
		w.people.deaf.Note(from, time.Now())
	}
	took := time.Since(ended)
	w.promise(took < d.Within, "connected again after %v", took.Round(time.Millisecond))
}

// restart ends a replica and starts it again, and notes the time between.
func (w *World) restart(replica int, end func() error, spans *harness.Spans) {
	if w.failed() != nil {
		return
	}
	from := time.Now()
	w.must(end())
	earlier := w.ever()
	w.again(replica)
	w.connected(earlier)
	spans.Note(from, time.Now())
}

func clusterStopped(w *World) {
	w.cannotAsk(w.Cluster.Stop, w.Cluster.Resume)
}

func clusterSilent(w *World) {
	w.cannotAsk(func() { w.Cluster.BlackHole(true) }, func() error { w.Cluster.BlackHole(false); return nil })
}

// cannotAsk has people press while the cluster is away, and again when it is back.
func (w *World) cannotAsk(leave func(), back func() error) {
	ids := w.pressable(2)
	leave()
	began := time.Now()
	var all sync.WaitGroup
	for _, person := range reviewers {
		all.Go(func() {
			for range 2 {
				w.refused(farend.Press{Person: person, Request: ids[0], Verdict: "approve"}, "again")
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	w.promise(took < 24*time.Second, "two presses, one after the other, were answered after %v", took.Round(time.Second))
	w.says(false, "connected to Teleport") // or it is ready still, and not again
	w.must(back())
	w.says(true, "")
	w.heal()
	w.becomes(ids[0], reviewers...)
	w.becomes(ids[1], reviewers...)
}

// clusterLeaves has the cluster go away at a random moment of presses.
func clusterLeaves(w *World) {
	ids := w.pressable(4)
	for range of(w, 2, 4) {
		w.Cluster.Slow(100 * time.Millisecond)
		w.pressing(ids, 1, func() {
			w.pass(time.Duration(w.rng.IntN(600)) * time.Millisecond)
			w.Cluster.Stop()
			w.pass(300 * time.Millisecond)
			w.Cluster.Slow(0)
			w.must(w.Cluster.Resume())
		})
		w.says(true, "")
	}
	w.heal()
	w.becomes(w.pressable(1)[0], reviewers...)
}

func killedAmid(w *World) {
	w.endedAmid(func() error { return w.Replica(0).Kill() }, &w.people.dead)
}

func stoppedAmid(w *World) {
	w.endedAmid(func() error {
		code, _, err := w.Replica(0).Stop()
		w.promise(code == 0, "the exit code is %d", code)
		return err
	}, &w.people.deaf)
}

// endedAmid ends the plugin between presses and their reviews, at a random moment, and
// has the same people press again.
func (w *World) endedAmid(end func() error, spans *harness.Spans) {
	for _, id := range w.pressable(of(w, 3, 6)) {
		w.Cluster.Slow(150 * time.Millisecond)
		ctx, giveUp := context.WithTimeout(w.ctx, pressTime)
		var all sync.WaitGroup
		for _, person := range reviewers[:2] {
			all.Go(func() { w.pressWith(ctx, farend.Press{Person: person, Request: id, Verdict: "approve"}) })
		}
		w.pass(time.Duration(w.rng.IntN(900)) * time.Millisecond)
		w.restart(0, func() error {
			err := end()
			w.Cluster.Slow(0)
			return err
		}, spans)
		giveUp()
		all.Wait()
		w.becomes(id, reviewers[:2]...)
	}
	w.heal()
}
