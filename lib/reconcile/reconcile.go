package reconcile

import (
	"context"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/agenda"
	"teleport-plugins/lib/calls"
	"teleport-plugins/lib/decide"
	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/inbox"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/lane"
	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/teleport"
	"teleport-plugins/lib/visit"
)

// Timing holds the time budgets of the work. The zero value of each field
// stands for its default.
type Timing struct {
	// CatchUp bounds the age of a request that was decided before it could be
	// announced and is announced all the same; default 1h.
	CatchUp time.Duration
	// Lease is how long the claim of a silent replica is respected; default
	// 30s. It must be longer than Call.
	Lease time.Duration
	// Call bounds one call to the service; default 10s.
	Call time.Duration
	// Record bounds reading or writing a record; default 10s.
	Record time.Duration
	// RetryMin and RetryMax bound the pause before a failed step is tried
	// again; defaults 1s and 30s.
	RetryMin, RetryMax time.Duration
	// Flush is how long a result may wait for those of slower recipients before
	// it is recorded alone; default 100ms. What a crash leaves unrecorded may have to
	// be looked up, so it is short.
	Flush time.Duration
}

func (t *Timing) setDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.CatchUp, time.Hour},
		{&t.Lease, 30 * time.Second},
		{&t.Call, 10 * time.Second},
		{&t.Record, 10 * time.Second},
		{&t.RetryMin, time.Second},
		{&t.RetryMax, 30 * time.Second},
		{&t.Flush, 100 * time.Millisecond},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
}

// Options tell a Reconciler what to work with.
type Options struct {
	// Plugin is the name under which records are kept.
	Plugin string
	// Owner names this replica in claims; it must be unique.
	Owner    string
	Service  integration.Service
	Deciders []integration.Decider
	Router   integration.Router
	// Fallback are the recipients of a request that reaches nobody else.
	Fallback []string
	// Requester says what the person is told who made a request; nil stands for all.
	Requester *recipient.Requester
	// Agenda says what becomes due as time passes; nil stands for nothing.
	Agenda *agenda.Agenda
	// Now is the time in the cluster; nil stands for that of this machine.
	Now     func() time.Time
	Cluster Cluster
	Faults  Faults
	Codec   plugindata.Codec
	// Decorator may be nil.
	Decorator Decorator
	Health    Health
	Observer  Observer
	Log       *zap.Logger
	// Place returns the name of the cluster and the base address of its web
	// UI, or no address.
	Place func() (cluster, web string)
	// Decidable reports whether people may decide about a request where its messages
	// are; nil stands for never.
	Decidable func(request.View) bool
	// Unshown is told that the cluster does not show a request of which it spoke;
	// a list will say why. It returns at once, and may be nil.
	Unshown func()
	// Author returns the name under which reviews are submitted: a user of the
	// cluster.
	Author func() string
	// Workers is how many requests are worked on at once; default 256.
	Workers int
	// Calls is how many calls to the service are under way at once; default 100.
	Calls  int
	Timing Timing
}

// Cluster is what the reconciler asks of the Teleport cluster.
type Cluster interface {
	ledger.Store
	decide.Cluster
}

// Faults sorts the errors of a Cluster.
type Faults struct {
	IsConflict func(error) bool // a compare-and-swap was refused
	IsDenied   func(error) bool // a permission is missing
	IsNotFound func(error) bool // the request of a record does not exist
}

// Decorator adds what is nice to know to a view: the logins that roles allow,
// the names of resources. What it cannot find out it leaves as it is.
type Decorator interface {
	Decorate(ctx context.Context, v *request.View, req types.AccessRequest)
}

// Health is told in which condition the plugin is.
type Health interface {
	// Set states a condition; a reason in words goes with a bad one.
	Set(condition string, ok bool, reason string)
	// Note states something worth knowing that is no fault of the plugin; an
	// empty text withdraws it.
	Note(name, text string)
}

// Observer counts what happens; metrics implement it.
type Observer interface {
	// Stepped counts a call to the service, how it ended, and how long it took.
	Stepped(step integration.Step, err error, took time.Duration)
	// Recorded counts a write to a record; conflict says that it was refused.
	Recorded(conflict bool)
	// Retried counts a request that is put back after a failure that passes by
	// itself, once however many recipients it concerns.
	Retried()
	// Panicked counts a fault of this program that broke off the work on a request.
	Panicked()
	// Exceeded counts a recipient for whom more was begun than can be wanted.
	Exceeded()
}

// Conditions that a Reconciler states.
const (
	// ConditionRequests: the cluster shows us the access requests.
	ConditionRequests = "allowed to read access requests"
	// ConditionRecords: we may read and write our records.
	ConditionRecords = "allowed to write plugin data"
	// ConditionService: the service accepts our credentials.
	ConditionService = "accepted by the service"
)

// Reconciler brings messages and access requests into line. What it hears of them
// goes to its Inbox. Make one with New.
type Reconciler struct {
	Options
	*inbox.Inbox[memory]
	abilities plan.Abilities
	ledger    *ledger.Ledger
	lanes     *lane.Lanes
	calls     *calls.Caller
	visitor   *visit.Visitor
	panel     *decide.Panel
	digest    *diag.Digest
	pace      pace.Pace
	// agendaName tells the agenda from one that was configured before.
	agendaName string
}

// New returns a Reconciler; Run makes it work.
func New(o Options) *Reconciler {
	o.Timing.setDefaults()
	if o.Workers == 0 {
		o.Workers = 256
	}
	if o.Calls == 0 {
		o.Calls = 100
	}
	if o.Unshown == nil {
		o.Unshown = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Requester == nil {
		all := recipient.DefaultRequester()
		o.Requester = &all
	}
	r := &Reconciler{
		Options: o, abilities: plan.AbilitiesOf(o.Service).Telling(*o.Requester), digest: diag.NewDigest(o.Log),
		pace: pace.Pace{Min: o.Timing.RetryMin, Max: o.Timing.RetryMax}, agendaName: o.Agenda.Name(),
	}
	crashes := diag.Crashes{Log: o.Log, Count: o.Observer.Panicked}
	r.Inbox = inbox.New[memory](crashes, r.shown, r.awaited)
	r.lanes = lane.New(lane.Options{Wake: r.Wake, Width: o.Calls, Pace: r.pace})
	r.calls = calls.New(calls.Options{
		Resolve: o.Service.Resolve, Lanes: r.lanes, Most: o.Calls, Time: o.Timing.Call,
		Accepted: func(ok bool, reason string) { o.Health.Set(ConditionService, ok, reason) },
		Stepped:  o.Observer.Stepped, Digest: r.digest, Crashes: crashes,
	})
	r.visitor = &visit.Visitor{Options: visit.Options{
		Service: o.Service, Calls: r.calls, Lanes: r.lanes, Digest: r.digest, Crashes: crashes, Log: o.Log,
	}}
	r.panel = &decide.Panel{Options: decide.Options{
		Deciders: o.Deciders, Cluster: o.Cluster, Author: o.Author, IsDenied: o.Faults.IsDenied, Stepped: o.Observer.Stepped,
		View: func(req types.AccessRequest) request.View { return r.want(teleport.View(req), false).View },
		Time: o.Timing.Call, Pace: r.pace, Digest: r.digest, Crashes: crashes, Log: o.Log,
	}}
	r.ledger = ledger.New(ledger.Options{
		Store: o.Cluster, Kind: types.KindAccessRequest, Plugin: o.Plugin, Owner: o.Owner,
		Lease: o.Timing.Lease, Time: o.Timing.Record, IsConflict: o.Faults.IsConflict, Written: o.Observer.Recorded,
	})
	return r
}

// Run works until the context ends. Then no new round is begun; a running one
// may finish its calls and records within the time budgets of the rounds'
// context, which the caller ends when its patience does.
func (r *Reconciler) Run(ctx, rounds context.Context) {
	var workers sync.WaitGroup
	for range r.Workers {
		workers.Go(func() {
			for {
				id, ok := r.Next(ctx)
				if !ok {
					return
				}
				again := r.guarded(rounds, id)
				r.lanes.Passed(id)
				r.Done(id, again)
			}
		})
	}
	workers.Go(func() { r.digest.Run(ctx) })
	<-ctx.Done()
	r.Close()
	workers.Wait()
	r.calls.Wait()
	r.flush(rounds)
}

// Checked takes in what came of asking the service whether it accepts us. Requests
// that wait since it refused the token go on as soon as it accepts it again.
func (r *Reconciler) Checked(err error) { r.calls.Checked(err) }

// Undelivered returns since when the oldest request is waiting that this plugin
// could do something about; the zero time means that there is none. It is to be
// asked now and then.
func (r *Reconciler) Undelivered() time.Time { return r.Inbox.Undelivered(r.lanes.Shut) }

// Unwell reports whether the service refuses our token or answers nothing, as far
// as is known: then requests wait, and Checked lets them go on.
func (r *Reconciler) Unwell() bool {
	_, closed := r.lanes.Gate()
	return closed
}
