package lane_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"teleport-plugins/lib/lane"
	"teleport-plugins/lib/pace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is lanes three calls wide, and who was woken.
type rig struct {
	*lane.Lanes
	t     *testing.T
	mu    sync.Mutex
	woken []string
}

func inTime(t *testing.T, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t}
		r.Lanes = lane.New(lane.Options{
			Wake: func(id string) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.woken = append(r.woken, id)
			},
			Width: 3,
			Pace:  pace.Pace{Min: time.Second, Max: 30 * time.Second},
		})
		f(r)
	})
}

// enter says which of the requests may begin.
func (r *rig) enter(key string, one bool, ids ...string) (in []string) {
	for _, id := range ids {
		if r.Enter(key, id, one) {
			in = append(in, id)
		} else {
			r.Passed(id) // the round ends; it waits in line
		}
	}
	return in
}

func (r *rig) wantWoken(ids ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.woken, ids) {
		r.t.Errorf("woken %q, want %q", r.woken, ids)
	}
	r.woken = nil
}

func TestAsManyBeginAsALaneIsWideAndTheOthersComeInOrder(t *testing.T) {
	for name, c := range map[string]struct {
		one bool
		in  []string
	}{"several at a time": {false, []string{"a", "b", "c"}}, "one at a time": {true, []string{"a"}}} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				all := []string{"a", "b", "c", "d", "e"}
				if got := r.enter("x", c.one, all...); !slices.Equal(got, c.in) {
					t.Fatalf("%q may begin, want %q", got, c.in)
				}
				next := all[len(c.in)]
				r.Leave("x")
				r.wantWoken(next)
				if r.Enter("x", "z", c.one) {
					t.Error("a newcomer goes before those in line")
				}
				if !r.Enter("x", next, c.one) {
					t.Error("who was called may not begin")
				}
				if got := r.enter("y", c.one, "a"); len(got) != 1 {
					t.Error("another lane is closed too")
				}
			})
		})
	}
}

func TestWhoIsCalledAndDoesNotComeLetsTheNextGo(t *testing.T) {
	inTime(t, func(r *rig) {
		r.enter("x", true, "a", "b", "c")
		r.Leave("x")
		r.wantWoken("b")
		r.Passed("b")
		r.wantWoken("c")
		r.Skip("x", "c")
		r.Passed("a")
		if r.Len() != 0 {
			t.Errorf("%d are remembered", r.Len())
		}
	})
}

// One that waits for several lanes, or has a round under way meanwhile, is one.
func TestLenCountsRequestsAndNotPlaces(t *testing.T) {
	inTime(t, func(r *rig) {
		r.Enter("x", "a", true)
		r.Enter("y", "a", true)
		if r.Len() != 1 {
			t.Errorf("one at work counts %d", r.Len())
		}
		r.Await("x", "a")
		if r.Len() != 1 {
			t.Errorf("one at work that waits beside that counts %d", r.Len())
		}
		r.enter("x", true, "b")
		r.enter("y", true, "b")
		if r.Len() != 2 {
			t.Errorf("one at work and one that waits count %d", r.Len())
		}
	})
}

func TestWhoNeedsALaneNoMoreLetsTheNextGo(t *testing.T) {
	for name, leave := range map[string]func(r *rig){
		"that lane":     func(r *rig) { r.Skip("x", "b") },
		"any lane":      func(r *rig) { r.Withdraw("b") },
		"a wrong guess": func(r *rig) { r.Skip("none", "b"); r.Skip("x", "nobody"); r.Skip("x", "b") },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.enter("x", true, "a", "b", "c", "d")
				r.Leave("x")
				r.wantWoken("b")
				leave(r)
				r.wantWoken("c")
				leave(r) // is gone already
				r.wantWoken()
				r.Passed("c")
				r.wantWoken("d")
			})
		})
	}
}

func TestWhoNeedsALaneNoMoreLeavesTheLineFromAnyPlaceInIt(t *testing.T) {
	inTime(t, func(r *rig) {
		r.enter("x", true, "a", "b", "c", "d", "e")
		r.Skip("x", "c")
		r.Withdraw("e")
		for _, next := range []string{"b", "d"} {
			r.Leave("x")
			r.wantWoken(next)
			r.Enter("x", next, true)
			r.Passed(next)
		}
		r.Leave("x")
		r.wantWoken()
	})
}

func TestNoTwoKindsOfLanesAreTheSame(t *testing.T) {
	seen := make(map[string]bool)
	for _, name := range []string{"a", "b", lane.Token, lane.Service, lane.Address("a"), lane.Name("a")} {
		seen[lane.Address(name)], seen[lane.Name(name)] = true, true
	}
	seen[lane.Token], seen[lane.Service] = true, true
	if len(seen) != 14 {
		t.Errorf("%d lanes, want 14", len(seen))
	}
}

func TestANewcomerStandsInLineThoughTheLaneHasBecomeWider(t *testing.T) {
	inTime(t, func(r *rig) {
		r.enter("x", true, "a", "b")
		if r.Enter("x", "z", false) {
			t.Error("a newcomer goes before the one in line")
		}
		if !r.Enter("x", "b", false) {
			t.Error("the first in line may not use the room")
		}
	})
}

func TestARequestAtWorkHearsThatItIsCalled(t *testing.T) {
	inTime(t, func(r *rig) {
		r.enter("x", true, "other")
		p := r.Passes("a")
		if !p.Enter("y", true) || p.Enter("x", true) {
			t.Fatal("y is free and x is taken")
		}
		r.enter("x", true, "b")
		r.Leave("x")
		r.wantWoken()
		select {
		case <-p.Called():
		default:
			t.Fatal("the round does not hear of it")
		}
		if !r.Waits("x", "a") || !r.Waits("x", "b") || r.Waits("none", "a") {
			t.Error("who waits where")
		}
		if !p.Enter("x", true) {
			t.Fatal("who was called may not begin")
		}
		p.LeaveAll()
		r.Passed("a")
		r.wantWoken("b")
	})
}

func TestARequestAtWorkHearsThatALaneHasOpened(t *testing.T) {
	inTime(t, func(r *rig) {
		p := r.Passes("a")
		if !p.Enter("y", true) {
			t.Fatal("y is free")
		}
		r.Hold("x", time.Second)
		if p.Enter("x", true) {
			t.Fatal("x is closed")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		select {
		case <-p.Called():
		default:
			t.Error("the round does not hear of it")
		}
	})
}

func TestARequestThatIsCalledAtTheEndOfItsRoundIsWokenAgain(t *testing.T) {
	inTime(t, func(r *rig) {
		r.enter("x", true, "other")
		r.Enter("x", "a", true)
		r.enter("x", true, "b")
		r.Leave("x") // calls a, whose round does not look any more
		r.Passed("a")
		r.wantWoken("a", "b")
		if r.Waits("x", "a") {
			t.Error("still in line")
		}
	})
}

// Calls that were under way when a lane was closed say no more.
func TestWhatWasUnderWayNeitherEscalatesNorOpens(t *testing.T) {
	inTime(t, func(r *rig) {
		begun := time.Now()
		r.Enter("x", "a", false)
		r.Enter("x", "b", false)
		r.Enter("x", "c", false)
		time.Sleep(time.Second)
		if !r.Refuse("x") || r.Refuse("x") {
			t.Error("the first refusal alone is news")
		}
		if !r.Blindfold("x") || r.Blindfold("x") {
			t.Error("the first refused look-up alone is news")
		}
		if r.Accept("x", begun, false) || r.Open("x") {
			t.Error("a call from before opens the lane")
		}
		if r.Blind("x") != time.Minute {
			t.Errorf("blind for %v", r.Blind("x"))
		}
		for _, id := range []string{"a", "b", "c"} {
			r.Leave("x")
			r.Passed(id)
		}
		r.enter("x", false, "d", "e")
		time.Sleep(time.Minute)
		r.wantWoken("d") // the probe
		if !r.Accept("x", begun, false) || !r.Open("x") {
			t.Error("a call that ends when the lane is probed anyway does not open it")
		}
		r.wantWoken("e")
	})
}

func TestALaneThatNobodyWaitsForIsForgotten(t *testing.T) {
	inTime(t, func(r *rig) {
		r.Enter("x", "a", false)
		r.Refuse("x")
		r.Leave("x")
		r.Await("x", "a")
		r.Withdraw("a")
		r.Passed("a")
		time.Sleep(time.Hour)
		if !r.Open("x") || r.Len() != 0 {
			t.Error("the lane is remembered")
		}
	})
}

func TestWhatIsKnownOfALaneOutlivesItsPauseByTheLongestProbe(t *testing.T) {
	const rest = 15 * time.Minute
	for name, c := range map[string]struct {
		learn func(r *rig) bool // reports whether it is news
		known time.Duration
	}{
		"that it refuses":                     {func(r *rig) bool { return r.Refuse("x") }, time.Minute + rest},
		"that nothing can be looked up there": {func(r *rig) bool { return r.Blindfold("x") }, time.Minute + rest},
		"that it refuses, while nothing can be looked up for longer": {func(r *rig) bool {
			r.Blindfold("x")
			time.Sleep(time.Minute)
			r.Blindfold("x") // for five minutes
			return r.Refuse("x")
		}, 5*time.Minute + rest},
	} {
		for _, past := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				inTime(t, func(r *rig) {
					r.Enter("x", "a", false)
					c.learn(r)
					r.Leave("x")
					wait := c.known - time.Millisecond
					if past {
						wait = c.known + time.Millisecond
					}
					time.Sleep(wait)
					synctest.Wait()
					if news := c.learn(r); news != past {
						t.Errorf("after %v it is news: %v", wait, news)
					}
				})
			})
		}
	}
}

func TestALaneThatIsUsedOrWaitedForIsNotForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		hold, check func(r *rig) bool
	}{
		"used":       {func(r *rig) bool { return r.Enter("x", "a", true) }, func(r *rig) bool { return !r.Enter("x", "b", true) }},
		"waited for": {func(r *rig) bool { r.Await("x", "a"); return true }, func(r *rig) bool { return r.Waits("x", "a") }},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				if !c.hold(r) {
					t.Fatal("the lane is not free")
				}
				r.Sees("x")
				r.Heard(true)
				r.Skip("x", "nobody") // all of these look at the lane
				time.Sleep(time.Hour)
				if !c.check(r) {
					t.Error("the lane was forgotten")
				}
			})
		})
	}
}

func TestARefusedLaneIsProbedByOneAtGrowingPauses(t *testing.T) {
	inTime(t, func(r *rig) {
		r.Enter("x", "a", false)
		if !r.Refuse("x") {
			t.Error("the first refusal is news")
		}
		r.Leave("x")
		r.Passed("a")
		r.enter("x", false, "b", "c", "d", "e")
		if r.Open("x") || !r.Open("y") {
			t.Error("which lanes are open")
		}
		for _, pause := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
			time.Sleep(pause - time.Millisecond)
			r.wantWoken()
			time.Sleep(time.Millisecond)
			r.wantWoken("b")
			if !r.Enter("x", "b", false) {
				t.Fatal("the probe may not begin")
			}
			if pause == 15*time.Minute {
				break
			}
			if r.Refuse("x") {
				t.Error("a further refusal is no news")
			}
			r.Leave("x")
			r.Await("x", "b")
			r.Passed("b")
			r.wantWoken()
			// b is the last in line now; put it first again.
			for _, id := range []string{"c", "d", "e"} {
				r.Skip("x", id)
				r.Await("x", id)
			}
		}
		if !r.Accept("x", time.Now(), false) {
			t.Error("that it is open again is news")
		}
		r.wantWoken("c") // twice as many as before, of which one is under way
		if r.Accept("x", time.Now(), true) {
			t.Error("that it stays open is no news")
		}
		r.wantWoken("d")
	})
}

func TestPausesGrowToTheLongestAndStayThere(t *testing.T) {
	inTime(t, func(r *rig) {
		for n, pause := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
			r.Refuse("x")
			r.Blindfold("x")
			if r.Blind("x") != pause {
				t.Errorf("refused look-up %d: blind for %v", n, r.Blind("x"))
			}
			r.Await("x", "a")
			time.Sleep(pause - time.Millisecond)
			r.wantWoken()
			time.Sleep(time.Millisecond)
			r.wantWoken("a")
			r.Withdraw("a")
		}
	})
}

func TestALaneThatIsWellAgainGetsTwiceAsWideWithEachCallThatIsTaken(t *testing.T) {
	inTime(t, func(r *rig) {
		r.Hold("x", time.Second)
		time.Sleep(time.Second)
		all := []string{"a", "b", "c", "d", "e"}
		for _, width := range []int{1, 2, 3, 3} {
			in := r.enter("x", false, all...)
			if len(in) != width {
				t.Errorf("%d may begin, want %d", len(in), width)
			}
			for _, id := range all {
				r.Withdraw(id)
				r.Passed(id)
			}
			for range in {
				r.Leave("x")
			}
			r.Accept("x", time.Now(), false)
		}
	})
}

func TestAnAnswerThatIsGoodForAllOpensALaneOfOneCallAtATime(t *testing.T) {
	inTime(t, func(r *rig) {
		r.enter("x", true, "a", "b", "c", "d")
		r.Accept("x", time.Now(), true)
		r.wantWoken("b", "c")
	})
}

func TestALaneThatIsHeldOpensByItself(t *testing.T) {
	inTime(t, func(r *rig) {
		r.Hold("x", 10*time.Second)
		r.enter("x", false, "a", "b")
		time.Sleep(9 * time.Second)
		r.wantWoken()
		time.Sleep(time.Second)
		r.wantWoken("a") // one by one
		if !r.Open("x") {
			t.Error("a lane that is held is not refused")
		}
		r.Enter("x", "a", false)
		r.Hold("x", 0) // the second failure in a row
		r.Leave("x")
		r.Passed("a")
		time.Sleep(1500 * time.Millisecond)
		r.wantWoken()
		time.Sleep(time.Second)
		r.wantWoken("b")
	})
}

func TestAHoldOfALaneThatIsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		first, second, closed time.Duration
	}{
		"is no further failure": {0, 0, time.Second},
		"does not shorten":      {10 * time.Second, time.Second, 10 * time.Second},
		"may prolong":           {time.Second, 10 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.Hold("x", c.first)
				r.Hold("x", c.second)
				r.enter("x", false, "a")
				time.Sleep(c.closed * 79 / 100)
				r.wantWoken()
				time.Sleep(c.closed * 42 / 100)
				r.wantWoken("a")
			})
		})
	}
}

func TestALaneThatIsHeldIsNotOpenedByACallFromBefore(t *testing.T) {
	inTime(t, func(r *rig) {
		begun := time.Now()
		time.Sleep(time.Second)
		r.Hold("x", time.Minute)
		r.Accept("x", begun, false)
		if r.Enter("x", "a", false) {
			t.Error("the lane is open")
		}
		r.Accept("x", time.Now(), false)
		if !r.Enter("x", "a", false) {
			t.Error("the lane is not opened by a later one")
		}
		r.Hold("x", 0) // is the first failure in a row again
		r.Await("x", "b")
		r.Leave("x")
		time.Sleep(1200 * time.Millisecond)
		r.wantWoken("b")
	})
}

func TestALaneThatIsHeldCanBeRefusedBesideThat(t *testing.T) {
	inTime(t, func(r *rig) {
		r.Hold("x", time.Hour)
		if !r.Refuse("x") || r.Open("x") {
			t.Error("the refusal was not heard")
		}
	})
}

func TestALaneInWhichACallTakesLongIsNarrowUntilOneIsAnswered(t *testing.T) {
	inTime(t, func(r *rig) {
		r.Enter("x", "a", false)
		r.Slow("x")
		if got := r.enter("x", false, "b", "c", "d"); len(got) != 0 {
			t.Fatalf("%q began beside a call that takes long", got)
		}
		r.Accept("x", time.Now(), false)
		r.Leave("x")
		r.wantWoken("b", "c")
	})
}

func TestOneCallAtATimeIsMadeOfAServiceThatAnswersNothing(t *testing.T) {
	inTime(t, func(r *rig) {
		for range 4 {
			r.Heard(false)
		}
		if _, closed := r.Gate(); closed {
			t.Error("closed after four")
		}
		r.Heard(false)
		key, closed := r.Gate()
		if !closed || key != lane.Service {
			t.Fatalf("the gate is %q, %v", key, closed)
		}
		if got := r.enter(key, false, "a", "b", "c"); !slices.Equal(got, []string{"a"}) {
			t.Errorf("%q began", got)
		}
		r.Heard(true)
		r.wantWoken("b", "c")
		for range 5 {
			if _, closed := r.Gate(); closed {
				t.Error("still closed")
			}
			r.Heard(false)
		}
	})
}

func TestARefusedTokenLetsNobodyThroughUntilItIsAccepted(t *testing.T) {
	inTime(t, func(r *rig) {
		r.Refuse(lane.Token)
		key, closed := r.Gate()
		if !closed || key != lane.Token {
			t.Fatalf("the gate is %q, %v", key, closed)
		}
		if got := r.enter(key, false, "a", "b"); len(got) > 0 {
			t.Errorf("%q began", got)
		}
		time.Sleep(time.Hour)
		r.wantWoken()
		r.Accept(lane.Token, time.Now(), true)
		r.wantWoken("a", "b")
		if key, closed := r.Gate(); closed {
			t.Errorf("the gate is still %q", key)
		}
	})
}

func TestALaneIsBlindForGrowingTimes(t *testing.T) {
	inTime(t, func(r *rig) {
		if r.Blind("x") != 0 || !r.Blindfold("x") || r.Blind("x") != time.Minute {
			t.Error("the first time")
		}
		time.Sleep(time.Minute)
		if r.Blind("x") != 0 || r.Blindfold("x") || r.Blind("x") != 5*time.Minute {
			t.Error("the second time")
		}
		r.Sees("x")
		if r.Blind("x") != 0 || !r.Blindfold("x") || r.Blind("x") != time.Minute {
			t.Error("after it could be looked up")
		}
	})
}

func TestARoundGivesBackItsPasses(t *testing.T) {
	inTime(t, func(r *rig) {
		p := r.Passes("a")
		if !p.Enter("x", true) || !p.Enter("y", true) {
			t.Fatal("the lanes are free")
		}
		r.enter("x", true, "b")
		r.enter("y", true, "c")
		p.Leave("x")
		p.Leave("x") // holds it no more
		r.wantWoken("b")
		p.LeaveAll()
		p.LeaveAll() // holds none any more
		r.wantWoken("c")
		for key, next := range map[string]string{"x": "b", "y": "c"} {
			if got := r.enter(key, true, next, "d"); !slices.Equal(got, []string{next}) {
				t.Errorf("%q are in %s, one at a time", got, key)
			}
		}
	})
}

// A lane that was closed and is well again is forgotten, and comes back when it
// is used. Nothing of what it was is left to disturb it.
func TestALaneThatComesBackIsNotForgottenWithTheOneBefore(t *testing.T) {
	inTime(t, func(r *rig) {
		r.Hold("x", 10*time.Second)
		time.Sleep(10 * time.Second)
		r.enter("x", true, "a")
		r.Accept("x", time.Now(), false)
		r.Leave("x")
		r.Passed("a")
		r.enter("x", true, "b", "c")
		time.Sleep(time.Hour)
		r.Leave("x")
		r.wantWoken("c")
	})
}
