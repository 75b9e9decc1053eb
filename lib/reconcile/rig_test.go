package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/agenda"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/request"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// workers is how many requests a replica works on at once.
const workers = 8

// rig is a cluster, a service and any number of replicas, in virtual time.
type rig struct {
	t      *testing.T
	memory *memory
	desk   *desk
	// service is what replicas are given; the desk itself unless set.
	service    integration.Service
	deciders   []integration.Decider
	recipients []string
	fallback   []string
	agenda     *agenda.Agenda
	requester  *recipient.Requester
	timing     reconcile.Timing
	writing    time.Duration // how long a write to a record takes
	logs       *observer.ObservedLogs
	log        *zap.Logger
	health     *health
	tally      *tally
	replicas   int
	choosing   sync.Mutex
	chosen     int // how often recipients were chosen
	started    []*replica
}

// crashAll ends all replicas, as kill -9.
func (r *rig) crashAll() {
	for _, x := range r.started {
		x.crash()
	}
}

func inTime(t *testing.T, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		r := &rig{
			t: t, memory: newMemory(), desk: &desk{}, recipients: []string{"ops"},
			logs: logs, log: zap.New(core), health: &health{bad: map[string]string{}}, tally: &tally{},
		}
		r.service = r.desk
		f(r)
	})
}

type router struct{ r *rig }

func (x router) Recipients(context.Context, request.View) integration.Choices {
	x.r.choosing.Lock()
	defer x.r.choosing.Unlock()
	x.r.chosen++
	return integration.Choose("they are chosen", x.r.recipients...)
}

type health struct {
	mu  sync.Mutex
	bad map[string]string
}

func (h *health) Note(string, string) {}

func (h *health) Set(condition string, ok bool, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.bad, condition)
	if !ok {
		h.bad[condition] = reason
	}
}

func (h *health) conditions() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.bad))
}

// tally counts what is observed.
type tally struct{ retried, panicked, exceeded atomic.Int64 }

func (*tally) Stepped(integration.Step, error, time.Duration) {}
func (*tally) Recorded(bool)                                  {}
func (t *tally) Retried()                                     { t.retried.Add(1) }
func (t *tally) Panicked()                                    { t.panicked.Add(1) }
func (t *tally) Exceeded()                                    { t.exceeded.Add(1) }

// replica is one reconciler at work.
type replica struct {
	*reconcile.Reconciler
	rig   *rig
	stop  func()              // lets what is under way finish
	abort func()              // ends what is under way, but not the link to the cluster
	crash func()              // as kill -9: nothing more comes of it
	slow  func(time.Duration) // how long its writes to records take from now on
	ended chan struct{}

	listed bool
}

// start begins a replica. It hears of every change unless it is deaf.
func (r *rig) start() *replica {
	r.replicas++
	crashed := make(chan struct{})
	way := &link{memory: r.memory, cut: crashed}
	way.writing.Store(int64(r.writing))
	rec := reconcile.New(reconcile.Options{
		Plugin: "test", Owner: fmt.Sprint("replica", r.replicas), Service: r.service, Deciders: r.deciders, Router: router{r}, Fallback: r.fallback, Agenda: r.agenda, Requester: r.requester,
		Cluster: way, Codec: plugindata.Messages{}, Health: r.health, Observer: r.tally, Log: r.log,
		Faults: reconcile.Faults{
			IsConflict: func(err error) bool { return errors.Is(err, errConflict) },
			IsDenied:   func(err error) bool { return errors.Is(err, errDenied) },
			IsNotFound: func(err error) bool { return errors.Is(err, errMissing) },
		},
		Place: func() (string, string) { return "cluster", "" }, Author: func() string { return "plugin" }, Timing: r.timing, Workers: workers,
	})
	working, stop := context.WithCancel(r.t.Context())
	rounds, abort := context.WithCancel(context.Background())
	x := &replica{Reconciler: rec, rig: r, ended: make(chan struct{}), slow: func(d time.Duration) { way.writing.Store(int64(d)) }}
	go func() {
		defer close(x.ended)
		rec.Run(working, rounds)
		abort()
	}()
	x.stop = func() { r.deafen(rec); stop(); <-x.ended }
	x.abort = func() { r.deafen(rec); stop(); abort(); <-x.ended }
	x.crash = sync.OnceFunc(func() { r.deafen(rec); close(crashed); stop(); abort(); <-x.ended })
	r.memory.mu.Lock()
	r.started = append(r.started, x)
	r.memory.sinks = append(r.memory.sinks, rec)
	r.memory.mu.Unlock()
	return x
}

func (r *rig) deafen(rec *reconcile.Reconciler) {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.memory.sinks = slices.DeleteFunc(slices.Clone(r.memory.sinks), func(s sink) bool { return s == rec })
}

// catchUp tells a replica of all that is there, as the watch does.
func (x *replica) catchUp() {
	m := x.rig.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	l := x.List()
	if !x.listed {
		for id := range m.records {
			l.Record(id, m.data(id, "test"))
		}
	}
	x.listed = true
	var page []*types.AccessRequestV3
	for _, req := range m.requests {
		page = append(page, req.Copy().(*types.AccessRequestV3))
	}
	l.Requests(page)
	l.End()
}

// link is a replica's way to the cluster; cut, no call comes through.
type link struct {
	*memory
	cut     chan struct{}
	writing atomic.Int64 // how long a write takes
}

var errCut = errors.New("the process is dead")

func (l *link) UpdatePluginData(ctx context.Context, kind, id, plugin string, set, expect map[string]string) error {
	time.Sleep(time.Duration(l.writing.Load()))
	select {
	case <-l.cut:
		return errCut
	default:
	}
	return l.memory.UpdatePluginData(ctx, kind, id, plugin, set, expect)
}

// settle lets virtual time pass until all that is due has been done.
func (r *rig) settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) posts() map[string]int {
	r.desk.mu.Lock()
	defer r.desk.mu.Unlock()
	n := map[string]int{}
	for _, p := range r.desk.posts {
		n[p.address]++
	}
	return n
}

func (r *rig) wantPosts(want map[string]int) {
	r.t.Helper()
	if got := r.posts(); !maps.Equal(got, want) {
		r.t.Fatalf("posts by address: %v, want %v\nsteps: %q", got, want, r.desk.steps)
	}
}

func (r *rig) wantShown(version request.Version, but ...string) {
	r.t.Helper()
	r.desk.mu.Lock()
	defer r.desk.mu.Unlock()
	for _, p := range r.desk.posts {
		if !p.removed && p.shown != version && !slices.Contains(but, p.request) {
			r.t.Fatalf("post %s at %s shows %v, want %v\nsteps: %q", p.id, p.address, p.shown, version, r.desk.steps)
		}
	}
}

func (r *rig) record(id string) *plugindata.Record {
	r.t.Helper()
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	rec, err := plugindata.Decode(plugindata.Messages{}, r.memory.data(id, "test"))
	if err != nil {
		r.t.Fatal(err)
	}
	return rec
}

func (r *rig) logged(level zapcore.Level) (lines []string) {
	for _, e := range r.logs.All() {
		if e.Level >= level {
			lines = append(lines, e.Message)
		}
	}
	return lines
}

func (r *rig) reads() int {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	return r.memory.reads
}
