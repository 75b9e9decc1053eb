package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/request"
)

// node is one replica, from its start to its death.
type node struct {
	w       *world
	name    string
	rec     *reconcile.Reconciler
	feed    chan item
	dying   chan struct{}
	die     func()
	listed  bool
	logs    *observer.ObservedLogs
	mu      sync.Mutex
	bad     map[string]string
	touched map[string]int // calls, by place
	telling map[string]int // calls of effects under way, by place
}

type item struct {
	due  time.Time
	tell func(*reconcile.Reconciler)
}

func (n *node) send(due time.Time, tell func(*reconcile.Reconciler)) { n.feed <- item{due, tell} }

func (n *node) dead() bool {
	select {
	case <-n.dying:
		return true
	default:
		return false
	}
}

// enter starts a replica.
func (w *world) enter() {
	w.mu.Lock()
	defer w.mu.Unlock()
	core, logs := observer.New(zapcore.ErrorLevel)
	n := &node{
		w: w, name: fmt.Sprint("n", len(w.nodes)+1), feed: make(chan item, 1000), dying: make(chan struct{}),
		logs: logs, bad: map[string]string{}, touched: map[string]int{}, telling: map[string]int{},
	}
	n.rec = reconcile.New(reconcile.Options{
		Plugin: "test", Owner: n.name, Service: w.office.at(n), Router: crowd(w.names()), Cluster: gateway{n},
		Codec: plugindata.Messages{}, Health: n, Observer: n, Log: zap.New(core),
		Faults: reconcile.Faults{
			IsConflict: func(err error) bool { return errors.Is(err, errConflict) },
			IsDenied:   func(err error) bool { return errors.Is(err, errDenied) },
			IsNotFound: func(err error) bool { return errors.Is(err, errMissing) },
		},
		Place: func() (string, string) { return "cluster", "" }, Workers: 6, Calls: 20, Agenda: w.agenda(),
	})
	ctx, cancel := context.WithCancel(context.Background())
	n.die = sync.OnceFunc(func() { close(n.dying); cancel() })
	w.helpers.Go(func() { n.rec.Run(ctx, ctx) })
	w.helpers.Go(n.listen)
	w.helpers.Go(n.watch)
	w.nodes = append(w.nodes, n)
	w.list(n, 0)
}

func (n *node) listen() {
	for {
		select {
		case <-n.dying:
			return
		case i := <-n.feed:
			time.Sleep(time.Until(i.due))
			if !n.dead() {
				i.tell(n.rec)
			}
		}
	}
}

// watch lists now and then, and asks the service whether it is well again.
func (n *node) watch() {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for i := 1; ; i++ {
		select {
		case <-n.dying:
			return
		case <-tick.C:
		}
		if n.rec.Unwell() {
			n.rec.Checked(nil)
		}
		if i%int(resync/time.Minute) == 0 {
			n.w.mu.Lock()
			n.w.list(n, 0)
			n.w.mu.Unlock()
		}
	}
}

// crash ends the replica where it stands; another takes its place soon. The world
// is locked.
func (n *node) crash() {
	if n.dead() {
		return
	}
	n.w.crashes++
	for place, calls := range n.touched {
		if n.w.office.kinds[place] == refusing {
			n.w.office.unsure[place] += calls // it is not known to be blind before it refuses
		} else {
			n.w.office.unsure[place]++
		}
	}
	n.die()
	n.w.helpers.Go(func() {
		time.Sleep(restart)
		n.w.enter()
	})
}

// Set implements reconcile.Health.
func (n *node) Set(condition string, ok bool, reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.bad, condition)
	if !ok {
		n.bad[condition] = reason
	}
}

// Note implements reconcile.Health.
func (n *node) Note(string, string) {}

// Stepped implements reconcile.Observer.
func (n *node) Stepped(integration.Step, error, time.Duration) {}

// Recorded implements reconcile.Observer.
func (n *node) Recorded(bool) {}

// Retried implements reconcile.Observer.
func (n *node) Retried() {}

// Panicked implements reconcile.Observer.
func (n *node) Panicked() { n.blunder("a panic") }

// Exceeded implements reconcile.Observer.
func (n *node) Exceeded() { n.blunder("more was begun than can be wanted") }

func (n *node) blunder(what string) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.w.wrong = append(n.w.wrong, n.name+": "+what)
}

type crowd []string

// Recipients implements integration.Router.
func (c crowd) Recipients(context.Context, request.View) integration.Choices {
	return integration.Choose("it is there", c...)
}

func (w *world) names() (names []string) {
	for i := range w.places {
		names = append(names, string(rune('A'+i)))
	}
	return names
}

// gateway is the way of a replica to the cluster.
type gateway struct{ n *node }

// GetRequest implements reconcile.Cluster.
func (g gateway) GetRequest(_ context.Context, id string) (types.AccessRequest, error) {
	time.Sleep(2 * time.Millisecond)
	g.n.w.mu.Lock()
	defer g.n.w.mu.Unlock()
	if req := g.n.w.requests[id]; req != nil {
		return req.Copy(), nil
	}
	return nil, nil
}

// GetPluginData implements ledger.Store.
func (g gateway) GetPluginData(_ context.Context, _, id, _ string) (map[string]string, error) {
	time.Sleep(2 * time.Millisecond)
	g.n.w.mu.Lock()
	defer g.n.w.mu.Unlock()
	return g.n.w.data(id), nil
}

// SubmitReview implements reconcile.Cluster.
func (g gateway) SubmitReview(context.Context, string, types.AccessReview) (types.AccessRequest, error) {
	return nil, errors.New("nobody decides here")
}

var errUnknown = errors.New("the connection was lost")

// UpdatePluginData implements ledger.Store.
func (g gateway) UpdatePluginData(ctx context.Context, kind, id, plugin string, set, expect map[string]string) error {
	n, w := g.n, g.n.w
	time.Sleep(5 * time.Millisecond)
	w.mu.Lock()
	if n.dead() || ctx.Err() != nil {
		w.mu.Unlock()
		return errors.Join(errUnknown, ctx.Err())
	}
	w.writes++
	do := func() error {
		return w.update(id, types.PluginDataUpdateParams{Kind: kind, Resource: id, Plugin: plugin, Set: set, Expect: expect})
	}
	if !w.matches(id, expect) {
		w.mu.Unlock()
		return errConflict
	}
	how := w.reach(n, id+" write", id, "")
	defer w.mu.Unlock()
	switch how {
	case crashBefore:
		n.crash()
		return errUnknown
	case crashAfter:
		_ = do()
		n.crash()
		return errUnknown
	case lostUndone:
		return errUnknown
	case lostDone:
		_ = do()
		return errUnknown
	case lostLate:
		w.helpers.Go(func() {
			time.Sleep(3 * time.Second)
			w.mu.Lock()
			defer w.mu.Unlock()
			_ = do()
		})
		return errUnknown
	case foreign:
		_ = w.update(id, types.PluginDataUpdateParams{Kind: kind, Resource: id, Plugin: plugin, Set: map[string]string{
			"user": "alice", "reason": fmt.Sprint("edited ", len(w.trace)),
		}})
	}
	return do()
}

// update writes to a record as the cluster does; the world is locked.
func (w *world) update(id string, p types.PluginDataUpdateParams) error {
	d, ok := w.records[id]
	if !ok {
		if w.requests[id] == nil {
			return errMissing
		}
		d, _ = types.NewPluginData(id, p.Kind)
		w.records[id] = d
	}
	if d.Update(p) != nil {
		return errConflict
	}
	return nil
}

func (w *world) matches(id string, expect map[string]string) bool {
	data := w.data(id)
	for k, v := range expect {
		if data[k] != v {
			return false
		}
	}
	return true
}

var _ integration.Router = crowd(nil)
