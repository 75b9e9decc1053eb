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
	records  map[string]bool // id to whether it is open
	kinds    []string        // confirmed; nil confirms what is asked
	mute     bool            // streams are not confirmed, pings not answered
	connect  error
	list     error
	data     error

	conns []*conn
	lists int
	bulk  int
	told  []string
	open  []string
	bad   map[string]string
}

func newWorld() *world { return &world{records: map[string]bool{}, bad: map[string]string{}} }

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
}

func (w *world) Connect(context.Context) (watch.Source, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.connect != nil {
		return nil, w.connect
	}
	c := &conn{w: w, events: make(chan types.Event), done: make(chan struct{})}
	c.end = sync.OnceFunc(func() { close(c.done) })
	w.conns = append(w.conns, c)
	return c, nil
}

func (w *world) last() *conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns[len(w.conns)-1]
}

func (c *conn) Ping(ctx context.Context) error {
	c.w.mu.Lock()
	mute := c.w.mute
	c.w.mu.Unlock()
	if mute {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (c *conn) NewWatcher(ctx context.Context, kinds ...string) (types.Watcher, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.mute {
		return c, nil
	}
	if c.w.kinds != nil {
		kinds = c.w.kinds
	}
	var confirmed []types.WatchKind
	for _, k := range kinds {
		confirmed = append(confirmed, types.WatchKind{Kind: k})
	}
	go c.send(types.Event{Type: types.OpInit, Resource: types.NewWatchStatus(confirmed)})
	return c, nil
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

func (c *conn) ListRequests(_ context.Context, fn func([]*types.AccessRequestV3) error) error {
	c.w.mu.Lock()
	c.w.lists++
	err, ids := c.w.list, slices.Clone(c.w.requests)
	c.w.mu.Unlock()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := fn([]*types.AccessRequestV3{request(id)}); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) AllPluginData(_ context.Context, _, _ string, fn func(string, map[string]string) error) error {
	c.w.mu.Lock()
	c.w.bulk++
	err := c.w.data
	c.w.mu.Unlock()
	if err != nil {
		return err
	}
	for id := range c.w.records {
		if err := fn(id, nil); err != nil {
			return err
		}
	}
	return nil
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
func (w *world) Listed(req types.AccessRequest)  { w.tell("listed %s", req.GetName()) }

func (w *world) Recorded(id string, _ map[string]string) bool {
	w.tell("recorded %s", id)
	return w.records[id]
}

func (w *world) Open(f func(string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range w.open {
		f(id)
	}
}

func (w *world) Set(condition string, ok bool, reason string) {
	w.with(func() {
		delete(w.bad, condition)
		if !ok {
			w.bad[condition] = reason
		}
	})
}

func (w *world) Event(string)        {}
func (w *world) Streaming(time.Time) {}

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
			if !c.closed {
				t.Error("a connection was not closed")
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
	got := slices.Sorted(slices.Values(w.told))
	slices.Sort(told)
	if !slices.Equal(got, told) {
		t.Errorf("told %q, want %q", got, told)
	}
	w.told = nil
}

func TestFirstAllRequestsAreListedThenChangesTold(t *testing.T) {
	w := newWorld()
	w.requests = []string{"1", "2"}
	inTime(t, w, nil, func(t *testing.T) {
		w.want(t, "listed 1", "listed 2")
		w.last().send(types.Event{Type: types.OpPut, Resource: request("3")})
		w.last().send(types.Event{Type: types.OpDelete, Resource: &types.ResourceHeader{Kind: types.KindAccessRequest, Metadata: types.Metadata{Name: "1"}}})
		w.last().send(types.Event{Type: types.OpPut})
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
					if !slices.Contains(w.told, fmt.Sprint("listed ", n)) {
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
		w.want(t, "listed missed")
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

func TestWhatIsGoneIsToldAsDeleted(t *testing.T) {
	t.Run("by the records, at the start", func(t *testing.T) {
		w := newWorld()
		w.requests = []string{"pending"}
		w.records = map[string]bool{"pending": true, "lapsed": true, "decided": false}
		inTime(t, w, nil, func(t *testing.T) {
			w.want(t, "recorded pending", "recorded lapsed", "recorded decided", "listed pending", "deleted lapsed")
		})
	})
	t.Run("by what was known, after a loss", func(t *testing.T) {
		w := newWorld()
		inTime(t, w, nil, func(t *testing.T) {
			w.with(func() { w.open = []string{"1", "2"}; w.requests = []string{"2"} })
			w.last().end()
			settle(time.Second)
			w.want(t, "deleted 1", "listed 2")
			if w.bulk != 1 {
				t.Errorf("all records were listed %d times", w.bulk)
			}
		})
	})
	t.Run("but not by a list that was made while all went well", func(t *testing.T) {
		w := newWorld()
		inTime(t, w, nil, func(t *testing.T) {
			w.with(func() { w.open = []string{"1"} })
			settle(time.Hour)
			w.want(t)
			if w.lists < 5 {
				t.Errorf("%d lists in an hour", w.lists)
			}
		})
	})
}

func TestAListThatFailsIsTriedAgain(t *testing.T) {
	w := newWorld()
	w.requests = []string{"1"}
	w.list = errors.New("too busy")
	inTime(t, w, nil, func(t *testing.T) {
		settle(10 * time.Second)
		w.with(func() { w.list = nil })
		settle(10 * time.Second)
		w.want(t, "listed 1")
	})
}

func TestRecordsThatCannotBeListed(t *testing.T) {
	t.Run("because they are too many stop nothing", func(t *testing.T) {
		w := newWorld()
		w.requests, w.data = []string{"1"}, errors.New("too large")
		inTime(t, w, nil, func(t *testing.T) { w.want(t, "listed 1") })
	})
	t.Run("because a permission is missing are a condition", func(t *testing.T) {
		w := newWorld()
		w.requests, w.data = []string{"1"}, errDenied
		inTime(t, w, nil, func(t *testing.T) {
			settle(time.Minute)
			if w.bad[watch.Condition] == "" {
				t.Error("the refusal is no condition")
			}
			w.with(func() { w.data = nil })
			settle(5 * time.Minute)
			if len(w.bad) != 0 {
				t.Errorf("conditions after recovery: %q", w.bad)
			}
		})
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
}

func (r *rules) Reload(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loads++
	return nil
}

func TestRulesAreLoadedOnEachConnectionAndOnEachChange(t *testing.T) {
	w, r := newWorld(), &rules{}
	inTime(t, w, func(o *watch.Options) { o.Rules = r }, func(t *testing.T) {
		if r.loads != 1 {
			t.Errorf("%d loads at the start", r.loads)
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
