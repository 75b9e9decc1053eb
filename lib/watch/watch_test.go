package watch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"teleport-plugins/lib/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a cluster as a watch sees it, and all that the watch is told to.
type world struct {
	mu       sync.Mutex
	requests []string
	records  []string
	kinds    []string // confirmed; nil confirms what is asked
	refused  error    // ends each stream before it is confirmed
	mute     bool     // streams are not confirmed, pings not answered
	connect  error
	dialing  chan struct{} // if there is one, Connect waits for it
	list     error         // after the first of several requests
	data     error         // after the first of several records
	right    right

	ping     func() error // if there is one
	first    types.Event  // instead of the confirmation, if there is one
	stubborn bool         // Connect waits though its context has ended
	events   []string
	streams  []time.Time // as the observer was told

	unwatched error    // what a watch is refused with
	asked     []string // the kinds that were
	hang      bool     // lists do not end

	conns []*conn
	dials []time.Time
	lists []time.Time
	bulk  int
	told  []string
	bad   map[string]string
	good  int // how often the connection was said to be good
}

// right is what the cluster says of the right to list.
type right struct {
	not, unsure bool
	err         error
}

func newWorld() *world { return &world{bad: map[string]string{}} }

func (w *world) with(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// conn is a connection with at most one stream.
type conn struct {
	w      *world
	events chan types.Event
	done   chan struct{}
	end    func()
	err    error
	closed bool
	// watched says that the stream was not closed yet.
	watched bool
}

func (w *world) Connect(ctx context.Context) (watch.Source, error) {
	w.mu.Lock()
	dialing := w.dialing
	w.mu.Unlock()
	if dialing != nil {
		select {
		case <-dialing:
		case <-w.unless(ctx):
			return nil, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials = append(w.dials, time.Now())
	if w.connect != nil {
		return nil, w.connect
	}
	c := &conn{w: w, events: make(chan types.Event), done: make(chan struct{})}
	c.end = sync.OnceFunc(func() { close(c.done) })
	w.conns = append(w.conns, c)
	return c, nil
}

// unless is when the context ends, unless the connection does not care.
func (w *world) unless(ctx context.Context) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stubborn {
		return nil
	}
	return ctx.Done()
}

func (w *world) last() *conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns[len(w.conns)-1]
}

func (c *conn) Ping(ctx context.Context) error {
	c.w.mu.Lock()
	mute, ping := c.w.mute, c.w.ping
	c.w.mu.Unlock()
	if ping != nil {
		return ping()
	}
	if mute {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (c *conn) NewWatcher(ctx context.Context, kinds ...string) (types.Watcher, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.unwatched != nil {
		return nil, c.w.unwatched
	}
	c.w.asked = kinds
	c.watched = true
	if c.w.mute {
		return stream{c}, nil
	}
	if c.err = c.w.refused; c.err != nil {
		c.end()
		return stream{c}, nil
	}
	if c.w.kinds != nil {
		kinds = c.w.kinds
	}
	var confirmed []types.WatchKind
	for _, k := range kinds {
		confirmed = append(confirmed, types.WatchKind{Kind: k})
	}
	first := types.Event{Type: types.OpInit, Resource: types.NewWatchStatus(confirmed)}
	if c.w.first.Resource != nil {
		first = c.w.first
	}
	go c.send(first)
	return stream{c}, nil
}

// stream is that of a connection, which can be closed by itself.
type stream struct{ *conn }

func (s stream) Close() error {
	s.w.with(func() { s.watched = false })
	return nil
}

func (c *conn) send(e types.Event) {
	select {
	case c.events <- e:
	case <-c.done:
	}
}

func (c *conn) Events() <-chan types.Event { return c.events }
func (c *conn) Done() <-chan struct{}      { return c.done }
func (c *conn) Error() error               { return c.err }

func (c *conn) Close() error {
	c.end()
	c.w.with(func() { c.closed = true })
	return nil
}

func (c *conn) ListRequests(ctx context.Context, fn func([]*types.AccessRequestV3) error) error {
	c.w.mu.Lock()
	if c.w.hang {
		c.w.mu.Unlock()
		<-ctx.Done()
		return ctx.Err()
	}
	c.w.lists = append(c.w.lists, time.Now())
	err, ids := c.w.list, slices.Clone(c.w.requests)
	c.w.mu.Unlock()
	for i, id := range ids {
		if err != nil && i > 0 {
			break
		}
		if err := fn([]*types.AccessRequestV3{request(id)}); err != nil {
			return err
		}
	}
	return err
}

func (c *conn) AllPluginData(_ context.Context, _, _ string, fn func(string, map[string]string) error) error {
	c.w.mu.Lock()
	c.w.bulk++
	err, ids := c.w.data, slices.Clone(c.w.records)
	c.w.mu.Unlock()
	for i, id := range ids {
		if err != nil && i > 0 {
			break
		}
		if err := fn(id, nil); err != nil {
			return err
		}
	}
	return err
}

func (c *conn) MayListRequests(context.Context) (may, sure bool, err error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	r := c.w.right
	return !r.not, !r.unsure, r.err
}

func request(id string) *types.AccessRequestV3 {
	r := &types.AccessRequestV3{Kind: types.KindAccessRequest}
	r.SetName(id)
	return r
}

func (w *world) tell(format string, args ...any) {
	w.with(func() { w.told = append(w.told, fmt.Sprintf(format, args...)) })
}

func (w *world) Changed(req types.AccessRequest) { w.tell("changed %s", req.GetName()) }
func (w *world) Deleted(id string)               { w.tell("deleted %s", id) }
func (w *world) List() watch.List                { return &list{w: w} }

type list struct {
	w       *world
	records int
}

func (l *list) Record(id string, _ map[string]string) { l.records++; l.w.tell("record %s", id) }

func (l *list) Requests(page []*types.AccessRequestV3) {
	for _, r := range page {
		l.w.tell("listed %s with %d records", r.GetName(), l.records)
	}
}

func (l *list) End() int { l.w.tell("end"); return 0 }

func (w *world) Set(condition string, ok bool, reason string) {
	w.with(func() {
		delete(w.bad, condition)
		if ok {
			w.good++
		} else {
			w.bad[condition] = reason
		}
	})
}

func (w *world) Event(op string) { w.with(func() { w.events = append(w.events, op) }) }

func (w *world) Streaming(since time.Time) {
	w.with(func() { w.streams = append(w.streams, since) })
}

func (w *world) options() watch.Options {
	return watch.Options{
		Plugin: "test", Connect: w.Connect, Sink: w, Health: w, Observer: w, Log: zap.NewNop(),
		Fatal:   func(err error) bool { return errors.Is(err, errFatal) },
		Refused: func(err error) bool { return errors.Is(err, errDenied) },
	}
}

var (
	errFatal  = errors.New("the server is too old")
	errDenied = errors.New("denied")
)

// inTime runs a watch in virtual time until the test's function returns.
func inTime(t *testing.T, w *world, change func(*watch.Options), f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := w.options()
		if change != nil {
			change(&o)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- watch.Run(ctx, o) }()
		settle(time.Millisecond)
		f(t)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the watch ended with: %v", err)
		}
		for _, c := range w.conns {
			if !c.closed || c.watched {
				t.Error("a connection or its stream was not closed")
			}
		}
	})
}

func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) want(t *testing.T, told ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.told, told) {
		t.Errorf("told %q, want %q", w.told, told)
	}
	w.told = nil
}

func TestFirstAllIsListedThenChangesTold(t *testing.T) {
	w := newWorld()
	w.requests, w.records = []string{"1", "2"}, []string{"2", "3"}
	inTime(t, w, nil, func(t *testing.T) {
		w.want(t, "record 2", "record 3", "listed 1 with 2 records", "listed 2 with 2 records", "end")
		w.last().send(types.Event{Type: types.OpPut, Resource: request("3")})
		w.last().send(types.Event{Type: types.OpDelete, Resource: &types.ResourceHeader{Kind: types.KindAccessRequest, Metadata: types.Metadata{Name: "1"}}})
		w.last().send(types.Event{Type: types.OpPut})
		if !slices.Equal(w.asked, []string{types.KindAccessRequest}) {
			t.Errorf("watching %q", w.asked)
		}
		settle(time.Millisecond)
		w.want(t, "changed 3", "deleted 1")
	})
}

func TestAStreamThatEndsIsBegunAnewAndRequestsListed(t *testing.T) {
	for name, end := range map[string]func(*conn){
		"without an error": func(c *conn) { c.end() },
		"with an error":    func(c *conn) { c.err = errors.New("reset"); c.end() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			inTime(t, w, nil, func(t *testing.T) {
				for n := range 20 {
					w.with(func() { w.requests = append(w.requests, fmt.Sprint(n)); w.told = nil })
					end(w.last())
					settle(100 * time.Millisecond)
					if !slices.Contains(w.told, fmt.Sprintf("listed %d with 0 records", n)) {
						t.Fatalf("after loss %d: %q", n, w.told)
					}
				}
			})
		})
	}
}

func TestAConnectionThatFallsSilentIsReplaced(t *testing.T) {
	w := newWorld()
	inTime(t, w, nil, func(t *testing.T) {
		w.with(func() { w.mute = true })
		settle(40 * time.Second)
		if len(w.conns) < 2 || !w.conns[0].closed {
			t.Fatalf("%d connections after 40 s of silence", len(w.conns))
		}
		if w.bad[watch.Condition] == "" {
			t.Error("the silence is no condition")
		}
		w.with(func() { w.mute = false; w.requests = []string{"missed"}; w.told = nil })
		settle(30 * time.Second)
		w.want(t, "listed missed with 0 records", "end")
		if len(w.bad) != 0 {
			t.Errorf("conditions after recovery: %q", w.bad)
		}
	})
}

func TestARefusedStreamIsTriedEverMoreSlowly(t *testing.T) {
	w := newWorld()
	w.kinds = []string{}
	inTime(t, w, nil, func(t *testing.T) {
		settle(10 * time.Minute)
		if n := len(w.conns); n > 140 || n < 60 {
			t.Errorf("%d connections in ten minutes", n)
		}
		if reason := w.bad[watch.Condition]; reason == "" {
			t.Error("the refusal is no condition")
		}
		w.with(func() { w.kinds = nil })
		settle(10 * time.Second)
		if len(w.bad) != 0 {
			t.Errorf("conditions after recovery: %q", w.bad)
		}
	})
}

func TestANewIdentity(t *testing.T) {
	t.Run("gets a new connection, in whose place the old one stays till then", func(t *testing.T) {
		w := newWorld()
		var redial chan struct{}
		inTime(t, w, func(o *watch.Options) { redial = make(chan struct{}, 1); o.Redial = redial }, func(t *testing.T) {
			redial <- struct{}{}
			settle(time.Millisecond)
			if len(w.conns) != 2 || !w.conns[0].closed || w.conns[1].closed {
				t.Errorf("%d connections", len(w.conns))
			}
		})
	})
	t.Run("that does not connect leaves the old connection", func(t *testing.T) {
		w := newWorld()
		var redial chan struct{}
		inTime(t, w, func(o *watch.Options) { redial = make(chan struct{}, 1); o.Redial = redial }, func(t *testing.T) {
			w.with(func() { w.connect = errors.New("rejected") })
			redial <- struct{}{}
			settle(time.Minute)
			if len(w.conns) != 1 || w.conns[0].closed || len(w.bad) != 0 {
				t.Errorf("%d connections, conditions %q", len(w.conns), w.bad)
			}
		})
	})
	t.Run("that is slow to connect keeps no event waiting", func(t *testing.T) {
		w := newWorld()
		var redial chan struct{}
		inTime(t, w, func(o *watch.Options) { redial = make(chan struct{}, 1); o.Redial = redial }, func(t *testing.T) {
			dialing := make(chan struct{})
			w.with(func() { w.dialing, w.told = dialing, nil })
			redial <- struct{}{}
			settle(time.Second)
			w.last().send(types.Event{Type: types.OpPut, Resource: request("1")})
			redial <- struct{}{} // renewed once more: one dial at a time
			settle(time.Second)
			w.want(t, "changed 1")
			close(dialing)
			settle(time.Second)
			if n := len(w.conns); n != 3 || !w.conns[0].closed || !w.conns[1].closed || w.conns[2].closed {
				t.Errorf("%d connections", n)
			}
		})
	})
	t.Run("is not dialed any more when the stream is lost meanwhile", func(t *testing.T) {
		w := newWorld()
		var redial chan struct{}
		inTime(t, w, func(o *watch.Options) { redial = make(chan struct{}, 1); o.Redial = redial }, func(t *testing.T) {
			w.with(func() { w.dialing = make(chan struct{}) })
			redial <- struct{}{}
			settle(time.Second)
			w.with(func() { w.dialing = nil })
			w.last().end()
			settle(time.Second)
			if n := len(w.conns); n != 2 || w.conns[1].closed {
				t.Errorf("%d connections", n)
			}
		})
	})
	t.Run("ends the pause after a failure", func(t *testing.T) {
		w := newWorld()
		var redial chan struct{}
		w.connect = errors.New("expired")
		inTime(t, w, func(o *watch.Options) { redial = make(chan struct{}, 1); o.Redial, o.BackoffMax = redial, time.Hour }, func(t *testing.T) {
			settle(10 * time.Hour)
			w.with(func() { w.connect = nil })
			redial <- struct{}{}
			settle(time.Millisecond)
			if len(w.conns) != 1 {
				t.Error("no connection")
			}
		})
	})
}

func TestWhatEndsTheWatch(t *testing.T) {
	for name, tc := range map[string]struct {
		err      error
		failFast bool
		ends     bool
	}{
		"a fault that only a person can mend":  {errFatal, false, true},
		"a loss, where that is asked for":      {errors.New("refused"), true, true},
		"a loss is otherwise no reason to end": {errors.New("refused"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.connect = tc.err
				o := w.options()
				o.FailFast = tc.failFast
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := watch.Run(ctx, o); errors.Is(err, tc.err) != tc.ends {
					t.Errorf("ended with: %v", err)
				}
			})
		})
	}
}

type rules struct {
	mu    sync.Mutex
	loads int
	err   error
}

func (r *rules) Reload(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loads++
	return r.err
}

func TestRulesAreLoadedOnEachConnectionAndOnEachChange(t *testing.T) {
	w, r := newWorld(), &rules{}
	inTime(t, w, func(o *watch.Options) { o.Rules = r }, func(t *testing.T) {
		if r.loads != 1 || !slices.Equal(w.asked, []string{types.KindAccessRequest, types.KindAccessMonitoringRule}) {
			t.Errorf("%d loads at the start, watching %q", r.loads, w.asked)
		}
		w.last().send(types.Event{Type: types.OpPut, Resource: &types.ResourceHeader{Kind: types.KindAccessMonitoringRule}})
		settle(time.Millisecond)
		w.last().end()
		settle(time.Second)
		if r.loads != 3 {
			t.Errorf("%d loads", r.loads)
		}
	})
}
