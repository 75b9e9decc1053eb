package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/semaphore"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/queue"
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
	// again; defaults 1s and 2m.
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
		{&t.RetryMax, 2 * time.Minute},
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
	Owner     string
	Service   Service
	Router    Router
	Cluster   Cluster
	Faults    Faults
	Codec     plugindata.Codec
	Decorator Decorator
	Health    Health
	Observer  Observer
	Log       *zap.Logger
	// Place returns the name of the cluster and the base address of its web
	// UI, or no address.
	Place func() (cluster, web string)
	// Author is the name under which reviews are submitted; empty leaves it to
	// the cluster.
	Author string
	// Workers is how many requests are worked on at once; default 128.
	Workers int
	// Calls is how many calls to the service are under way at once; default 100.
	Calls  int
	Timing Timing
}

// Reconciler brings messages and access requests into line. Make one with New.
type Reconciler struct {
	Options
	queue *queue.Queue[string]
	calls *semaphore.Weighted
	floor *floor
	// folded logs at most a few lines of a kind in a minute.
	folded *zap.Logger

	mu     sync.Mutex
	tracks map[string]*track              // unfinished requests that need remembering
	done   map[string]string              // finished requests: id to the version shown
	gone   map[string]bool                // requests of which the cluster said that they are gone
	fresh  map[string]types.AccessRequest // requests that nobody seems to have worked on yet, as the newest event showed them
	refuse time.Time                      // no call to the service before this time
}

// track is what this process knows of an unfinished request beyond its record.
type track struct {
	since    time.Time // when it was first seen
	failures int       // of reading or writing, in a row
	unseen   int       // rounds in a row in which the cluster did not show it
	// observed is the claim (or foreign record) that others hold, and since
	// when it has stood unchanged by our own clock.
	observed      string
	observedSince time.Time
	// suspect says that we took over from a replica that may have died between
	// a call and its record.
	suspect bool
	// unrecorded holds results that could not be written yet, by recipient, of
	// the request that was created at that time.
	unrecorded   map[string]plugindata.Delivery
	unrecordedOf int64
	// pauses holds the pause after failed steps, by recipient.
	pauses map[string]*pause
	told   map[string]bool // what was logged once
	parked bool            // until it may have the floor
	spoke  bool            // had the floor in this round
}

type pause struct {
	failures int
	until    time.Time
}

// New returns a Reconciler; Run makes it work.
func New(o Options) *Reconciler {
	o.Timing.setDefaults()
	if o.Workers == 0 {
		o.Workers = 128
	}
	if o.Calls == 0 {
		o.Calls = 100
	}
	keys := queue.New[string]()
	return &Reconciler{
		Options: o,
		queue:   keys,
		calls:   semaphore.NewWeighted(int64(o.Calls)),
		floor:   &floor{slow: make(map[string]bool), freed: keys.Unpark},
		folded: o.Log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
			return zapcore.NewSamplerWithOptions(c, time.Minute, 5, 0)
		})),
		tracks: make(map[string]*track),
		done:   make(map[string]string),
		gone:   make(map[string]bool),
		fresh:  make(map[string]types.AccessRequest),
	}
}

// Run works until the context ends. Then no new round is begun; a running one
// may finish its calls and records within the time budgets of the rounds'
// context, which the caller ends when its patience does.
func (r *Reconciler) Run(ctx, rounds context.Context) {
	var workers sync.WaitGroup
	for range r.Workers {
		workers.Go(func() {
			for {
				id, ok := r.queue.Get(ctx)
				if !ok {
					return
				}
				r.round(rounds, id)
			}
		})
	}
	<-ctx.Done()
	r.queue.Close()
	r.floor.close()
	workers.Wait()
}

// Waiting is how many requests wait for a worker.
func (r *Reconciler) Waiting() int { return r.queue.Len() }

// maxFresh bounds how many requests are held that wait for their first round.
// Any beyond are read when it is their turn.
const maxFresh = 1024

// Changed says that something happened to a request just now, and how it looks
// since. A request that seems to be new needs no reading: should it have a record
// after all, the claim is refused, and the next round reads both.
func (r *Reconciler) Changed(req types.AccessRequest) {
	id := req.GetName()
	r.mu.Lock()
	_, working := r.tracks[id]
	_, finished := r.done[id]
	delete(r.gone, id)
	delete(r.done, id)
	delete(r.fresh, id)
	if !working && !finished && req.GetState() == types.RequestState_PENDING && len(req.GetReviews()) == 0 && len(r.fresh) < maxFresh {
		r.fresh[id] = req
	}
	r.mu.Unlock()
	r.queue.Add(id, queue.Live)
}

func (r *Reconciler) isFresh(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fresh[id] != nil
}

// takeFresh returns a request that is to be taken for new, once; nil if there is
// none with this id.
func (r *Reconciler) takeFresh(id string) types.AccessRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	req := r.fresh[id]
	delete(r.fresh, id)
	return req
}

// Deleted says that the cluster told of the end of a request: it was deleted,
// or it expired.
func (r *Reconciler) Deleted(id string) {
	r.mu.Lock()
	r.gone[id] = true
	delete(r.done, id)
	delete(r.fresh, id)
	r.mu.Unlock()
	r.queue.Add(id, queue.Live)
}

// Listed says that a request was found in a list; it is worked on unless it is
// known to be finished in this state.
func (r *Reconciler) Listed(req types.AccessRequest) {
	id := req.GetName()
	version := message.View{Status: statusOf(req.GetState()), Reviews: make([]message.Review, len(req.GetReviews()))}.Version()
	r.mu.Lock()
	finished := r.done[id] == version
	r.mu.Unlock()
	if !finished {
		r.queue.Add(id, queue.Background)
	}
}

// Recorded says that a record was found when all of them were listed. What it
// says to be finished is not read again. It reports whether the request's
// messages still wait for its end.
func (r *Reconciler) Recorded(id string, data map[string]string) (open bool) {
	rec, err := plugindata.Decode(r.Codec, data)
	if err != nil || !rec.Claim.Free() || !rec.Ours() {
		return rec.Resolution == ""
	}
	v := message.View{Status: message.Pending}
	if rec.Resolution != "" {
		v.Status = rec.Resolution
	}
	v.Reviews = make([]message.Review, rec.ReviewsCount)
	if r.plan(rec, v, nil).empty() {
		r.mu.Lock()
		r.done[id] = v.Version()
		r.mu.Unlock()
	}
	return rec.Resolution == ""
}

// Open calls f with each request that this process knows and that had not
// ended when it last looked.
func (r *Reconciler) Open(f func(id string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.tracks {
		f(id)
	}
	for id, version := range r.done {
		if strings.HasPrefix(version, string(message.Pending)) {
			f(id)
		}
	}
}

// round works on one request and sees to what comes after.
func (r *Reconciler) round(ctx context.Context, id string) {
	t := r.track(id)
	waited := t.parked
	t.spoke = false
	again, err := r.reconcile(ctx, id, t)
	if t.parked = errors.Is(err, errFloorTaken); t.parked {
		r.queue.Park(id) // with that, the track may be in other hands
		r.letNextSpeak() // the floor may have become free before
		return
	}
	if waited && !t.spoke {
		r.letNextSpeak()
	}
	if err != nil && ctx.Err() == nil {
		t.failures++
		again = max(again, r.backoff(t.failures))
		r.folded.Warn("Could not work on an access request; it will be tried again",
			zap.String("request_id", id), zap.Duration("retry_in", again.Round(time.Millisecond)), zap.Error(err))
	} else if err == nil {
		t.failures = 0
	}
	// Done comes before AddAfter, lest a short delay be over while the key
	// still counts as being worked on, which would be right but cost a round.
	r.queue.Done(id)
	if again > 0 {
		r.queue.AddAfter(id, again)
	}
}

// letNextSpeak lets a request that waits for the floor have it, if it is free.
func (r *Reconciler) letNextSpeak() {
	if !r.floor.isTaken() {
		r.queue.Unpark()
	}
}

func (r *Reconciler) track(id string) *track {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.tracks[id]
	if !ok {
		t = &track{since: time.Now(), pauses: make(map[string]*pause), told: make(map[string]bool)}
		r.tracks[id] = t
	}
	return t
}

// finish forgets what was remembered of an unfinished request, and all of one
// whose end this round has dealt with. An end that was told of during the round
// is left for the next.
func (r *Reconciler) finish(id, version string, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tracks, id)
	if ended {
		delete(r.gone, id)
	}
	if ended || version == "" {
		delete(r.done, id)
		return
	}
	r.done[id] = version
}

func (r *Reconciler) isGone(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gone[id]
}

// Undelivered returns since when the oldest unfinished request is waiting; the
// zero time means that none is.
func (r *Reconciler) Undelivered() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	var oldest time.Time
	for _, t := range r.tracks {
		if oldest.IsZero() || t.since.Before(oldest) {
			oldest = t.since
		}
	}
	return oldest
}

// backoff is the pause after the n-th failure in a row: exponential, and
// jittered so that what failed together does not return together.
func (r *Reconciler) backoff(n int) time.Duration {
	d := r.Timing.RetryMin << min(n-1, 20)
	if d > r.Timing.RetryMax || d <= 0 {
		d = r.Timing.RetryMax
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// reconcile does one round. It returns when to look again, or zero when
// nothing is left to be done until something changes.
func (r *Reconciler) reconcile(ctx context.Context, id string, t *track) (again time.Duration, err error) {
	if (t.parked || r.isFresh(id)) && r.blind() && r.floor.isTaken() {
		return 0, errFloorTaken // so it would be in the end
	}
	req, rec := r.takeFresh(id), &plugindata.Record{}
	assumed := req != nil
	if !assumed {
		if req, rec, err = r.read(ctx, id, t); err != nil {
			return 0, err
		}
	}
	v, ok := r.view(id, req, rec)
	if !ok {
		return r.unseen(id, t), nil
	}
	if wait := r.blocked(t, rec); wait > 0 {
		return wait, nil
	}
	if t.outdated(rec) {
		clear(t.unrecorded)
	}
	r.mergeAll(rec, t.unrecorded, false)
	if rec.Progress.Request != 0 && req != nil && rec.Progress.Request != v.Created.Unix() {
		// The id was used again. What was told of the request before is
		// corrected first, as far as that can be done now: with the new one
		// begins a new record.
		before := r.place(lastView(id, rec))
		if left := r.plan(rec, before, t); len(left.deliveries) > 0 && r.refused() == 0 {
			_, err := r.carryOut(ctx, id, t, rec, nil, before, left)
			return time.Millisecond, err
		}
		r.startAnew(t, rec)
	}
	if !r.begin(ctx, id, t, rec, v) {
		if assumed {
			return time.Millisecond, nil // the record may know somebody
		}
		r.finish(id, v.Version(), req == nil)
		return 0, nil
	}
	work := r.plan(rec, v, t)
	if work.empty() {
		return r.nothingToDo(ctx, id, t, rec, req, v, work)
	}
	if wait := r.refused(); wait > 0 {
		return wait, nil
	}
	return r.carryOut(ctx, id, t, rec, req, v, work)
}

// read reads the request and its record, at the same time.
func (r *Reconciler) read(ctx context.Context, id string, t *track) (req types.AccessRequest, rec *plugindata.Record, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timing.Record, errors.New("the cluster did not answer in time"))
	defer cancel()
	var reading sync.WaitGroup
	var reqErr error
	reading.Go(func() { req, reqErr = r.Cluster.GetRequest(ctx, id) })
	data, err := r.Cluster.GetPluginData(ctx, types.KindAccessRequest, id, r.Plugin)
	reading.Wait()
	if err != nil {
		r.permission(ConditionRecords, err, "read plugin data", "access_plugin_data: read")
		return nil, nil, fmt.Errorf("reading the record of the access request: %w", err)
	}
	if reqErr != nil {
		r.permission(ConditionRequests, reqErr, "read access requests", "access_request: list, read")
		return nil, nil, fmt.Errorf("reading the access request: %w", reqErr)
	}
	if req != nil {
		t.unseen = 0
		r.Health.Set(ConditionRequests, true, "")
	}
	rec, err = plugindata.Decode(r.Codec, data)
	if err != nil && !t.told["garbled"] {
		t.told["garbled"] = true
		r.Log.Warn("A stored record cannot be read; what is readable of it is used",
			zap.String("request_id", id), zap.Error(err))
	}
	return req, rec, nil
}

// permission turns a refusal into a condition that says what to add.
func (r *Reconciler) permission(condition string, err error, what, rule string) {
	if r.Faults.IsDenied(err) {
		r.Health.Set(condition, false, fmt.Sprintf("the plugin's role may not %s; add the rule %s to it", what, rule))
	}
}

// Conditions that a Reconciler states.
const (
	// ConditionRequests: the cluster shows us the access requests.
	ConditionRequests = "access requests readable"
	// ConditionRecords: we may read and write our records.
	ConditionRecords = "plugin data writable"
	// ConditionService: the service accepts our credentials.
	ConditionService = "service credentials accepted"
)

// unseen handles a request that the cluster does not show. Only the cluster's
// word that it is gone makes it gone: without the permission to read access
// requests the cluster shows none, and says nothing.
func (r *Reconciler) unseen(id string, t *track) time.Duration {
	if r.isGone(id) {
		r.finish(id, "", true)
		return 0
	}
	t.unseen++
	if t.unseen > 3 {
		r.Health.Set(ConditionRequests, false, "the cluster tells of access requests but does not show them; "+
			"add the rule access_request: list, read to the plugin's role")
	}
	return r.backoff(t.unseen)
}

// outdated reports whether our results are those of an earlier request with the
// same id, whose record is gone.
func (t *track) outdated(rec *plugindata.Record) bool {
	return rec.Progress.Request != 0 && rec.Progress.Request != t.unrecordedOf
}

// startAnew forgets what is known of another request with the same id, whose
// messages stay as they are.
func (r *Reconciler) startAnew(t *track, rec *plugindata.Record) {
	claim := rec.Claim
	clear(t.unrecorded)
	clear(t.pauses)
	rec.Known, rec.Progress, rec.Claim = plugindata.Known{}, plugindata.Progress{}, claim
}

// nothingToDo ends a round in which every recipient is served, or waits.
func (r *Reconciler) nothingToDo(ctx context.Context, id string, t *track, rec *plugindata.Record, req types.AccessRequest, v message.View, w work) (time.Duration, error) {
	if t.suspect && !rec.Claim.Free() {
		// A dead claim would hold up whoever comes next.
		doubt(rec)
		rec.Claim = rec.Claim.Next(r.Owner)
	}
	if rec.Claim.Owner == r.Owner || len(t.unrecorded) > 0 {
		if err := r.record(ctx, id, t, rec, v, false); err != nil {
			return 0, err
		}
	}
	if w.wait > 0 {
		return w.wait, nil
	}
	r.finish(id, v.Version(), req == nil)
	return 0, nil
}
