// Package watch follows the access requests of a cluster. It holds one
// connection and one stream of events, tells which request changed, and lists
// requests whenever events may have been missed: after each connection, and on
// a timer. A stream that ends, with or without an error, or that has gone
// silent, is a reason to connect again and never one to stop.
package watch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"
)

// Source is a connection to the cluster.
type Source interface {
	Ping(ctx context.Context) error
	NewWatcher(ctx context.Context, kinds ...string) (types.Watcher, error)
	ListRequests(ctx context.Context, fn func(page []*types.AccessRequestV3) error) error
	// MayListRequests says whether the cluster shows us all requests. A cluster
	// answers a list of someone without that right with an empty one and no
	// error. sure is false where it cannot be found out; an error says that the
	// cluster could not be asked.
	MayListRequests(ctx context.Context) (may, sure bool, err error)
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
	// List begins a list of all requests.
	List() List
}

// List is told what a list of all requests shows, as it is read. One that is not
// ended says nothing of what it does not show.
type List interface {
	// Record: there is a record of the request. All of them come before the
	// requests; lists after the first complete one have none.
	Record(id string, data map[string]string)
	// Requests: these requests are there; something may have happened to them.
	Requests(page []*types.AccessRequestV3)
	// End: requests and records were read to the end, and that the cluster lets
	// us see them all is proven. It returns how many requests are gone that the
	// Sink knew when the list began.
	End() (gone int)
}

// Rules hears of changes of access monitoring rules.
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
	// Connect makes a connection, or returns nil with an error; it is called again
	// after each loss.
	Connect func(ctx context.Context) (Source, error)
	// Fatal says of an error of Connect that trying again is of no use.
	Fatal func(error) bool
	// Refused says of an error that a permission is missing.
	Refused func(error) bool
	// Redial asks for a new connection, because the identity was renewed.
	Redial <-chan struct{}
	// Relist asks for a list before its time, since a request is not shown that
	// should be there.
	Relist <-chan struct{}
	// Ready is called when all requests and records were read for the first time;
	// it may be nil.
	Ready func()
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
	if o.Ready == nil {
		o.Ready = func() {}
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
	first bool          // no list was complete yet
	again time.Duration // the last pause, while no stream is confirmed
	// unlisted is why the requests cannot be listed, or empty. It outlives the
	// connection: only a list that is complete shows that the reason is gone.
	unlisted string
}

// listening states that a stream is confirmed or a list complete.
func (f *follower) listening() { f.Health.Set(Condition, f.unlisted == "", f.unlisted) }

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
	f.again = min(max(2*f.again, 20*time.Millisecond), f.BackoffMax)
	wait := jittered(f.again, 0.25)
	f.Log.Debug("Connecting to Teleport again", zap.Error(err), zap.Duration("in", wait))
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	case <-f.Redial: // a new identity may be all that was missing
	}
	return nil
}

// jittered spreads replicas: it moves d by at most the given part of it.
func jittered(d time.Duration, part float64) time.Duration {
	return time.Duration(float64(d) * (1 - part + 2*part*rand.Float64()))
}
