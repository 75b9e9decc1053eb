package remind

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/outbound"
)

// Service is what an integration must be able to do. Errors are as those of an
// integration.Service.
type Service interface {
	// Person is the recipient that stands for a Teleport user; empty if there
	// is none.
	Person(ctx context.Context, user string) string
	// Resolve turns a recipient into the address that the service knows it by.
	Resolve(ctx context.Context, recipient string) (address string, err error)
	// Remind tells an owner, at an address, of the lists that are to be reviewed.
	Remind(ctx context.Context, address string, r Reminder) error
}

// Cluster is what is asked of the Teleport cluster.
type Cluster interface {
	// AccessLists calls fn with each access list.
	AccessLists(ctx context.Context, fn func(List) error) error
	// AccessListOwners returns all owners of a list, inherited ones too.
	AccessListOwners(ctx context.Context, list string) ([]string, error)
	ledger.Store
}

// Faults sorts the errors of a Cluster.
type Faults struct {
	IsConflict      func(error) bool // a compare-and-swap was refused
	IsDenied        func(error) bool // a permission is missing
	IsUnimplemented func(error) bool // the cluster does not know the call
}

// Options tell a Reminder what to work with.
type Options struct {
	// Plugin is the name under which records are kept.
	Plugin string
	// Replica names this process in claims; it must be unique.
	Replica string
	Cluster Cluster
	Service Service
	Faults  Faults
	// Links returns the address of all access lists in the web UI, and that of
	// one list's review; both empty if there is no address.
	Links func(list string) (all, review string)
	// Note states something worth knowing about a feature; an empty text
	// withdraws it.
	Note func(name, text string)
	// Told counts a reminder, how it ended, and how long it took.
	Told func(err error, took time.Duration)
	// Recorded counts a write to a record; conflict says that it was refused.
	Recorded func(conflict bool)
	Log      *zap.Logger
	// Delay is the time before the first round, Interval that between two
	// rounds; both vary by a seventh. Retry is the time to the next round after
	// one in which something failed.
	Delay, Interval, Retry time.Duration
	// Lease is how long the claim of a silent replica is respected; Call bounds
	// one call to the service and Record one to the cluster.
	Lease, Call, Record time.Duration
}

// Runner reminds owners. Make one with New.
type Runner struct {
	Options
	ledger *ledger.Ledger
	// unrecorded holds who was reminded of a list, where that could not be recorded.
	unrecorded map[string]map[string]time.Time
	said       map[string]bool // what was logged once
}

// New returns a Runner; Run makes it work.
func New(o Options) *Runner {
	return &Runner{
		Options: o, unrecorded: make(map[string]map[string]time.Time), said: make(map[string]bool),
		ledger: ledger.New(ledger.Options{
			Store: o.Cluster, Kind: types.KindAccessList, Plugin: o.Plugin, Owner: o.Replica,
			Lease: o.Lease, Time: o.Record, IsConflict: o.Faults.IsConflict, Written: o.Recorded,
		}),
	}
}

// listTime bounds reading all access lists.
const listTime = time.Minute

// note is the name under which the state of reminders is noted.
const note = "access list reminders"

// Run works until the first context ends. A reminder that is under way then may
// finish until the second one ends.
func (r *Runner) Run(ctx, calls context.Context) {
	pause := vary(r.Delay)
	for {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = vary(r.Interval)
		if again := r.round(ctx, calls); again > 0 {
			pause = min(pause, again)
		}
	}
}

// vary changes a time by up to a seventh, so that replicas do not work at once.
func vary(d time.Duration) time.Duration {
	return d - d/7 + time.Duration(rand.Int64N(int64(d/7)*2+1))
}

// round reminds everybody who is to be reminded now. It returns when to look again
// before the usual time, or zero.
func (r *Runner) round(ctx, calls context.Context) (again time.Duration) {
	jobs, again, err := r.due(ctx)
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil:
		return r.unread(err)
	}
	r.Note(note, "")
	delete(r.said, "denied")
	delete(r.said, "unread")
	byOwner := make(map[string][]*job)
	for _, j := range jobs {
		for _, owner := range j.owners {
			byOwner[owner] = append(byOwner[owner], j)
		}
	}
	for _, owner := range slices.Sorted(maps.Keys(byOwner)) {
		if ctx.Err() != nil {
			return 0
		}
		if wait := r.tell(calls, owner, byOwner[owner]); wait > 0 && (again == 0 || wait < again) {
			again = wait
		}
	}
	return again
}

// unread says why the access lists cannot be read, and returns when to try again.
func (r *Runner) unread(err error) (again time.Duration) {
	switch {
	case r.Faults.IsUnimplemented(err):
		r.Note(note, "off: the cluster has no access lists")
		return 0
	case r.Faults.IsDenied(err):
		r.Note(note, "off: the plugin's role may not read access lists; add the rule access_list: list, read")
		if r.once("denied") {
			r.Log.Info("Owners of access lists are not reminded of reviews; to remind them add the rule access_list: list, read to the plugin's role", zap.Error(err))
		}
		return 0
	}
	if r.once("unread") {
		r.Log.Warn("Access lists could not be read; reminders are tried again", zap.Duration("retry_in", r.Retry), zap.Error(err))
	}
	return r.Retry
}

func (r *Runner) once(what string) bool {
	if r.said[what] {
		return false
	}
	r.said[what] = true
	return true
}

// tell reminds one owner of the lists. It returns when to try again what failed.
func (r *Runner) tell(ctx context.Context, owner string, jobs []*job) (again time.Duration) {
	log := r.Log.With(zap.String("owner", owner))
	recipient := r.Service.Person(ctx, owner)
	if recipient == "" {
		if r.once("nobody " + owner) {
			log.Info("An owner of access lists cannot be reminded of reviews: nothing says who that is at the service")
		}
		return 0
	}
	address, err := r.resolve(ctx, recipient)
	if err != nil {
		return r.failed(log, "resolve "+owner, err)
	}
	jobs = slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool {
		if !j.wants(owner) {
			return true // somebody else was faster
		}
		err := r.claim(ctx, j)
		switch {
		case err == nil:
			return false
		case errors.Is(err, ledger.ErrConflict):
			again = r.Lease // another replica was first; look how far it comes
		default:
			again = r.Retry
			log.Warn("A reminder could not be recorded beforehand; it is tried again", zap.String("access_list", j.list.Name), zap.Error(err))
		}
		return true
	})
	if len(jobs) == 0 {
		return again
	}
	reminder := r.reminder(jobs)
	began := time.Now()
	err = r.remind(ctx, address, reminder)
	r.Told(err, time.Since(began))
	for _, j := range jobs {
		if err == nil {
			j.record.tell(owner, reminder.Now.UTC())
		}
		r.record(ctx, j, owner)
	}
	if err != nil {
		return r.failed(log, "remind "+owner, err)
	}
	log.Info("Reminded an owner of access lists that are to be reviewed", zap.Int("access_lists", len(jobs)))
	return again
}

func (r *Runner) resolve(ctx context.Context, recipient string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Call)
	defer cancel()
	return r.Service.Resolve(ctx, recipient)
}

func (r *Runner) remind(ctx context.Context, address string, reminder Reminder) error {
	ctx, cancel := context.WithTimeout(ctx, r.Call)
	defer cancel()
	return r.Service.Remind(ctx, address, reminder)
}

// failed says what failed, and returns when to try again: what will never succeed
// waits for the next round.
func (r *Runner) failed(log *zap.Logger, what string, err error) time.Duration {
	switch outbound.KindOf(err) {
	case outbound.Refused, outbound.Gone:
		if r.once(what) {
			log.Warn("An owner of access lists cannot be reminded of reviews", zap.Error(err))
		}
		return 0
	case outbound.Wait:
		return max(outbound.AfterOf(err), time.Second)
	}
	if r.once(what) {
		log.Warn("An owner of access lists could not be reminded of reviews; it is tried again", zap.Error(err))
	}
	return r.Retry
}

func (r *Runner) reminder(jobs []*job) Reminder {
	reminder := Reminder{Now: time.Now()}
	for _, j := range jobs {
		d := Due{Name: j.list.Name, Title: cmp.Or(j.list.Title, j.list.Name), Audit: j.list.Audit}
		reminder.Link, d.Link = r.Links(j.list.Name)
		reminder.Lists = append(reminder.Lists, d)
	}
	return reminder
}

// claim writes our claim into the record of a list.
func (r *Runner) claim(ctx context.Context, j *job) error {
	ctx, cancel := context.WithTimeout(ctx, r.Record)
	defer cancel()
	_, err := r.ledger.Claim(ctx, j.list.Name, j.record)
	return err
}

// record writes whom of a list's owners we told, and gives up our claim. What
// cannot be written is kept for the next round.
func (r *Runner) record(ctx context.Context, j *job, owner string) {
	told := j.record.notified[owner]
	rec, err := ledger.Settle(ctx, r.ledger, j.list.Name, j.record, false, func(ctx context.Context) (*record, error) {
		fresh, err := r.read(ctx, j.list.Name)
		if err == nil {
			fresh.tell(owner, told)
		}
		return fresh, err
	})
	j.record = rec
	if err == nil {
		delete(r.unrecorded, j.list.Name)
		return
	}
	if !told.IsZero() {
		if r.unrecorded[j.list.Name] == nil {
			r.unrecorded[j.list.Name] = make(map[string]time.Time)
		}
		r.unrecorded[j.list.Name][owner] = told
	}
	r.Log.Warn("A reminder could not be recorded; it is not repeated while this process runs",
		zap.String("access_list", j.list.Name), zap.String("owner", owner), zap.Error(err))
}
