package timeline

import (
	"context"
	"slices"
	"syscall"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/fault"
)

// signals are rows in which somebody changes the config or ends the process, and
// one in which a clock is wrong.
func signals() []Row {
	return []Row{
		{
			Name:    "SIGHUP with other recipients, severity and token in a burst",
			Promise: "requests from before keep their recipients, those after have the new ones; same process",
			Run:     reloaded,
		},
		{
			Name:    "SIGHUP with a broken config in a burst",
			Promise: "the old config stays, and one error says so",
			Run:     notReloaded,
		},
		{
			Name:    "SIGTERM in a burst, and restart",
			Promise: "exit code 0 within 20 s, 0 doubled after the restart",
			Repeat:  5,
			Run:     terminated,
		},
		{
			Name:    "second SIGTERM while a call hangs",
			Promise: "ends at once; 0 doubled after the restart",
			Setup:   func(_ *World, o *harness.Options) { o.Config = slowCalls },
			Run:     twiceTerminated,
		},
		{
			Name:    "clock of one replica of three an hour ahead, in a burst, another one killed",
			Promise: "0 doubled: a claim ages by the clock of whoever waits for it, from when it was first seen",
			Heavy:   true,
			Repeat:  3,
			Setup: func(w *World, o *harness.Options) {
				o.Config, o.Replicas = shortLease, 3
				path, err := w.hourAhead()
				w.must(err)
				o.Binaries = map[int]string{1: path}
			},
			Run: func(w *World) {
				w.amid(of(w, 60, 300), w.Replica(0).Kill)
				w.heal()
			},
		},
	}
}

// slowCalls lets a call hang for long.
const slowCalls = `[delivery]
call_timeout = "4s"
lease = "8s"
retry_max = "200ms"
heartbeat = "500ms"
`

func reloaded(w *World) {
	began, process := time.Now(), w.Replica(0).Began()
	w.burst(of(w, 20, 200), 0)
	w.settle() // the recipients of a request are chosen when it is first looked at
	w.places = slices.Clone(harness.Channels(w.service)[1:])
	w.Service().RenewToken()
	w.must(w.Configure(map[string][]string{"*": w.places}, usualTimes+"\n[log]\nseverity = \"debug\"\n"))
	w.route(w.places)
	w.beside(func(context.Context) error { return w.Replica(0).Signal(syscall.SIGHUP) }, func() {
		w.logged(0, "The config was reloaded", began)
		w.burst(of(w, 20, 200), 0)
	})
	w.settle()
	w.logged(0, "DEBUG", began)
	w.promise(w.Replica(0).Began().Equal(process), "the process is another")
	// Now without changes and at any moment.
	w.beside(every(of(w, 100*time.Millisecond, time.Second), func(int) error {
		return w.Replica(0).Signal(syscall.SIGHUP)
	}), func() { w.burst(of(w, 40, 400), of(w, time.Second, 10*time.Second)) })
	w.heal()
}

func notReloaded(w *World) {
	began := time.Now()
	w.must(w.Configure(map[string][]string{"*": w.places}, "[delivery]\nlease = \"soon\"\n"))
	w.beside(func(context.Context) error { return w.Replica(0).Signal(syscall.SIGHUP) }, func() {
		w.burst(of(w, 20, 200), of(w, 300*time.Millisecond, 5*time.Second))
	})
	w.logged(0, "the old one stays in force", began)
	w.logged(0, "lease", began)
	w.heal()
}

func terminated(w *World) {
	w.amid(of(w, 60, 300), func() error {
		code, took, err := w.Replica(0).Stop()
		w.promise(code == 0, "the exit code is %d", code)
		w.promise(took < 20*time.Second, "the end took %v", took.Round(time.Second))
		return err
	})
	w.heal()
	w.again(0)
}

func twiceTerminated(w *World) {
	w.fault(fault.Fault{Method: w.Methods().Post, Target: w.Place(w.places[1]), Effect: fault.Hang, Times: 1})
	w.create(1)
	w.until("the call hangs", func() bool { return len(w.Service().Faults().List()) == 0 })
	began := time.Now()
	if w.failed() != nil {
		return
	}
	w.must(w.Replica(0).Signal(syscall.SIGTERM))
	w.logged(0, "Stopping", began)
	w.pass(1200 * time.Millisecond) // sooner it would be an echo of the first
	w.promise(w.Replica(0).Running(), "the first SIGTERM did not wait for the call")
	began = time.Now()
	w.must(w.Replica(0).Signal(syscall.SIGTERM))
	code, err := w.Replica(0).Wait()
	w.must(err)
	w.promise(code == 1, "the exit code is %d", code)
	w.promise(time.Since(began) < 2*time.Second, "the end took %v", time.Since(began))
	w.clearFaults()
	w.again(0)
}
