package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"

	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/scene"
	"teleport-plugins/lib/sandbox/tally"
)

// lookPause is the least time between two looks at what a step waits for.
const lookPause = 100 * time.Millisecond

// actor plays the steps of a scene, one after the other.
type actor struct {
	*Sandbox
	of    Scene
	asked []string // ids of requests
	undo  []func() error
	// replicas is how many of the plugin ran in the beginning.
	replicas int
	// switched are the switches that are set back in the end.
	switched []string
}

// step does what a step says, and waits for what it waits for.
func (a *actor) step(ctx context.Context, step scene.Step) error {
	for _, do := range []func(context.Context, scene.Step) error{a.disturb, a.set, a.review, a.ask, a.press, a.kill} {
		if err := do(ctx, step); err != nil {
			return err
		}
	}
	if !pace.Sleep(ctx, step.Time()) {
		return ctx.Err()
	}
	return a.wait(ctx, step)
}

// disturb sets faults, or ends them.
func (a *actor) disturb(_ context.Context, step scene.Step) error {
	if step.Heal {
		if err := a.heal(); err != nil {
			return err
		}
	}
	if step.Refuse {
		a.cluster.RefuseConnections(true)
		a.undo = append(a.undo, func() error { a.cluster.RefuseConnections(false); return nil })
	}
	if step.Action != "" {
		if err := a.ChangeFaults(FaultChange{Action: step.Action}); err != nil {
			return err
		}
	}
	if step.Fault != nil {
		v, err := a.service(a.of.Service)
		if err != nil {
			return err
		}
		remove := v.Faults().Add(*step.Fault)
		a.undo = append(a.undo, func() error { remove(); return nil })
		a.changes.tell()
	}
	return nil
}

// heal undoes all that was set.
func (a *actor) heal() (err error) {
	for _, undo := range a.undo {
		err = errors.Join(err, undo())
	}
	a.undo, a.switched = nil, nil
	a.changes.tell()
	return err
}

// set sets a switch of the service, and how many replicas run.
func (a *actor) set(_ context.Context, step scene.Step) error {
	if step.Replicas > 0 {
		if err := a.plugins.scale(a.of.Service, step.Replicas); err != nil {
			return err
		}
	}
	if step.Switch == nil {
		return nil
	}
	if err := a.switchBack(step.Switch.ID); err != nil {
		return err
	}
	return a.setSwitch(a.of.Service, step.Switch.ID, step.Switch.On)
}

// switchBack has a switch be in the end as it was in the beginning.
func (a *actor) switchBack(id string) error {
	v, err := a.service(a.of.Service)
	if err != nil || slices.Contains(a.switched, id) {
		return err
	}
	for _, one := range v.Panel(1).Switches {
		if one.ID == id {
			a.switched = append(a.switched, id)
			a.undo = append(a.undo, func() error { return a.setSwitch(a.of.Service, id, one.On) })
		}
	}
	return nil
}

// scaleBack has as many replicas run as in the beginning.
func (a *actor) scaleBack() error {
	if a.replicas == 0 {
		return nil // the sandbox does not run the plugin itself
	}
	return a.plugins.scale(a.of.Service, a.replicas)
}

func (a *actor) ask(ctx context.Context, step scene.Step) error {
	if step.Ask == nil {
		return nil
	}
	a.asked = nil
	for i := range max(step.Ask.Times, 1) {
		if i > 0 && !pace.Sleep(ctx, time.Duration(step.Ask.Every)*time.Millisecond) {
			return ctx.Err()
		}
		id, err := a.cluster.CreateRequest(cluster.CreateParams{
			User: step.Ask.User, Roles: []string{step.Ask.Role}, Reason: step.Ask.Reason, SuggestedReviewers: step.Ask.Suggest,
		})
		if err != nil {
			return err
		}
		a.asked = append(a.asked, id)
	}
	return nil
}

// review approves what is still to be decided; a plugin may have come first.
func (a *actor) review(_ context.Context, step scene.Step) error {
	if step.Review == nil {
		return nil
	}
	for _, id := range a.asked {
		err := a.cluster.Review(id, step.Review.Author, types.RequestState_APPROVED, step.Review.Reason)
		if err != nil && !trace.IsAccessDenied(err) {
			return err
		}
	}
	return nil
}

func (a *actor) press(ctx context.Context, step scene.Step) error {
	if step.Press == nil {
		return nil
	}
	if len(a.asked) == 0 {
		return errors.New("nobody has asked for anything yet")
	}
	_, err := a.pressButton(ctx, Press{
		Service: a.of.Service, Person: step.Press.Person, Request: a.asked[len(a.asked)-1], Verdict: "approve", Reason: step.Press.Reason,
	})
	return err
}

// kill kills the first plugin, in the middle of what was asked if the step says so.
func (a *actor) kill(ctx context.Context, step scene.Step) error {
	if step.Begun {
		if err := a.until(ctx, "for messages", a.someAnnounced); err != nil {
			return err
		}
	}
	if !step.Kill {
		return nil
	}
	return a.plugins.kill(a.of.Service)
}

// someAnnounced reports whether a quarter of what was asked is announced somewhere.
func (a *actor) someAnnounced() bool {
	v, err := a.service(a.of.Service)
	if err != nil {
		return false
	}
	asked := make(map[string]bool, len(a.asked))
	for _, id := range a.asked {
		asked[id] = true
	}
	n := 0
	for _, s := range v.Panel(len(a.asked) * 2).Sights() {
		if asked[s.Request] {
			n++
		}
	}
	return n*4 >= len(a.asked)
}

// wait waits for what a step names.
func (a *actor) wait(ctx context.Context, step scene.Step) error {
	for _, w := range []struct {
		wanted bool
		what   string
		holds  func() bool
	}{
		{step.Missing, "for a message that is missing", func() bool { return a.tally().Lost > 0 }},
		{step.Approved, "for the approval", a.approved},
		{step.Ready, "for the plugin to be ready", a.ready},
		{step.Told, "for all messages", func() bool { return a.tally().Clean() }},
	} {
		if !w.wanted {
			continue
		}
		if err := a.until(ctx, w.what, w.holds); err != nil {
			return err
		}
	}
	return nil
}

// until waits for something. It looks a few times a second: to look takes time, which
// the plugins need as well.
func (a *actor) until(ctx context.Context, what string, holds func() bool) error {
	bounded, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	for {
		began := time.Now()
		if holds() {
			return nil
		}
		if pace.Sleep(bounded, max(lookPause, 2*time.Since(began))) {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("it waited %s %s in vain", stepTime, what)
	}
}

// tally is what is wrong at the services that the scene concerns.
func (a *actor) tally() tally.Tally {
	all := a.Tally()
	if a.of.Service == everywhere {
		return all.Total
	}
	return all.Services[a.of.Service]
}

func (a *actor) approved() bool {
	for _, id := range a.asked {
		if r, ok := a.cluster.Request(id); !ok || !r.GetState().IsApproved() {
			return false
		}
	}
	return true
}

// ready reports whether all plugins of the service that the sandbox runs are ready.
func (a *actor) ready() bool {
	for _, r := range a.plugins.of(a.of.Service) {
		if says := r.readiness(); !says.Ready {
			return false
		}
	}
	return true
}
