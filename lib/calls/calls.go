// Package calls makes the calls to a service: so many at once as is good, each
// within its time and in the lane of its place. It learns from each how the service
// is, and remembers the addresses that the service gave.
package calls

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/lane"
	"teleport-plugins/lib/outbound"
)

// Patience is how long others wait for a call. One that takes longer goes on alone.
const Patience = time.Second

// ErrNotMade is within the error of a call that was not made.
var ErrNotMade = errors.New("the call was not made")

// Options tell a Caller what to work with.
type Options struct {
	// Resolve asks the service for the address of a recipient.
	Resolve func(ctx context.Context, recipient string) (address string, err error)
	// Lanes are the ways to the places of the service.
	Lanes *lane.Lanes
	// Most is how many calls are under way at once.
	Most int
	// Time bounds one call.
	Time time.Duration
	// Accepted states whether the service accepts our credentials, and why not.
	Accepted func(ok bool, reason string)
	// Stepped counts a call, how it ended, and how long it took.
	Stepped func(step integration.Step, err error, took time.Duration)
	Digest  *diag.Digest
	Crashes diag.Crashes
}

// Caller makes calls. Make one with New; it may be used by several goroutines.
type Caller struct {
	Options
	under      *semaphore.Weighted
	background sync.WaitGroup

	mu        sync.Mutex
	addresses map[string]address // by recipient
}

// New returns a Caller.
func New(o Options) *Caller {
	return &Caller{Options: o, under: semaphore.NewWeighted(int64(o.Most)), addresses: make(map[string]address)}
}

// Go does something in the background, for which Wait waits.
func (c *Caller) Go(fn func()) { c.background.Go(fn) }

// Wait waits for all that is under way.
func (c *Caller) Wait() { c.background.Wait() }

// Do makes one call. One that takes long does not count among those under way, and
// lets no further one begin in its lane beside it.
func (c *Caller) Do(ctx context.Context, step integration.Step, key string, fn func(context.Context) error) error {
	if err := c.under.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("%w: %s: waiting for other calls to end: %w", ErrNotMade, step, err)
	}
	release := sync.OnceFunc(func() { c.under.Release(1) })
	defer release()
	ctx, cancel := context.WithTimeout(ctx, c.Time)
	defer cancel()
	late := time.AfterFunc(Patience, func() { c.Lanes.Slow(key); release() })
	ctx, answered := outbound.Witness(ctx)
	start := time.Now()
	err := fn(ctx)
	late.Stop()
	if errors.Is(err, ErrNotMade) {
		return err
	}
	c.Stepped(step, err, time.Since(start))
	c.heard(err)
	switch {
	case err == nil && answered(): // what needs no call is no evidence
		c.Accepted(true, "")
	case outbound.RefusesToken(err):
		c.refuseToken(err)
	}
	return err
}

// Checked takes in what came of asking the service whether it accepts us. Requests
// that wait since it refused the token go on as soon as it accepts it again.
func (c *Caller) Checked(err error) {
	c.heard(err)
	switch {
	case err == nil:
		c.Lanes.Accept(lane.Token, time.Now(), true)
		c.Accepted(true, "")
	case outbound.RefusesToken(err):
		c.refuseToken(err)
	}
}

// heard takes in whether the service has answered a call. One that was not made is none.
func (c *Caller) heard(err error) {
	if !outbound.HeldBack(err) {
		c.Lanes.Heard(outbound.Answered(err))
	}
}

func (c *Caller) refuseToken(err error) {
	c.Lanes.Refuse(lane.Token)
	c.Accepted(false, err.Error())
}
