package watch_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/watch"
)

// pauses are those between times.
func pauses(times []time.Time) (list []time.Duration) {
	for i := 1; i < len(times); i++ {
		list = append(list, times[i].Sub(times[i-1]))
	}
	return list
}

// await lets time pass until something is so.
func (w *world) await(so func() bool) {
	for is := false; !is; {
		settle(100 * time.Millisecond)
		w.with(func() { is = so() })
	}
}

// wantPauses says that pauses grow from the first to the last, each twice as long as
// the one before, and differ from that by at most a part, up and down.
func wantPauses(t *testing.T, got []time.Duration, first, last time.Duration, part float64) {
	t.Helper()
	want, shorter, longer := first, 0, 0
	for i, pause := range got {
		part := part * float64(want)
		if float64(pause) < float64(want)-part || float64(pause) > float64(want)+part {
			t.Errorf("pause %d is %v, want %v", i, pause, want)
		}
		if float64(pause) < float64(want)-part/2 {
			shorter++
		}
		if float64(pause) > float64(want)+part/2 {
			longer++
		}
		want = min(2*want, last)
	}
	if len(got) < 100 || shorter == 0 || longer == 0 {
		t.Errorf("%d pauses, %d of them much shorter and %d much longer than the mean", len(got), shorter, longer)
	}
}

func TestPausesBetweenConnections(t *testing.T) {
	w := newWorld()
	w.connect = errors.New("refused")
	inTime(t, w, nil, func(t *testing.T) {
		settle(time.Hour)
		w.with(func() { wantPauses(t, pauses(w.dials), 20*time.Millisecond, 5*time.Second, 0.25) })
		w.with(func() { w.connect = nil })
		settle(10 * time.Second)
		w.with(func() { w.dials, w.connect = nil, errors.New("refused") })
		w.last().end()
		settle(25 * time.Millisecond) // begins anew
		w.with(func() {
			if len(w.dials) == 0 {
				t.Error("after a connection that was well the first pause is as long as the last before it")
			}
		})
	})
}

func TestPausesBetweenListsThatFail(t *testing.T) {
	w := newWorld()
	w.list = errors.New("too busy")
	inTime(t, w, nil, func(t *testing.T) {
		settle(2 * time.Hour)
		w.with(func() { wantPauses(t, pauses(w.lists), time.Second, 30*time.Second, 0.1) })
		w.with(func() { w.list = nil })
		settle(time.Hour)
		w.with(func() { w.list, w.lists = errors.New("too busy"), nil })
		settle(12 * time.Minute)
		w.with(func() {
			if p := pauses(w.lists); len(p) == 0 || p[0] > 1100*time.Millisecond {
				t.Errorf("the first failure after a list that was well is followed by %v", p)
			}
		})
	})
}

func TestListsAreTenMinutesApartWhileAllGoesWell(t *testing.T) {
	w := newWorld()
	inTime(t, w, nil, func(t *testing.T) {
		settle(24 * time.Hour)
		w.with(func() { wantPauses(t, pauses(w.lists), 10*time.Minute, 10*time.Minute, 0.1) })
	})
}

func TestAListThatIsAskedForComesFiveSecondsAfterTheOneBeforeAtTheEarliest(t *testing.T) {
	w, relist := newWorld(), chan struct{}(nil)
	inTime(t, w, func(o *watch.Options) { relist = make(chan struct{}, 1); o.Relist = relist }, func(t *testing.T) {
		settle(time.Minute)
		for range 3 {
			relist <- struct{}{}
			settle(4900 * time.Millisecond)
		}
		w.with(func() {
			got := pauses(w.lists)
			if len(got) != 3 || got[0] != time.Minute+time.Millisecond && got[0] > time.Minute+time.Second || got[1] != 5*time.Second || got[2] != 5*time.Second {
				t.Errorf("pauses %v", got)
			}
		})
	})
}

func TestAListThatFailedAndIsAskedForIsNotKeptWaitingForLonger(t *testing.T) {
	w, relist := newWorld(), chan struct{}(nil)
	w.list = errors.New("too busy")
	inTime(t, w, func(o *watch.Options) { relist = make(chan struct{}, 1); o.Relist = relist }, func(t *testing.T) {
		relist <- struct{}{}
		settle(1100 * time.Millisecond)
		w.with(func() {
			if len(w.lists) != 2 {
				t.Errorf("%d lists", len(w.lists))
			}
		})
	})
}

func TestWhenAConnectionCountsAsSilent(t *testing.T) {
	lost := errors.New("lost")
	for name, c := range map[string]struct {
		pings []error // the last one stays
		after time.Duration
		conns int
	}{
		"two signs of life in a row are missing": {[]error{nil, lost, lost, nil}, 31 * time.Second, 2},
		"not before the second":                  {[]error{nil, lost, lost, nil}, 29 * time.Second, 1},
		"one now and then is none":               {[]error{lost, nil, lost, nil, lost, nil}, time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.ping = func() error {
				w.mu.Lock()
				defer w.mu.Unlock()
				err := c.pings[0]
				if len(c.pings) > 1 {
					c.pings = c.pings[1:]
				}
				return err
			}
			inTime(t, w, nil, func(t *testing.T) {
				settle(c.after)
				if n := len(w.conns); n != c.conns {
					t.Errorf("%d connections, want %d", n, c.conns)
				}
			})
		})
	}
}

func TestASignOfLifeIsWaitedForForHalfThePause(t *testing.T) {
	w := newWorld()
	inTime(t, w, nil, func(t *testing.T) {
		w.with(func() { w.mute = true })
		settle(24900 * time.Millisecond) // asked after 10 s and 20 s, each for 5 s
		if w.condition() != "" {
			t.Errorf("too early: %q", w.condition())
		}
		settle(200 * time.Millisecond)
		if want := "the cluster does not answer any more: context deadline exceeded"; w.condition() != want {
			t.Errorf("the condition is %q", w.condition())
		}
	})
}

func TestAStreamIsConfirmedFirst(t *testing.T) {
	header := func(kind string) types.Resource { return &types.ResourceHeader{Kind: kind} }
	status := types.NewWatchStatus([]types.WatchKind{{Kind: "other"}, {Kind: types.KindAccessRequest}})
	for name, c := range map[string]struct {
		first types.Event
		mute  bool
		want  string   // the condition
		kinds []string // as logged
	}{
		"by another event":            {first: types.Event{Type: types.OpPut, Resource: header("x")}, want: "watching access requests: the stream began with Put and not with its confirmation"},
		"by a server of long ago":     {first: types.Event{Type: types.OpInit, Resource: header("x")}, kinds: []string{types.KindAccessRequest}},
		"by a status with more kinds": {first: types.Event{Type: types.OpInit, Resource: status}, kinds: []string{"other", types.KindAccessRequest}},
		"by nothing":                  {mute: true, want: "the watch was not confirmed within 15s"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.first, w.mute = c.first, c.mute
			core, logs := observer.New(zap.InfoLevel)
			inTime(t, w, func(o *watch.Options) { o.Log = zap.New(core) }, func(t *testing.T) {
				settle(15*time.Second - 2*time.Millisecond)
				if c.mute && w.condition() != "" {
					t.Errorf("too early: %q", w.condition())
				}
				settle(2 * time.Millisecond)
				if w.condition() != c.want {
					t.Errorf("the condition is %q, want %q", w.condition(), c.want)
				}
				var kinds []string
				for _, l := range logs.FilterMessage("Watching access requests").All() {
					for _, k := range l.ContextMap()["kinds"].([]any) {
						kinds = append(kinds, k.(string))
					}
				}
				if !slices.Equal(kinds, c.kinds) {
					t.Errorf("kinds %q, want %q", kinds, c.kinds)
				}
			})
		})
	}
}

func TestEventsAreCountedAndWhatIsNoRequestIsPassedOver(t *testing.T) {
	w := newWorld()
	inTime(t, w, nil, func(t *testing.T) {
		w.want(t, "end")
		header := func(kind string) types.Resource {
			return &types.ResourceHeader{Kind: kind, Metadata: types.Metadata{Name: "1"}}
		}
		for _, e := range []types.Event{
			{Type: types.OpPut, Resource: request("1")},
			{Type: types.OpPut, Resource: header(types.KindAccessRequest)},
			{Type: types.OpPut, Resource: header(types.KindAccessMonitoringRule)}, // with nobody who wants to know
			{Type: types.OpPut, Resource: header(types.KindAccessMonitoringRule)},
			{Type: types.OpPut, Resource: header("other")},
			{Type: types.OpGet, Resource: request("1")},
			{Type: types.OpDelete, Resource: header(types.KindAccessRequest)},
		} {
			w.last().send(e)
		}
		settle(time.Millisecond)
		w.want(t, "changed 1", "deleted 1")
		if want := []string{"put", "delete"}; !slices.Equal(w.events, want) {
			t.Errorf("counted %q, want %q", w.events, want)
		}
	})
}

func TestTheObserverIsToldSinceWhenThereIsAStream(t *testing.T) {
	w := newWorld()
	var began, again time.Time
	inTime(t, w, nil, func(t *testing.T) {
		began = time.Now().Add(-time.Millisecond)
		w.with(func() { w.connect = errors.New("refused") })
		w.last().end()
		settle(time.Millisecond)
		w.with(func() {
			if want := []time.Time{began, {}}; !slices.EqualFunc(w.streams, want, time.Time.Equal) {
				t.Errorf("told %v, want %v", w.streams, want)
			}
			w.connect = nil
		})
		settle(time.Second)
		again = w.dials[len(w.dials)-1]
	})
	want := []time.Time{{}, again, {}}
	if got := w.streams; len(got) < 4 || !slices.EqualFunc(got[len(got)-3:], want, time.Time.Equal) {
		t.Errorf("told %v, want %v at the end", got, want)
	}
}

func TestWhatIsLogged(t *testing.T) {
	busy := errors.New("too busy")
	for name, c := range map[string]struct {
		line   string
		change func(w *world, r *rules, redial chan<- struct{})
		more   int // than while all goes well
	}{
		"rules that cannot be loaded": {"Could not load the access monitoring rules; the earlier ones hold", func(w *world, r *rules, _ chan<- struct{}) {
			r.mu.Lock()
			r.err = busy
			r.mu.Unlock()
			w.last().send(types.Event{Type: types.OpPut, Resource: &types.ResourceHeader{Kind: types.KindAccessMonitoringRule}})
		}, 1},
		"an identity that is refused": {"Could not connect with the new identity; the connection made with the old one goes on", func(w *world, _ *rules, redial chan<- struct{}) {
			w.with(func() { w.connect = busy })
			redial <- struct{}{}
			settle(time.Second)
			redial <- struct{}{} // the next one is tried as well
			settle(time.Second)
			w.with(func() { w.connect = nil })
		}, 2},
		"an identity that is accepted": {"Could not connect with the new identity; the connection made with the old one goes on", func(_ *world, _ *rules, redial chan<- struct{}) {
			redial <- struct{}{}
		}, 0},
		"an identity that is not needed any more": {"Could not connect with the new identity; the connection made with the old one goes on", func(w *world, _ *rules, redial chan<- struct{}) {
			w.with(func() { w.dialing = make(chan struct{}) })
			redial <- struct{}{}
			settle(time.Second)
			w.with(func() { w.dialing = nil })
			w.last().end()
		}, 0},
		"a list that does not end with the watch": {"Could not list the access requests; it will be tried again", func(w *world, _ *rules, _ chan<- struct{}) {
			w.with(func() { w.hang = true })
			settle(time.Hour)
		}, 0},
		"one list that fails": {"Could not list the access requests; it will be tried again", func(w *world, _ *rules, _ chan<- struct{}) {
			w.with(func() { w.list, w.lists = busy, nil })
			w.await(func() bool { return len(w.lists) > 0 })
			w.with(func() { w.list = nil })
		}, 1},
		"lists that fail in a row": {"Could not list the access requests; it will be tried again", func(w *world, _ *rules, _ chan<- struct{}) {
			w.with(func() { w.list = busy })
		}, 1},
		"each connection that caught up": {"Caught up with the access requests", func(w *world, _ *rules, _ chan<- struct{}) {
			w.last().end()
			settle(time.Second)
			w.last().end()
			settle(time.Hour)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, redial := newWorld(), &rules{}, chan struct{}(nil)
			core, logs := observer.New(zap.InfoLevel)
			count := func() int { return logs.FilterMessage(c.line).Len() }
			inTime(t, w, func(o *watch.Options) {
				redial = make(chan struct{}, 1)
				o.Log, o.Rules, o.Redial = zap.New(core), r, redial
			}, func(t *testing.T) {
				before := count()
				c.change(w, r, redial)
				settle(time.Hour)
				if n := count() - before; n != c.more {
					t.Errorf("%q was logged %d times, want %d", c.line, n, c.more)
				}
			})
			if n := logs.FilterLevelExact(zap.WarnLevel).Len(); n > c.more {
				t.Errorf("%d warnings: the end of the watch is none", n)
			}
		})
	}
}

// A connection that was made while the stream was lost is used and not left open.
func TestAConnectionThatComesWithTheLossIsUsed(t *testing.T) {
	w, redial, dialing := newWorld(), chan struct{}(nil), chan struct{}(nil)
	inTime(t, w, func(o *watch.Options) { redial = make(chan struct{}, 1); o.Redial = redial }, func(t *testing.T) {
		dialing = make(chan struct{})
		w.with(func() { w.dialing, w.stubborn = dialing, true })
		redial <- struct{}{}
		settle(time.Second)
		w.last().end()
		settle(time.Second)
		w.with(func() { w.connect = nil })
		close(dialing)
		settle(time.Millisecond)
		if n := len(w.conns); n != 2 || !w.conns[0].closed || w.conns[1].closed || w.condition() != "" {
			t.Errorf("%d connections, condition %q", n, w.condition())
		}
	})
}

// One that was made while the watch was asked to end is closed.
func TestAConnectionThatComesWithTheEndIsClosed(t *testing.T) {
	w, redial := newWorld(), chan struct{}(nil)
	inTime(t, w, func(o *watch.Options) { redial = make(chan struct{}, 1); o.Redial = redial }, func(t *testing.T) {
		dialing := make(chan struct{})
		w.with(func() { w.dialing, w.stubborn = dialing, true })
		redial <- struct{}{}
		settle(time.Second)
		time.AfterFunc(time.Second, func() { close(dialing) })
	})
	if len(w.conns) != 2 {
		t.Errorf("%d connections", len(w.conns))
	}
}

// A stream is enough to be connected; that lists fail is told when it is no
// accident.
func TestAStreamThatIsConfirmedIsGoodNews(t *testing.T) {
	w := newWorld()
	w.connect, w.list, w.requests = errors.New("refused"), errors.New("too busy"), []string{"1", "2"}
	core, logs := observer.New(zap.WarnLevel)
	inTime(t, w, func(o *watch.Options) { o.Log = zap.New(core) }, func(t *testing.T) {
		settle(time.Minute)
		if w.condition() != "refused" {
			t.Errorf("the condition is %q", w.condition())
		}
		w.with(func() { w.connect, w.dials = nil, nil })
		w.await(func() bool { return len(w.dials) > 0 })
		if w.condition() != "" {
			t.Errorf("with a stream the condition is %q", w.condition())
		}
		settle(time.Minute)
		if w.condition() != "too busy" {
			t.Errorf("with lists that fail the condition is %q", w.condition())
		}
		if n := logs.Len(); n != 1 {
			t.Errorf("%d warnings", n)
		}
	})
}
