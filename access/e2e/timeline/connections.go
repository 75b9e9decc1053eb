package timeline

import (
	"time"

	"teleport-plugins/access/e2e/harness"
)

// connections are rows in which the cluster cannot be heard.
func connections() []Row {
	return []Row{
		{
			Name:    "watch stream cut every second for 30 s of a burst",
			Promise: "each loss, with or without an error, is a reconnect and a new list",
			Run:     cut,
		},
		{
			Name:    "the same with 3 replicas",
			Promise: "as before, and told once",
			Setup:   func(_ *World, o *harness.Options) { o.Replicas = 3 },
			Run:     cut,
		},
		{
			Name:    "the same with a cluster of version 14",
			Promise: "as before, through the older calls",
			Setup:   func(_ *World, o *harness.Options) { o.Cluster.Old = true },
			Run:     cut,
		},
		{
			Name:    "Auth Service restarted twice in a burst",
			Promise: "as before; the process goes on",
			Run:     restarts,
		},
		{
			Name:    "black hole of 2 minutes: packets vanish, nothing is closed",
			Promise: "the plugin notices by its own heartbeat within 10 s and says so",
			Setup: func(w *World, o *harness.Options) {
				o.Config = "[delivery]\ncall_timeout = \"2s\"\nlease = \"4s\"\nretry_max = \"200ms\"\nheartbeat = \"" + of(w, "300ms", "1s") + "\"\n"
			},
			Run: blackHole,
		},
	}
}

func cut(w *World) {
	w.beside(every(of(w, 250*time.Millisecond, time.Second), func(i int) error {
		switch i % 3 {
		case 0:
			w.Cluster.CutStreams(true)
		case 1:
			w.Cluster.CutStreams(false)
		default:
			w.Cluster.CutConnections()
		}
		return nil
	}), func() { w.burst(of(w, 60, 300), of(w, 2*time.Second, 30*time.Second)) })
	w.heal()
}

func restarts(w *World) {
	for range 2 {
		w.burst(of(w, 20, 100), 0)
		w.Cluster.Stop()
		w.burst(of(w, 20, 100), of(w, 300*time.Millisecond, 5*time.Second))
		w.must(w.Cluster.Resume())
		w.burst(of(w, 10, 50), 0)
	}
	w.heal()
}

func blackHole(w *World) {
	w.burst(of(w, 10, 50), 0)
	w.settle()
	w.Cluster.BlackHole(true)
	began := time.Now()
	w.burst(of(w, 10, 50), 0)
	w.says(false, "connected to Teleport")
	w.promise(time.Since(began) < 10*time.Second, "the black hole was noticed after %v", time.Since(began).Round(time.Second))
	w.burst(of(w, 10, 50), of(w, 2*time.Second, 2*time.Minute-time.Since(began)))
	w.Cluster.BlackHole(false)
	w.heal()
}
