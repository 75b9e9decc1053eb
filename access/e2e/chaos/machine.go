package main

import (
	"context"
	"fmt"
	"time"

	"teleport-plugins/access/e2e/harness"
)

const (
	// beat is the time between two questions to a replica, and sluggish how late an
	// answer may come. One that comes later says that the machine is slow: then
	// deadlines pass and leases run out that nobody has disturbed.
	beat, sluggish = 500 * time.Millisecond, 500 * time.Millisecond
)

// feel asks a replica again and again, and marks the times in which it, or this
// program, got too little of the machine.
func (w *world) feel(p *process) {
	for {
		began, disturbed := time.Now(), p.disturbances()
		select {
		case <-w.over:
			return
		case <-time.After(beat):
		}
		if !p.answers() {
			continue
		}
		if running := time.Since(w.began); running > time.Minute && running < 2*time.Minute {
			p.weigh()
		}
		if late := time.Since(began) - beat; late > sluggish && disturbed == p.disturbances() {
			w.journal.since(began, mark{
				service: p.service, class: ofMachine, slow: true,
				text: fmt.Sprintf("is slow: %v was late by %v", p, late.Round(time.Millisecond)),
			})
		}
	}
}

// answers reports whether a replica answered.
func (p *process) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	_, _, err := p.Readiness(ctx)
	return err == nil
}

// disturbances is how often something was done to a replica that keeps it from
// answering.
func (p *process) disturbances() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.disturbed
}

func (p *process) disturb() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disturbed++
}

// slowness is for how long the machine was slow since a time. Of replicas that are
// late at the same time one counts.
func (w *world) slowness(since time.Time) (total time.Duration) {
	for _, m := range w.journal.all(nil) { // in the order of their ends
		if m.slow && m.to.After(since) {
			from := m.from
			if from.Before(since) {
				from = since
			}
			total += m.to.Sub(from)
			since = m.to
		}
	}
	return total
}
