package calls

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/lane"
	"teleport-plugins/lib/outbound"
)

// addressAge is how long it is believed that a recipient has an address, and
// maxAddresses how many are remembered.
const (
	addressAge   = 10 * time.Minute
	maxAddresses = 10_000
)

// address is what the service called a recipient, and until when that is believed.
type address struct {
	text  string
	until time.Time
}

// Address is what the service called a recipient lately, or empty.
func (c *Caller) Address(recipient string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.addresses[recipient]; time.Now().Before(a.until) {
		return a.text
	}
	return ""
}

func (c *Caller) learn(recipient, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.addresses) >= maxAddresses {
		clear(c.addresses)
	}
	c.addresses[recipient] = address{text, time.Now().Add(addressAge)}
}

// Resolve finds the addresses of recipients for a request, which Address has then.
// Each is asked for once, whoever waits for it. For one that takes long the request
// waits in its lane and is woken.
func (c *Caller) Resolve(ctx context.Context, id string, recipients []string) {
	asked, found := 0, make(chan struct{}, len(recipients))
	var left atomic.Bool // Resolve has returned
	for _, name := range recipients {
		key := lane.Name(name)
		if c.Address(name) != "" {
			c.Lanes.Skip(key, id)
			continue
		}
		if !c.Lanes.Enter(key, id, true) {
			continue
		}
		asked++
		c.Go(func() {
			defer func() { found <- struct{}{} }()
			defer c.Lanes.Leave(key)
			defer c.Crashes.Catch(id, "a recipient")
			if !c.ask(ctx, key, name) || left.Load() {
				c.Lanes.Await(key, id)
			}
		})
	}
	late := time.NewTimer(Patience)
	defer late.Stop()
	for range asked {
		select {
		case <-found:
		case <-late.C:
			left.Store(true)
			return
		}
	}
}

// ask asks the service for an address, and reports whether it has one.
func (c *Caller) ask(ctx context.Context, key, name string) bool {
	var text string
	begun := time.Now()
	err := c.Do(ctx, integration.StepResolve, key, func(ctx context.Context) (err error) {
		text, err = c.Options.Resolve(ctx, name)
		return err
	})
	if err == nil && text == "" {
		err = errors.New("the service gave no address")
	}
	if err != nil {
		c.unresolved(key, name, err)
		return false
	}
	c.learn(name, text)
	if c.Lanes.Accept(key, begun, true) {
		c.Digest.Info("A recipient can be reached again", name)
	}
	return true
}

// unresolved closes the lane of a recipient whose address was not found, until it
// is asked for again.
func (c *Caller) unresolved(key, name string, err error) {
	switch {
	case outbound.RefusesToken(err):
	case outbound.KindOf(err) == outbound.Refused:
		if c.Lanes.Refuse(key) {
			c.Digest.Warn("A recipient cannot be reached; it is tried again now and then", name, zap.String("recipient", name), zap.Error(err))
		}
	default:
		c.Lanes.Hold(key, outbound.AfterOf(err))
		c.Digest.Warn("A recipient could not be looked up; it is tried again", name, zap.String("recipient", name), zap.Error(err))
	}
}
