package main

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"teleport-plugins/access/e2e/harness"
)

// replicas is how many there are of each plugin.
const replicas = 2

// lease is that of the config: for so long the claim of a silent replica holds.
const lease = 6 * time.Second

// config is the further config of every plugin.
const config = `[delivery]
call_timeout = "2s"
lease = "6s"
retry_max = "2s"
heartbeat = "1s"

[reminders]
at = ["12s", "30s"]
`

// The reminders of that: the first is after this time, and so many there are.
const (
	firstReminder = 12 * time.Second
	reminders     = 2
)

// process is a replica with what was done to it.
type process struct {
	*harness.Replica
	service string
	number  int

	// busy is held by what is done to it.
	busy sync.Mutex
	// asked says that its end was asked for; disturbed counts what was done to it.
	mu        sync.Mutex
	asked     bool
	disturbed int
	early     size     // the most that it took in the second minute
	ends      []ending // those that nobody asked for
}

// ending is the end of a run of a replica.
type ending struct {
	event
	began time.Time
}

func (p *process) String() string { return fmt.Sprintf("%s/%d", p.service, p.number) }

func (p *process) ask(asked bool) {
	p.disturb()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = asked
}

// ended notes an end that nobody asked for; p.busy is held.
func (p *process) ended(format string, args ...any) {
	p.ends = append(p.ends, ending{event{time.Now(), fmt.Sprintf(format, args...)}, p.Began()})
}

// disturbProcesses plans what is done to replicas, with time between.
func (p *plan) disturbProcesses() {
	for _, service := range p.services {
		for number := range replicas {
			for at := p.between(3*time.Second, 20*time.Second); at < p.length; at += p.between(18*time.Second, 50*time.Second) {
				p.disturbProcess(at, service, number)
			}
		}
	}
}

func (p *plan) disturbProcess(at time.Duration, service string, number int) {
	pause := p.between(0, 3*time.Second)
	short, long := p.between(500*time.Millisecond, lease/2), p.between(lease+2*time.Second, 2*lease)
	kinds := []struct {
		text string
		do   func(w *world, p *process) error
	}{
		{fmt.Sprintf("killed, and started after %v", pause), func(w *world, p *process) error { return w.kill(p, pause) }},
		{fmt.Sprintf("killed, and started after %v", pause), func(w *world, p *process) error { return w.kill(p, pause) }},
		{fmt.Sprintf("ended, and started after %v", pause), func(w *world, p *process) error { return w.end(p, pause) }},
		{"told to reload", func(w *world, p *process) error { return w.reload(p) }},
		{fmt.Sprintf("stopped for %v", short), func(w *world, p *process) error { return w.freeze(p, short) }},
		{fmt.Sprintf("stopped for %v", long), func(w *world, p *process) error { return w.freeze(p, long) }},
	}
	kind := one(p.rng, kinds)
	p.add(at, func(w *world) error {
		q := w.side(service).processes[number]
		w.beside(func() error {
			q.busy.Lock()
			defer q.busy.Unlock()
			return kind.do(w, q)
		})
		return nil
	}, "%s/%d: %s", service, number, kind.text)
}

func (w *world) kill(p *process, pause time.Duration) error {
	over := w.journal.add(mark{service: p.service, class: ofProcess, text: p.String() + " is killed", crash: true, down: true})
	defer over()
	p.ask(true)
	defer p.ask(false)
	if err := p.Kill(); err != nil {
		return err
	}
	time.Sleep(pause)
	return p.Start()
}

func (w *world) end(p *process, pause time.Duration) error {
	over := w.journal.add(mark{service: p.service, class: ofProcess, text: p.String() + " is ended", down: true})
	defer over()
	p.ask(true)
	defer p.ask(false)
	if p.Running() {
		p.listens()
		code, took, err := p.Stop()
		if err != nil || code != 0 {
			p.ended("%v: asked to end, it ended with code %d after %v: %v", p, code, took, err)
		}
	}
	time.Sleep(pause)
	return p.Start()
}

// listens waits until a replica has said its first word. Before that, on a machine that
// is slow, it may not listen to signals yet, and ends by them.
func (p *process) listens() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, _ = p.Logged(ctx, "Serving health and metrics", p.Began())
}

func (w *world) reload(p *process) error {
	w.journal.add(mark{service: p.service, class: ofProcess, text: p.String() + " reloads"})
	p.listens()
	return w.signal(p, syscall.SIGHUP)
}

func (w *world) freeze(p *process, lasts time.Duration) error {
	over := w.journal.add(mark{service: p.service, class: ofProcess, text: p.String() + " stands still", late: lasts > lease})
	defer over()
	p.disturb()
	defer p.disturb()
	if err := w.signal(p, syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(lasts)
	return w.signal(p, syscall.SIGCONT)
}

// signal sends a signal to a replica; one that has ended by itself gets none.
func (w *world) signal(p *process, sig syscall.Signal) error {
	if !p.Running() {
		return nil
	}
	return p.Signal(sig)
}

// keep starts a replica again that has ended by itself, as a service manager
// would, until the run ends.
func (w *world) keep(p *process) {
	for {
		select {
		case <-w.over:
			return
		case <-time.After(100 * time.Millisecond):
		}
		p.mu.Lock()
		ended := !p.asked && !p.Running()
		p.mu.Unlock()
		if !ended {
			continue
		}
		p.busy.Lock()
		if !p.Running() {
			code, _ := p.Wait()
			p.ended("%v: ended by itself with code %d", p, code)
			w.journal.add(mark{service: p.service, class: ofProcess, text: p.String() + " ended by itself", crash: true})
			time.Sleep(time.Second)
			w.must(p.Start())
		}
		p.busy.Unlock()
	}
}
