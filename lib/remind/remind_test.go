package remind

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errConflict = errors.New("conflict")
	errDenied   = errors.New("denied")
	errUnknown  = errors.New("not implemented")
)

// rig is a cluster and a service, in virtual time.
type rig struct {
	t  *testing.T
	mu sync.Mutex

	lists     []List
	inherited map[string][]string // list to owners beyond its own
	records   map[string]map[string]string
	listing   error // what a list of access lists fails with
	owning    error // what a look for owners fails with
	writing   func() error
	written   func() error // is asked after a write was done

	told    []told
	remind  func(address string) error
	latency time.Duration
	abort   func()

	logs  *observer.ObservedLogs
	log   *zap.Logger
	notes map[string]string
	count map[string]int
}

// told is a reminder that somebody got.
type told struct {
	at    time.Time
	to    string
	lists string
}

func inTime(t *testing.T, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		f(&rig{
			t: t, records: map[string]map[string]string{}, inherited: map[string][]string{},
			logs: logs, log: zap.New(core), notes: map[string]string{}, count: map[string]int{},
		})
	})
}

func (r *rig) AccessLists(_ context.Context, fn func(List) error) error {
	r.mu.Lock()
	lists, err := slices.Clone(r.lists), r.listing
	r.mu.Unlock()
	if err != nil {
		return err
	}
	for _, l := range lists {
		if err := fn(l); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) AccessListOwners(_ context.Context, list string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lists {
		if l.Name == list && r.owning == nil {
			return append(slices.Clone(l.Owners), r.inherited[list]...), nil
		}
	}
	return nil, r.owning
}

func (r *rig) GetPluginData(_ context.Context, kind, list, plugin string) (map[string]string, error) {
	if kind != types.KindAccessList || plugin != "test" {
		r.t.Errorf("read the record of %s in %s", plugin, kind)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.records[list]), nil
}

func (r *rig) UpdatePluginData(ctx context.Context, _, list, _ string, set, expect map[string]string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writing != nil {
		if err := r.writing(); err != nil {
			return err
		}
	}
	for key, value := range expect {
		if r.records[list][key] != value {
			return errConflict
		}
	}
	rec := maps.Clone(r.records[list])
	if rec == nil {
		rec = map[string]string{}
	}
	maps.Copy(rec, set)
	maps.DeleteFunc(rec, func(_, value string) bool { return value == "" })
	r.records[list] = rec
	if r.written != nil {
		return r.written()
	}
	return nil
}

func (r *rig) Person(_ context.Context, user string) string {
	if strings.HasPrefix(user, "nobody") {
		return ""
	}
	return user
}

func (r *rig) Resolve(_ context.Context, recipient string) (string, error) {
	if strings.HasPrefix(recipient, "gone") {
		return "", fail(outbound.Refused)
	}
	return "@" + recipient, nil
}

func (r *rig) Remind(ctx context.Context, address string, m Reminder) error {
	select {
	case <-time.After(r.latency):
	case <-ctx.Done():
		return fail(outbound.Unclear)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.remind != nil {
		if err := r.remind(address); err != nil {
			return err
		}
	}
	var names []string
	for _, l := range m.Lists {
		names = append(names, l.Title)
	}
	r.told = append(r.told, told{time.Now(), address, strings.Join(names, ",")})
	return nil
}

func fail(kind outbound.Kind) error {
	return &outbound.Error{Kind: kind, Op: "test", Err: errors.New(string(kind)), After: 10 * time.Second}
}

// start begins a replica and returns what ends it. To abort is to end the calls
// that are under way too.
func (r *rig) start(name string) (stop func()) {
	x := New(Options{
		Plugin: "test", Replica: name, Cluster: r, Service: r, Log: r.log,
		Faults: Faults{
			IsConflict:      func(err error) bool { return errors.Is(err, errConflict) },
			IsDenied:        func(err error) bool { return errors.Is(err, errDenied) },
			IsUnimplemented: func(err error) bool { return errors.Is(err, errUnknown) },
		},
		Links: func(list string) (string, string) { return "https://web/all", "https://web/" + list },
		Note: func(name, text string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.notes[name] = text
		},
		Told: func(err error, _ time.Duration) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if err == nil {
				r.count["ok"]++
			} else {
				r.count[string(outbound.KindOf(err))]++
			}
		},
		Recorded: func(bool) {},
		Delay:    30 * time.Second, Interval: 3 * time.Hour, Retry: 5 * time.Minute,
		Lease: 30 * time.Second, Call: 10 * time.Second, Record: 10 * time.Second,
	})
	ctx, cancel := context.WithCancel(r.t.Context())
	calls, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	r.abort = end
	go func() {
		defer close(ended)
		x.Run(ctx, calls)
	}()
	return func() { cancel(); <-ended; end() }
}

// add adds a list whose review is due after a while (or has been).
func (r *rig) add(name string, due time.Duration, owners ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lists = append(r.lists, List{Name: name, Title: name, Audit: time.Now().Add(due), Notice: 14 * day, Owners: owners})
}

func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// want compares who was reminded of what, in order.
func (r *rig) want(reminders ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var got []string
	for _, x := range r.told {
		got = append(got, x.to+": "+x.lists)
	}
	if !slices.Equal(got, reminders) {
		r.t.Fatalf("told %q, want %q", got, reminders)
	}
}

// record is what is recorded of a list.
func (r *rig) record(list string) map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.records[list])
}

// noted is what the note on reminders says.
func (r *rig) noted() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.notes[note]
}

// reminders are those that were sent.
func (r *rig) reminders() []told {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

func (r *rig) warnings() (lines []string) {
	for _, e := range r.logs.All() {
		if e.Level >= zapcore.WarnLevel {
			lines = append(lines, e.Message)
		}
	}
	return lines
}

func TestThePeriodInWhichAnOwnerIsToldOnce(t *testing.T) {
	audit := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
	l := List{Audit: audit, Notice: 14 * day}
	first := audit.Add(-14 * day)
	for name, c := range map[string]struct {
		list  List
		at    time.Time
		began time.Time // zero: nobody is told
	}{
		"before the notice":            {l, first.Add(-time.Second), time.Time{}},
		"at the notice":                {l, first, first},
		"in the first week":            {l, first.Add(6 * day), first},
		"in the second week":           {l, first.Add(8 * day), first.Add(7 * day)},
		"when it is due":               {l, audit, first.Add(14 * day)},
		"the first day after that":     {l, audit.Add(time.Hour), audit},
		"the third day after that":     {l, audit.Add(2*day + time.Hour), audit.Add(2 * day)},
		"no review is due":             {List{Notice: 14 * day}, audit, time.Time{}},
		"no notice, and due":           {List{Audit: audit}, audit, audit},
		"no notice, and not yet due":   {List{Audit: audit}, audit.Add(-time.Hour), time.Time{}},
		"a notice that is no multiple": {List{Audit: audit, Notice: 10 * day}, audit.Add(-day), audit.Add(-3 * day)},
	} {
		t.Run(name, func(t *testing.T) {
			began, ok := c.list.period(c.at)
			if !began.Equal(c.began) || ok != !c.began.IsZero() {
				t.Errorf("got %v, %v, want %v", began, ok, c.began)
			}
		})
	}
}

func TestWhenAReviewIsDue(t *testing.T) {
	d := Due{Audit: time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)}
	for after, want := range map[time.Duration]string{
		-3 * day: "due by 2026-03-15", 0: "due by 2026-03-15", time.Hour: "overdue since 2026-03-15",
		25 * time.Hour: "overdue since 2026-03-15 (1 day)", 9*day + time.Hour: "overdue since 2026-03-15 (9 days)",
	} {
		if got := d.When(d.Audit.Add(after)); got != want {
			t.Errorf("after %v: %q, want %q", after, got, want)
		}
	}
}

func TestOwnersAreToldOnceInEachPeriod(t *testing.T) {
	inTime(t, func(r *rig) {
		r.add("ops", 10*day, "alice", "bob")
		r.add("later", 30*day, "alice")
		defer r.start("one")()
		r.pass(time.Minute)
		r.want("@alice: ops", "@bob: ops")
		r.pass(2 * day) // still the first week of the notice
		r.want("@alice: ops", "@bob: ops")
		r.pass(2 * day)
		r.want("@alice: ops", "@bob: ops", "@alice: ops", "@bob: ops")
		audit := r.lists[0].Audit
		r.pass(time.Until(audit.Add(3*day - time.Hour)))
		days := map[string]int{}
		for _, x := range r.reminders() {
			if x.at.After(audit) {
				days[fmt.Sprint(x.to, int(x.at.Sub(audit)/day))]++
			}
		}
		for _, owner := range []string{"@alice", "@bob"} {
			for day := range 3 {
				if n := days[fmt.Sprint(owner, day)]; n != 1 {
					t.Errorf("%s was told %d times on day %d after the review was due", owner, n, day)
				}
			}
		}
	})
}

func TestOneOwnerIsToldOfAllListsAtOnce(t *testing.T) {
	inTime(t, func(r *rig) {
		r.add("b", 5*day, "alice")
		r.add("a", 3*day, "alice", "bob", "alice")
		r.add("c", -3*day)
		r.inherited["c"] = []string{"alice"}
		defer r.start("one")()
		r.pass(time.Hour)
		r.want("@alice: c,a,b", "@bob: a")
		for _, list := range []string{"a", "b", "c"} {
			rec, err := decode(r.record(list))
			if err != nil || rec.notified["alice"].IsZero() || !rec.claim.Free() {
				t.Errorf("record of %s: %v, %v", list, r.record(list), err)
			}
		}
	})
}

// A record of Teleport's own plugin is continued, and ours is one that it can read.
func TestRecordsAreThoseOfTeleportsOwnPlugin(t *testing.T) {
	inTime(t, func(r *rig) {
		r.add("ops", 10*day, "alice", "bob")
		began := time.Now().UTC().Add(-time.Hour)
		r.records["ops"] = map[string]string{NotifiedKey: fmt.Sprintf(`{"alice":%q}`, began.Format(time.RFC3339Nano))}
		stop := r.start("one")
		r.pass(time.Hour)
		stop()
		r.want("@bob: ops")
		want := fmt.Sprintf(`{"alice":%q,"bob":%q}`, began.Format(time.RFC3339Nano), r.reminders()[0].at.UTC().Format(time.RFC3339Nano))
		if got := r.record("ops")[NotifiedKey]; got != want {
			t.Errorf("recorded %s, want %s", got, want)
		}
	})
}

func TestOfManyReplicasOneReminds(t *testing.T) {
	inTime(t, func(r *rig) {
		r.latency = 2 * time.Second
		for i := range 20 {
			r.add(fmt.Sprintf("list%02d", i), 10*day, "alice", "bob", fmt.Sprint("owner", i))
		}
		for i := range 3 {
			defer r.start(fmt.Sprint("replica", i))()
		}
		r.pass(12 * time.Hour)
		got := map[string]int{}
		for _, x := range r.reminders() {
			for _, list := range strings.Split(x.lists, ",") {
				got[x.to+" "+list]++
			}
		}
		if len(got) != 60 {
			t.Errorf("%d pairs of owner and list, want 60", len(got))
		}
		for pair, n := range got {
			if n != 1 {
				t.Errorf("%s: told %d times", pair, n)
			}
		}
	})
}

func TestWhatFailsIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		kind   outbound.Kind
		within time.Duration
	}{
		"passes":         {outbound.Retry, 11 * time.Minute},
		"has a limit":    {outbound.Wait, time.Minute + 30*time.Second},
		"is unclear":     {outbound.Unclear, 11 * time.Minute},
		"lasts, in vain": {outbound.Refused, 7 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.add("ops", 10*day, "alice", "bob")
				left := 2
				r.remind = func(address string) error {
					if address == "@alice" && left > 0 {
						left--
						return fail(c.kind)
					}
					return nil
				}
				defer r.start("one")()
				r.pass(40 * time.Second)
				r.want("@bob: ops") // is not kept waiting
				if rec, _ := decode(r.record("ops")); !rec.claim.Free() {
					t.Errorf("the claim stays: %v", rec.claim)
				}
				r.pass(c.within)
				r.want("@bob: ops", "@alice: ops")
				if n := len(r.warnings()); c.kind != outbound.Wait && n != 1 || n > 1 {
					t.Errorf("warned %q, want once", r.warnings())
				}
			})
		})
	}
}

func TestWhoCannotBeReachedHoldsUpNobody(t *testing.T) {
	inTime(t, func(r *rig) {
		r.add("ops", 10*day, "gone-1", "nobody-1", "zoe")
		defer r.start("one")()
		r.pass(2 * day)
		r.want("@zoe: ops")
		if len(r.warnings()) != 1 {
			t.Errorf("warned %q, want once", r.warnings())
		}
	})
}

func TestAClusterWithoutAccessListsOrThePermission(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		note string
	}{
		"without": {errUnknown, "the cluster has no access lists"},
		"denied":  {errDenied, "add the rule access_list: list, read"},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.add("ops", 10*day, "alice")
				r.listing = c.err
				defer r.start("one")()
				r.pass(2 * day)
				r.want()
				if len(r.warnings()) > 0 || r.logs.Len() > 1 {
					t.Errorf("%d lines, warnings %q", r.logs.Len(), r.warnings())
				}
				if got := r.noted(); !strings.Contains(got, c.note) {
					t.Errorf("noted %q, want %q", got, c.note)
				}
				r.mu.Lock()
				r.listing = nil
				r.mu.Unlock()
				r.pass(4 * time.Hour)
				r.want("@alice: ops")
				if got := r.noted(); got != "" {
					t.Errorf("the note stays: %q", got)
				}
			})
		})
	}
	t.Run("with lists and without inherited owners", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.add("ops", 10*day, "alice")
			r.owning = errUnknown
			defer r.start("one")()
			r.pass(time.Minute)
			r.want("@alice: ops")
		})
	})
}

func TestListsThatCannotBeReadAreReadAgain(t *testing.T) {
	inTime(t, func(r *rig) {
		r.add("ops", 10*day, "alice")
		r.listing = errors.New("the cluster is away")
		defer r.start("one")()
		r.pass(time.Hour)
		if len(r.warnings()) != 1 {
			t.Errorf("warned %q, want once", r.warnings())
		}
		r.mu.Lock()
		r.listing = nil
		r.mu.Unlock()
		r.pass(6 * time.Minute)
		r.want("@alice: ops")
	})
}

func TestAReplicaThatDiesHoldsUpItsListForTheLease(t *testing.T) {
	inTime(t, func(r *rig) {
		r.add("ops", 10*day, "alice")
		r.add("db", 10*day, "bob") // of which it is looked again every ten seconds
		r.remind = func(address string) error {
			if address == "@bob" {
				return fail(outbound.Wait)
			}
			return nil
		}
		r.records["ops"] = map[string]string{"claim": "dead.7"}
		defer r.start("one")()
		r.pass(50 * time.Second)
		r.want()
		r.pass(time.Minute)
		r.want("@alice: ops")
		if got := r.record("ops")["claim"]; got != ".9" && got != ".8" {
			t.Errorf("claim %q after the end", got)
		}
	})
}

// Nobody is told twice because the cluster did not take, or did not confirm, the
// record.
func TestARecordThatIsRefusedIsNoReasonToRepeat(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.add("ops", 10*day, "alice")
			writes := 0
			r.writing = func() error {
				if writes++; writes > 1 && writes < 4 { // the claim is taken
					return errors.New("the cluster is away")
				}
				return nil
			}
			defer r.start("one")()
			r.pass(day)
			r.want("@alice: ops")
			r.pass(3 * day)
			r.want("@alice: ops", "@alice: ops")
			if rec, err := decode(r.record("ops")); err != nil || rec.notified["alice"] != r.reminders()[1].at.UTC() {
				t.Errorf("record %v, %v", r.record("ops"), err)
			}
		})
	})
	t.Run("the answer is lost", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.add("ops", 10*day, "alice")
			writes := 0
			r.written = func() error {
				if writes++; writes == 2 {
					return errors.New("the answer is lost")
				}
				return nil
			}
			defer r.start("one")()
			r.pass(day)
			r.want("@alice: ops")
		})
	})
	t.Run("somebody else wrote meanwhile", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.add("ops", 10*day, "alice", "bob")
			at := time.Now().UTC().Format(time.RFC3339Nano)
			r.remind = func(string) error { // Teleport's own plugin tells bob
				r.records["ops"][NotifiedKey] = fmt.Sprintf(`{"bob":%q}`, at)
				r.remind = nil
				return nil
			}
			defer r.start("one")()
			r.pass(day)
			r.want("@alice: ops")
		})
	})
}

func TestARecordThatCannotBeReadIsReplaced(t *testing.T) {
	inTime(t, func(r *rig) {
		r.add("ops", 10*day, "alice")
		r.records["ops"] = map[string]string{NotifiedKey: "{", "claim": "x"}
		defer r.start("one")()
		r.pass(2 * day)
		r.want("@alice: ops")
		if len(r.warnings()) != 1 {
			t.Errorf("warned %q, want once", r.warnings())
		}
	})
}

// What is broken off may be tried again by others at once.
func TestAnAbortGivesUpTheClaim(t *testing.T) {
	inTime(t, func(r *rig) {
		r.latency = 8 * time.Second
		r.add("ops", 10*day, "alice")
		stop := r.start("one")
		for r.record("ops") == nil {
			r.pass(time.Second)
		}
		r.abort()
		stop()
		r.want()
		if rec, err := decode(r.record("ops")); err != nil || !rec.claim.Free() || len(rec.notified) > 0 {
			t.Errorf("record after the end: %v, %v", r.record("ops"), err)
		}
	})
}

func TestAStopLetsTheReminderFinish(t *testing.T) {
	inTime(t, func(r *rig) {
		r.latency = 8 * time.Second
		r.add("ops", 10*day, "alice", "bob")
		stop := r.start("one")
		for r.record("ops") == nil { // until the first reminder is on its way
			r.pass(time.Second)
		}
		stop()
		r.want("@alice: ops")
		if rec, err := decode(r.record("ops")); err != nil || rec.notified["alice"].IsZero() || !rec.claim.Free() {
			t.Errorf("record after the stop: %v, %v", r.record("ops"), err)
		}
		defer r.start("two")()
		r.pass(time.Hour)
		r.want("@alice: ops", "@bob: ops")
	})
}
