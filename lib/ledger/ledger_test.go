package ledger_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/plugindata"
)

var (
	errRefused = errors.New("compare-and-swap failed")
	errDown    = errors.New("the cluster is down")
)

// store holds one record, and changes it if it holds what is expected.
type store struct {
	t      *testing.T
	values ledger.Values
}

func (s *store) update(set, expect map[string]string) error {
	for key, value := range expect {
		if s.values[key] != value {
			return errRefused
		}
	}
	s.values = s.values.After(set)
	return nil
}

func (s *store) content() map[string]string { return maps.Clone(s.values) }

func (s *store) record() *plugindata.Record {
	s.t.Helper()
	r, err := plugindata.Decode(plugindata.Messages{}, s.content())
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *store) mustWrite(r *plugindata.Record) {
	s.t.Helper()
	set, expect := r.Changes()
	if err := s.update(set, expect); err != nil {
		s.t.Fatal(err)
	}
	r.Stored(set)
}

// cluster is a store that fails as it is told to.
type cluster struct {
	*store
	// fails are the next writes: nil goes through to the store.
	fails  []error
	read   error
	writes []bool // what was said of each write: whether it was refused
	ends   []time.Time
}

func (c *cluster) GetPluginData(context.Context, string, string, string) (map[string]string, error) {
	return c.content(), c.read
}

func (c *cluster) UpdatePluginData(ctx context.Context, _, _, _ string, set, expect map[string]string) error {
	if end, ok := ctx.Deadline(); ok {
		c.ends = append(c.ends, end)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(c.fails) > 0 {
		err := c.fails[0]
		if c.fails = c.fails[1:]; err != nil {
			return err
		}
	}
	if c.update(set, expect) != nil {
		return errRefused
	}
	return nil
}

const lease, recording = 16 * time.Second, 5 * time.Second

func newLedger(t *testing.T) (*ledger.Ledger, *cluster) {
	t.Helper()
	c := &cluster{store: &store{t, ledger.Values{"user": "mia"}}}
	return ledger.New(ledger.Options{
		Store: c, Kind: "access_request", Plugin: "test", Owner: "me", Lease: lease, Time: recording,
		IsConflict: func(err error) bool { return errors.Is(err, errRefused) },
		Written:    func(conflict bool) { c.writes = append(c.writes, conflict) },
	}), c
}

func TestAClaimIsRespectedUntilItStoodUnchangedForALease(t *testing.T) {
	type look struct {
		after time.Duration // since the look before
		held  string
		wait  time.Duration
		dead  bool
	}
	const ms, short = time.Millisecond, 2 * time.Second
	for name, looks := range map[string][]look{
		"nobody's":                         {{0, "", 0, false}, {time.Hour, "", 0, false}},
		"one that stands still":            {{0, "a.1", short, false}, {lease - short - ms, "a.1", short, false}, {short, "a.1", ms, false}, {ms, "a.1", 0, true}},
		"one that is dead stays so":        {{0, "a.1", short, false}, {lease, "a.1", 0, true}, {time.Hour, "a.1", 0, true}},
		"one that is looked at late":       {{0, "a.1", short, false}, {lease - time.Second, "a.1", time.Second, false}, {time.Second, "a.1", 0, true}},
		"the least pause":                  {{0, "a.1", short, false}, {lease - 1, "a.1", ms, false}},
		"one that is renewed":              {{0, "a.1", short, false}, {lease - ms, "a.2", short, false}, {lease - ms, "a.2", ms, false}},
		"one that was given up meanwhile":  {{0, "a.1", short, false}, {lease - ms, "", 0, false}, {ms, "a.1", short, false}},
		"another's after one that is dead": {{0, "a.1", short, false}, {lease, "b.2", short, false}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _ := newLedger(t)
				for i, look := range looks {
					time.Sleep(look.after)
					if wait, dead := l.Blocked("1", look.held); wait != look.wait || dead != look.dead {
						t.Errorf("look %d at %q: wait %v, dead %v; want %v, %v", i, look.held, wait, dead, look.wait, look.dead)
					}
				}
			})
		})
	}
}

func TestAShortLeaseIsLookedAtEightTimes(t *testing.T) {
	l, _ := newLedger(t)
	l.Lease = 8 * time.Second
	if wait, _ := l.Blocked("1", "a.1"); wait != time.Second {
		t.Errorf("the next look is in %v", wait)
	}
}

func TestWhatWasSeenOfARequestIsForgotten(t *testing.T) {
	for name, forget := range map[string]func(l *ledger.Ledger){
		"it is finished":      func(l *ledger.Ledger) { l.Forget("1") },
		"it is not there now": func(l *ledger.Ledger) { l.Keep(func(id string) bool { return id != "1" }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _ := newLedger(t)
				l.Blocked("1", "a.1")
				l.Blocked("2", "a.1")
				time.Sleep(lease)
				forget(l)
				if _, dead := l.Blocked("1", "a.1"); dead {
					t.Error("it is remembered")
				}
				if _, dead := l.Blocked("2", "a.1"); !dead {
					t.Error("another one is forgotten too")
				}
			})
		})
	}
}

func TestAClaimCountsFromBeforeItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c := newLedger(t)
		r := c.record()
		r.Claim = ledger.Claim{Generation: 4}
		begun := time.Now()
		since, err := l.Claim(t.Context(), "1", r)
		if err != nil || !since.Equal(begun) || r.Claim != (ledger.Claim{Owner: "me", Generation: 5}) {
			t.Errorf("claimed as %q since %v, %v", r.Claim, since, err)
		}
		if got := c.content()["claim"]; got != "me.5" {
			t.Errorf("stored is %q", got)
		}
	})
}

func TestAClaimThatIsNotWrittenIsNotHeld(t *testing.T) {
	for name, c := range map[string]struct {
		fails, want error
		refused     bool
	}{
		"somebody else was first": {errRefused, ledger.ErrConflict, true},
		"the cluster fails":       {errDown, errDown, false},
	} {
		t.Run(name, func(t *testing.T) {
			l, store := newLedger(t)
			store.fails = []error{c.fails}
			r := store.record()
			if _, err := l.Claim(t.Context(), "1", r); !errors.Is(err, c.want) {
				t.Errorf("the error is %v", err)
			}
			if !r.Claim.Free() || r.Claim.Generation != 0 {
				t.Errorf("held as %q", r.Claim)
			}
			if !slices.Equal(store.writes, []bool{c.refused}) {
				t.Errorf("writes refused: %v", store.writes)
			}
		})
	}
}

func TestHowAClaimIsLeftWhenResultsAreWritten(t *testing.T) {
	for name, c := range map[string]struct {
		claim ledger.Claim
		keep  bool
		want  ledger.Claim
	}{
		"ours, finished":            {ledger.Claim{Owner: "me", Generation: 3}, false, ledger.Claim{Generation: 3}},
		"ours, and we go on":        {ledger.Claim{Owner: "me", Generation: 3}, true, ledger.Claim{Owner: "me", Generation: 4}},
		"another's, finished":       {ledger.Claim{Owner: "it", Generation: 3}, false, ledger.Claim{Owner: "it", Generation: 3}},
		"another's, and we go on":   {ledger.Claim{Owner: "it", Generation: 3}, true, ledger.Claim{Owner: "it", Generation: 3}},
		"nobody's, and we go on":    {ledger.Claim{Generation: 3}, true, ledger.Claim{Generation: 3}},
		"there never was anybody's": {ledger.Claim{}, false, ledger.Claim{}},
	} {
		t.Run(name, func(t *testing.T) {
			l, store := newLedger(t)
			r := store.record()
			r.Claim = c.claim
			store.mustWrite(r)
			r.ReviewsCount = 7
			got, err := ledger.Settle(t.Context(), l, "1", r, c.keep, nil)
			if err != nil || got != r || r.Claim != c.want {
				t.Errorf("the claim is %q, %v", r.Claim, err)
			}
			if s := store.content(); s["claim"] != c.want.String() || s["reviews_count"] != "7" {
				t.Errorf("stored is %q", s)
			}
		})
	}
}

func TestResultsAreWrittenThoughTheContextHasEndedWithinATimeOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, store := newLedger(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := store.record()
		r.ReviewsCount = 1
		if _, err := ledger.Settle(ctx, l, "1", r, false, nil); err != nil {
			t.Fatal(err)
		}
		if want := []time.Time{time.Now().Add(recording)}; !slices.EqualFunc(store.ends, want, time.Time.Equal) {
			t.Errorf("time is until %v, want %v", store.ends, want)
		}
	})
}

func TestResultsArePutIntoWhatSomebodyElseHasWritten(t *testing.T) {
	l, store := newLedger(t)
	r := store.record()
	r.Claim = ledger.Claim{Owner: "me", Generation: 1}
	store.mustWrite(r)
	if err := store.update(map[string]string{"roles": "editor"}, nil); err != nil {
		t.Fatal(err)
	}
	r.ReviewsCount = 2
	got, err := ledger.Settle(t.Context(), l, "1", r, false, func(context.Context) (*plugindata.Record, error) {
		fresh := store.record()
		fresh.ReviewsCount = 2
		return fresh, nil
	})
	want := map[string]string{"user": "mia", "roles": "editor", "reviews_count": "2", "claim": ".1"}
	if err != nil || !maps.Equal(store.content(), want) || !slices.Equal(got.Roles, []string{"editor"}) {
		t.Errorf("stored is %q, want %q; %v", store.content(), want, err)
	}
	if want := []bool{true, false}; !slices.Equal(store.writes, want) {
		t.Errorf("writes refused: %v, want %v", store.writes, want)
	}
}

func TestResultsThatCannotBeWrittenAreKeptWithTheClaim(t *testing.T) {
	ours := ledger.Claim{Owner: "me", Generation: 1}
	always := slices.Repeat([]error{errRefused}, 20)
	for name, c := range map[string]struct {
		fails  []error
		merge  error
		want   error
		writes int
	}{
		"the cluster fails":                   {[]error{errDown}, nil, errDown, 1},
		"somebody else is first eight times":  {always, nil, ledger.ErrConflict, 8},
		"the record cannot be read once more": {always, errDown, errDown, 1},
		"the cluster fails after a conflict":  {[]error{errRefused, errDown}, nil, errDown, 2},
	} {
		t.Run(name, func(t *testing.T) {
			l, store := newLedger(t)
			r := store.record()
			r.Claim = ours
			store.mustWrite(r)
			store.fails = c.fails
			got, err := ledger.Settle(t.Context(), l, "1", r, true, func(context.Context) (*plugindata.Record, error) {
				return store.record(), c.merge
			})
			if !errors.Is(err, c.want) || got.Claim != ours || len(store.writes) != c.writes {
				t.Errorf("the claim is %q after %d writes, %v", got.Claim, len(store.writes), err)
			}
		})
	}
}

func TestTheSeventhConflictIsNotTheLastTry(t *testing.T) {
	l, store := newLedger(t)
	store.fails = slices.Repeat([]error{errRefused}, 7)
	r := store.record()
	r.ReviewsCount = 1
	if _, err := ledger.Settle(t.Context(), l, "1", r, false, func(context.Context) (*plugindata.Record, error) { return r, nil }); err != nil {
		t.Error(err)
	}
}

func TestWhatStandsThereIsNotWritten(t *testing.T) {
	l, store := newLedger(t)
	r := store.record()
	if _, err := ledger.Settle(t.Context(), l, "1", r, false, nil); err != nil || len(store.writes) > 0 {
		t.Errorf("%d writes of a record that is as it was, %v", len(store.writes), err)
	}
	r.ReviewsCount = 1
	for range 2 {
		if _, err := ledger.Settle(t.Context(), l, "1", r, false, nil); err != nil || len(store.writes) != 1 {
			t.Errorf("%d writes of one change, %v", len(store.writes), err)
		}
	}
}

func TestARecordIsReadFromTheStore(t *testing.T) {
	l, store := newLedger(t)
	if data, err := l.Read(t.Context(), "1"); err != nil || data["user"] != "mia" {
		t.Errorf("read %q, %v", data, err)
	}
	store.read = errDown
	if data, err := l.Read(t.Context(), "1"); !errors.Is(err, errDown) || data != nil {
		t.Errorf("read %q, %v", data, err)
	}
}
