// Package watch follows the access requests of a cluster. It holds one
// connection and one stream of events, tells which request changed, and lists
// requests whenever events may have been missed: after each connection, and on
// a timer. A stream that ends, with or without an error, or that has gone
// silent, is a reason to connect again and never one to stop.
package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"
)

// Source is a connection to the cluster.
type Source interface {
	Ping(ctx context.Context) error
	NewWatcher(ctx context.Context, kinds ...string) (types.Watcher, error)
	ListRequests(ctx context.Context, fn func(page []*types.AccessRequestV3) error) error
	AllPluginData(ctx context.Context, kind, plugin string, fn func(resource string, data map[string]string) error) error
	Close() error
}

// Sink is told which requests to look at. Its methods return at once.
type Sink interface {
	// Changed: something happened to the request just now, and this is how it
	// looks since.
	Changed(req types.AccessRequest)
	// Deleted: the cluster says that the request is gone.
	Deleted(id string)
	// Listed: the request is there; something may have happened to it.
	Listed(req types.AccessRequest)
	// Recorded: there is a record of the request; it reports whether the
	// request had not ended when it was written.
	Recorded(id string, data map[string]string) (open bool)
	// Open calls f with each request that had not ended when last looked at.
	Open(f func(id string))
}

// Rules is told of changes of access monitoring rules.
type Rules interface {
	// Reload reads all rules anew.
	Reload(ctx context.Context) error
}

// Health is told in which condition the connection is.
type Health interface {
	Set(condition string, ok bool, reason string)
}

// Observer counts what happens on the stream; metrics implement it.
type Observer interface {
	// Event is told each event, by its operation: put or delete.
	Event(op string)
	// Streaming is told when a stream was confirmed; the zero time says that
	// there is none.
	Streaming(since time.Time)
}

// Condition is the name under which the connection's health is stated.
const Condition = "connected to Teleport"

// Options tell Run what to follow. The zero value of each duration stands for
// its default.
type Options struct {
	// Plugin is the name under which records are kept.
	Plugin string
	// Connect makes a connection; it is called again after each loss.
	Connect func(ctx context.Context) (Source, error)
	// Fatal says of an error of Connect that trying again is of no use.
	Fatal func(error) bool
	// Refused says of an error that a permission is missing.
	Refused func(error) bool
	// Redial asks for a new connection, because the identity was renewed.
	Redial <-chan struct{}
	// FailFast makes the loss of the connection fatal.
	FailFast bool
	Sink     Sink
	Rules    Rules // may be nil
	Health   Health
	Observer Observer
	Log      *zap.Logger

	// Init bounds the wait for the stream's confirmation; default 15s.
	Init time.Duration
	// Heartbeat is the pause between two signs of life; default 10s.
	Heartbeat time.Duration
	// Resync is the pause between two lists while all goes well; default 10m.
	Resync time.Duration
	// BackoffMax bounds the pause before connecting again; default 5s.
	BackoffMax time.Duration
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Init, 15 * time.Second},
		{&o.Heartbeat, 10 * time.Second},
		{&o.Resync, 10 * time.Minute},
		{&o.BackoffMax, 5 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
}

// Run follows the cluster until the context ends; it then returns nil. It
// returns an error only where trying again is of no use.
func Run(ctx context.Context, o Options) error {
	o.setDefaults()
	f := &follower{Options: o, first: true}
	defer o.Observer.Streaming(time.Time{})
	var src Source
	for ctx.Err() == nil {
		var err error
		if src == nil {
			src, err = o.Connect(ctx)
		}
		if err == nil {
			src, err = f.follow(ctx, src)
		}
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			if err := f.lost(ctx, err); err != nil {
				return err
			}
		}
	}
	if src != nil {
		_ = src.Close()
	}
	return nil
}

type follower struct {
	Options
	first    bool // no catch-up was finished yet
	failures int  // connections in a row on which no stream was confirmed
}

// lost says what is wrong and waits before the next try.
func (f *follower) lost(ctx context.Context, err error) error {
	f.Observer.Streaming(time.Time{})
	if f.Fatal(err) {
		return err
	}
	if f.FailFast {
		return fmt.Errorf("the connection was lost and TELEPORT_PLUGIN_FAIL_FAST asks to stop then: %w", err)
	}
	f.Health.Set(Condition, false, err.Error())
	f.failures++
	wait := min(20*time.Millisecond<<min(f.failures-1, 16), f.BackoffMax)
	wait = time.Duration(float64(wait) * (0.75 + 0.5*rand.Float64()))
	f.Log.Debug("Connecting to Teleport again", zap.Error(err), zap.Int("failures", f.failures))
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	case <-f.Redial: // a new identity may be all that was missing
	}
	return nil
}

// errSilent is the reason for a new connection when the old one does not answer.
var errSilent = errors.New("the cluster does not answer any more")

// follow reads one stream to its end. It returns the connection to go on with
// if there is one already.
func (f *follower) follow(ctx context.Context, src Source) (next Source, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	var helpers sync.WaitGroup
	defer func() {
		stop(nil)
		_ = src.Close()
		helpers.Wait()
	}()
	kinds := []string{types.KindAccessRequest}
	if f.Rules != nil {
		kinds = append(kinds, types.KindAccessMonitoringRule)
	}
	watcher, err := src.NewWatcher(ctx, kinds...)
	if err != nil {
		return nil, fmt.Errorf("watching access requests: %w", err)
	}
	defer watcher.Close()
	confirmed, err := f.confirm(ctx, watcher)
	if err != nil {
		return nil, err
	}
	f.failures = 0
	f.Observer.Streaming(time.Now())
	f.Log.Info("Watching access requests", zap.Strings("kinds", confirmed))
	rules := make(chan struct{}, 1)
	helpers.Go(func() { f.keepUp(ctx, src) })
	helpers.Go(func() { f.heartbeat(ctx, src, stop) })
	if f.Rules != nil {
		rules <- struct{}{}
		helpers.Go(func() { f.keepRules(ctx, rules) })
	}
	return f.events(ctx, watcher, rules)
}

// confirm waits for the first event, which says what the stream will tell.
func (f *follower) confirm(ctx context.Context, w types.Watcher) (kinds []string, err error) {
	timer := time.NewTimer(f.Init)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C:
		return nil, fmt.Errorf("the watch was not confirmed within %v", f.Init)
	case <-w.Done():
		return nil, fmt.Errorf("watching access requests: %w", endOf(w))
	case e := <-w.Events():
		if e.Type != types.OpInit {
			return nil, fmt.Errorf("watching access requests: the stream began with %v and not with its confirmation", e.Type)
		}
		status, ok := e.Resource.(types.WatchStatus)
		if !ok { // a server of before partial success confirms all or nothing
			return []string{types.KindAccessRequest}, nil
		}
		for _, k := range status.GetKinds() {
			kinds = append(kinds, k.Kind)
			if k.Kind == types.KindAccessRequest {
				f.Health.Set(Condition, true, "")
			}
		}
		for _, k := range kinds {
			if k == types.KindAccessRequest {
				return kinds, nil
			}
		}
		return nil, errors.New("the plugin's role may not watch access requests; add the rule access_request: list, read to it")
	}
}

func endOf(w types.Watcher) error {
	if err := w.Error(); err != nil {
		return err
	}
	return errors.New("the stream ended")
}

// events reads the stream without ever waiting for the work that it causes.
func (f *follower) events(ctx context.Context, w types.Watcher, rules chan<- struct{}) (next Source, err error) {
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-w.Done():
			return nil, endOf(w)
		case <-f.Redial:
			next, err := f.Connect(ctx)
			if err == nil {
				return next, nil
			}
			f.Log.Warn("Could not connect with the new identity; the connection made with the old one goes on", zap.Error(err))
		case e := <-w.Events():
			f.event(e, rules)
		}
	}
}

func (f *follower) event(e types.Event, rules chan<- struct{}) {
	if e.Resource == nil {
		return
	}
	switch e.Resource.GetKind() {
	case types.KindAccessRequest:
		switch e.Type {
		case types.OpPut:
			if req, ok := e.Resource.(types.AccessRequest); ok {
				f.Observer.Event("put")
				f.Sink.Changed(req)
			}
		case types.OpDelete:
			f.Observer.Event("delete")
			f.Sink.Deleted(e.Resource.GetName())
		}
	case types.KindAccessMonitoringRule:
		select {
		case rules <- struct{}{}:
		default: // a reload is due already
		}
	}
}

// heartbeat notices a connection that nobody closed and that answers no more.
func (f *follower) heartbeat(ctx context.Context, src Source, stop context.CancelCauseFunc) {
	tick := time.NewTicker(f.Heartbeat)
	defer tick.Stop()
	missed := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ping, cancel := context.WithTimeout(ctx, f.Heartbeat/2)
		err := src.Ping(ping)
		cancel()
		if err == nil || ctx.Err() != nil {
			missed = 0
			continue
		}
		if missed++; missed >= 2 {
			stop(fmt.Errorf("%w: %w", errSilent, err))
			return
		}
	}
}

// keepUp lists all requests now, until that has succeeded, and then again on a
// timer: what was missed while nobody listened costs minutes, not the message.
func (f *follower) keepUp(ctx context.Context, src Source) {
	catchUp, failures := true, 0
	for {
		err := f.list(ctx, src, catchUp)
		wait := f.Resync
		if err != nil && ctx.Err() == nil {
			failures++
			wait = min(time.Second<<min(failures-1, 10), f.Resync)
			if f.Refused(err) {
				f.Health.Set(Condition, false, "the plugin's role may not list access requests or read plugin data: "+err.Error())
			}
			if failures == 1 {
				f.Log.Warn("Could not list the access requests; it will be tried again", zap.Error(err))
			}
		} else if err == nil {
			if f.first {
				// All records were in memory at once, for a moment.
				debug.FreeOSMemory()
			}
			failures, catchUp, f.first = 0, false, false
			f.Health.Set(Condition, true, "")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(float64(wait) * (0.9 + 0.2*rand.Float64()))):
		}
	}
}

// list tells of all requests. While catching up it also tells of those that
// have gone meanwhile: a request that was open when it was last seen and is
// not listed by a cluster that has just confirmed our right to see them all.
func (f *follower) list(ctx context.Context, src Source, catchUp bool) error {
	open := make(map[string]bool)
	if catchUp {
		f.Sink.Open(func(id string) { open[id] = true })
	}
	if f.first {
		err := src.AllPluginData(ctx, types.KindAccessRequest, f.Plugin, func(id string, data map[string]string) error {
			if f.Sink.Recorded(id, data) {
				open[id] = true
			}
			return nil
		})
		if err != nil && f.Refused(err) {
			return fmt.Errorf("listing plugin data: %w", err)
		} else if err != nil {
			f.Log.Warn("Could not list the records; messages of requests that expired while the plugin was down may not say so", zap.Error(err))
		}
	}
	n := 0
	err := src.ListRequests(ctx, func(page []*types.AccessRequestV3) error {
		for _, req := range page {
			n++
			delete(open, req.GetName())
			f.Sink.Listed(req)
		}
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("listing access requests: %w", err)
	}
	if catchUp {
		for id := range open {
			f.Sink.Deleted(id)
		}
		f.Log.Info("Caught up with the access requests", zap.Int("requests", n), zap.Int("gone", len(open)))
	}
	return nil
}

// keepRules reloads the rules when they have changed.
func (f *follower) keepRules(ctx context.Context, changed <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		if err := f.Rules.Reload(ctx); err != nil && ctx.Err() == nil {
			f.Log.Warn("Could not load the access monitoring rules; the earlier ones hold", zap.Error(err))
		}
	}
}
