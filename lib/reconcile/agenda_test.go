package reconcile_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/agenda"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
)

// agendaOf is an agenda with reminders after some times, and warnings before the end.
func agendaOf(reminders, warnings []time.Duration) *agenda.Agenda {
	a := &agenda.Agenda{Escalation: agenda.Escalation{}}
	for _, d := range reminders {
		a.Reminders.At = append(a.Reminders.At, agenda.Moment{After: d})
	}
	for _, d := range warnings {
		a.Grants.WarnBefore = append(a.Grants.WarnBefore, config.Duration(d))
	}
	return a
}

func minutes(list ...int) (all []time.Duration) {
	for _, n := range list {
		all = append(all, time.Duration(n)*time.Minute)
	}
	return all
}

// lasting makes a request that lapses after an hour, and gives access for four.
func lasting(r types.AccessRequest) {
	r.SetExpiry(r.GetCreationTime().Add(time.Hour))
	r.SetAccessExpiry(r.GetCreationTime().Add(4 * time.Hour))
}

// said are the reminders of a request so far, as "address kind@when".
func (r *rig) said(id string) (list []string) {
	r.desk.mu.Lock()
	defer r.desk.mu.Unlock()
	for _, x := range r.desk.reminders {
		if x.request == id {
			list = append(list, fmt.Sprintf("%s %s@%v", x.address, x.Kind, x.after.Round(time.Second)))
		}
	}
	slices.Sort(list)
	return list
}

func (r *rig) wantSaid(id string, want ...string) {
	r.t.Helper()
	slices.Sort(want)
	if got := r.said(id); !slices.Equal(got, want) {
		r.t.Fatalf("reminders %q, want %q\nsteps: %q", got, want, r.desk.taken())
	}
}

// Everybody is reminded at each time, once, as long as the request is pending.
func TestReminders(t *testing.T) {
	for name, c := range map[string]struct {
		recipients []string
		happens    func(r *rig)
		want       []string
	}{
		"nobody decides":         {[]string{"ops", "db"}, func(*rig) {}, []string{"ops pending@15m0s", "db pending@15m0s", "ops pending@30m0s", "db pending@30m0s"}},
		"two names of one place": {[]string{"ops", "also-ops"}, func(*rig) {}, []string{"ops pending@15m0s", "ops pending@30m0s"}},
		"it is decided before":   {[]string{"ops"}, func(r *rig) { r.settle(10 * time.Minute); r.memory.decide("1", types.RequestState_DENIED) }, nil},
		"it is decided between":  {[]string{"ops"}, func(r *rig) { r.settle(20 * time.Minute); r.memory.decide("1", types.RequestState_APPROVED) }, []string{"ops pending@15m0s"}},
		"it is deleted between":  {[]string{"ops"}, func(r *rig) { r.settle(20 * time.Minute); r.memory.remove("1") }, []string{"ops pending@15m0s"}},
		"it is reviewed between": {[]string{"ops"}, func(r *rig) { r.settle(20 * time.Minute); r.memory.review("1", "bob", types.RequestState_DENIED, "") }, []string{"ops pending@15m0s", "ops pending@30m0s"}},
		"the message is removed": {[]string{"ops"}, func(r *rig) {
			r.settle(20 * time.Minute)
			r.desk.remove("ops")
			r.memory.review("1", "bob", types.RequestState_DENIED, "")
			r.settle(time.Minute)
		}, []string{"ops pending@15m0s", "ops pending@30m0s"}},
		"it was deleted and re-made": {[]string{"ops"}, func(r *rig) {
			r.settle(20 * time.Minute)
			r.memory.remove("1")
			r.settle(time.Minute)
			r.memory.put("1", lasting)
		}, []string{"ops pending@15m0s", "ops pending@15m0s", "ops pending@30m0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service, r.recipients, r.agenda = finder{r.desk}, c.recipients, agendaOf(minutes(15, 30), nil)
				x := r.start()
				defer x.stop()
				r.memory.put("1", lasting)
				c.happens(r)
				r.settle(3 * time.Hour)
				r.wantSaid("1", c.want...)
			})
		})
	}
}

// Those who were reminded are told that nothing is left to do; others see it from the
// message.
func TestWhoWasRemindedIsToldTheEnd(t *testing.T) {
	inTime(t, func(r *rig) {
		r.agenda = agendaOf(minutes(15), nil)
		x := r.start()
		defer x.stop()
		r.memory.put("1", lasting)
		r.memory.put("2", lasting)
		r.settle(10 * time.Minute)
		r.memory.decide("2", types.RequestState_APPROVED)
		r.settle(10 * time.Minute)
		r.memory.decide("1", types.RequestState_DENIED)
		r.settle(time.Hour)
		for _, p := range r.desk.posts {
			want := []request.Status(nil)
			if p.request == "1" {
				want = []request.Status{request.Denied}
			}
			if !slices.Equal(p.ended, want) {
				t.Errorf("request %s: told the end %v, want %v", p.request, p.ended, want)
			}
		}
	})
}

// Whatever dies when, and whatever answer is lost, where it can be looked up: each
// reminder is there once, in time.
func TestRemindersThroughFaults(t *testing.T) {
	sound := func(*desk) {}
	for name, c := range map[string]struct {
		desk func(*desk)
		play func(r *rig, x, y *replica)
	}{
		"two replicas":     {sound, func(*rig, *replica, *replica) {}},
		"one dies before":  {sound, func(r *rig, x, _ *replica) { r.settle(10 * time.Minute); x.crash() }},
		"one dies between": {sound, func(r *rig, x, _ *replica) { r.settle(20 * time.Minute); x.crash() }},
		"all die before they record a reminder": {sound, func(r *rig, x, y *replica) {
			r.settle(14 * time.Minute)
			r.writing = 2 * time.Second
			for _, z := range r.started {
				z.slow(r.writing)
			}
			r.settle(time.Minute + 3*time.Second)
			if len(r.desk.reminders) != 2 {
				r.t.Fatalf("the reminders are %v", r.desk.reminders)
			}
			r.crashAll()
			r.writing = 0
			r.start().catchUp()
		}},
		"the answer of a reminder is lost": {func(d *desk) {
			lose := true
			d.lost = func(step, _ string) error {
				if lose && step == "pending" {
					lose = false
					return fail(outbound.Unclear)
				}
				return nil
			}
		}, func(*rig, *replica, *replica) {}},
		"a reminder is refused for a while": {func(d *desk) {
			left := 3
			d.fault = func(step, _ string) error {
				if left > 0 && step == "pending" {
					left--
					return fail(outbound.Retry)
				}
				return nil
			}
		}, func(*rig, *replica, *replica) {}},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service, r.recipients, r.agenda = finder{r.desk}, []string{"ops", "db"}, agendaOf(minutes(15, 30), nil)
				c.desk(r.desk)
				defer r.crashAll()
				x, y := r.start(), r.start()
				r.memory.put("1", lasting)
				c.play(r, x, y)
				r.settle(3 * time.Hour)
				var got []string
				for _, s := range r.desk.reminders {
					late := s.after - time.Duration(s.Index)*time.Second
					if late < 0 || late > time.Minute {
						t.Errorf("%v is late by %v", s, late)
					}
					got = append(got, fmt.Sprint(s.address, " ", s.Effect))
				}
				slices.Sort(got)
				if want := []string{"db pending.1800", "db pending.900", "ops pending.1800", "ops pending.900"}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

// A plugin that was down while reminders were due tells the newest, once, or none if the
// request is decided.
func TestRemindersThatWereMissed(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service, r.agenda = finder{r.desk}, agendaOf(minutes(10, 20, 30, 50), nil)
		x := r.start()
		r.memory.put("1", lasting)
		r.memory.put("2", lasting)
		r.settle(15 * time.Minute)
		x.stop()
		r.settle(20 * time.Minute)
		r.memory.decide("2", types.RequestState_DENIED)
		y := r.start()
		defer y.stop()
		y.catchUp()
		r.settle(time.Minute)
		r.wantSaid("1", "ops pending@10m0s", "ops pending@35m0s")
		r.settle(20 * time.Minute)
		r.wantSaid("1", "ops pending@10m0s", "ops pending@35m0s", "ops pending@50m0s")
		r.wantSaid("2", "ops pending@10m0s")
	})
}

// A request that is announced late is not recalled at once.
func TestNobodyIsRemindedOfWhatIsNew(t *testing.T) {
	inTime(t, func(r *rig) {
		r.agenda = agendaOf(minutes(10, 30), nil)
		r.memory.put("1", lasting)
		r.settle(20 * time.Minute)
		x := r.start()
		defer x.stop()
		x.catchUp()
		r.settle(5 * time.Minute)
		r.wantPosts(map[string]int{"ops": 1})
		r.wantSaid("1")
		r.settle(10 * time.Minute)
		r.wantSaid("1", "ops pending@30m0s")
	})
}

// A message whose answer was lost is as old as it is, however late it is found.
func TestWhoseMessageIsFoundLateIsReminded(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service, r.agenda = finder{r.desk}, agendaOf(minutes(10, 30), nil)
		var lost, up atomic.Bool
		r.desk.lost = func(step, _ string) error {
			if step == "post" && !lost.Swap(true) {
				return fail(outbound.Unclear)
			}
			return nil
		}
		r.desk.fault = func(string, string) error {
			if lost.Load() && !up.Load() {
				return fail(outbound.Retry)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", lasting)
		r.settle(20 * time.Minute)
		r.wantSaid("1")
		up.Store(true)
		r.settle(5 * time.Minute)
		if got := r.said("1"); len(got) != 1 {
			t.Errorf("the reminders are %q, want the one that was due meanwhile", got)
		}
		r.settle(10 * time.Minute)
		if got := r.said("1"); len(got) != 2 {
			t.Errorf("the reminders are %q, want two", got)
		}
		r.wantPosts(map[string]int{"ops": 1})
	})
}

// Each step adds its recipients, once, while nobody decides.
func TestEscalation(t *testing.T) {
	steps := agenda.Escalation{
		"one":   {After: agenda.Moment{After: 10 * time.Minute}, Recipients: []string{"lead", "ops"}},
		"two":   {After: agenda.Moment{After: 20 * time.Minute}, Recipients: []string{"boss", "also-ops"}},
		"three": {After: agenda.Moment{Before: 5 * time.Minute}, Recipients: []string{"chief"}},
		"other": {After: agenda.Moment{After: 10 * time.Minute}, Recipients: []string{"dba"}, Roles: []string{"db-*"}},
	}
	for name, c := range map[string]struct {
		recipients []string
		play       func(r *rig, x, y *replica)
		want       map[string]int
	}{
		"nobody decides": {[]string{"ops"}, func(*rig, *replica, *replica) {}, map[string]int{"ops": 1, "lead": 1, "boss": 1, "chief": 1}},
		"decided between": {[]string{"ops"}, func(r *rig, _, _ *replica) {
			r.settle(15 * time.Minute)
			r.memory.decide("1", types.RequestState_DENIED)
		}, map[string]int{"ops": 1, "lead": 1}},
		"deleted between":         {[]string{"ops"}, func(r *rig, _, _ *replica) { r.settle(15 * time.Minute); r.memory.remove("1") }, map[string]int{"ops": 1, "lead": 1}},
		"nobody at the beginning": {nil, func(*rig, *replica, *replica) {}, map[string]int{"ops": 1, "lead": 1, "boss": 1, "chief": 1}},
		"both die between":        {[]string{"ops"}, func(r *rig, x, y *replica) { r.settle(15 * time.Minute); x.crash(); y.crash(); r.start().catchUp() }, map[string]int{"ops": 1, "lead": 1, "boss": 1, "chief": 1}},
		"down over two of them": {[]string{"ops"}, func(r *rig, x, y *replica) {
			r.settle(5 * time.Minute)
			x.stop()
			y.stop()
			r.settle(25 * time.Minute)
			r.start().catchUp()
		}, map[string]int{"ops": 1, "lead": 1, "boss": 1, "chief": 1}},
		"a place that is told all": {[]string{"ops", "lead", "boss"}, func(*rig, *replica, *replica) {}, map[string]int{"ops": 1, "lead": 1, "boss": 1, "chief": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service, r.recipients, r.agenda = finder{r.desk}, c.recipients, &agenda.Agenda{Escalation: steps}
				defer r.crashAll()
				x, y := r.start(), r.start()
				r.memory.put("1", lasting)
				c.play(r, x, y)
				r.settle(3 * time.Hour)
				r.wantPosts(c.want)
			})
		})
	}
}

// The requester is warned before the access ends, at each time, once; nobody else is.
func TestTheEndOfAccess(t *testing.T) {
	for name, c := range map[string]struct {
		play func(r *rig, x, y *replica)
		want []string
	}{
		"approved": {func(r *rig, _, _ *replica) { r.memory.decide("1", types.RequestState_APPROVED) }, []string{"alice ending@3h0m0s", "alice ending@3h45m0s"}},
		"denied":   {func(r *rig, _, _ *replica) { r.memory.decide("1", types.RequestState_DENIED) }, nil},
		"lapsed":   {func(r *rig, _, _ *replica) { r.settle(time.Hour); r.memory.remove("1") }, nil},
		"revoked": {func(r *rig, _, _ *replica) {
			r.memory.decide("1", types.RequestState_APPROVED)
			r.settle(200 * time.Minute)
			r.memory.remove("1")
		}, []string{"alice ending@3h0m0s"}},
		"all were down over one": {func(r *rig, x, y *replica) {
			r.memory.decide("1", types.RequestState_APPROVED)
			r.settle(time.Hour)
			x.stop()
			y.crash()
			r.settle(2*time.Hour + 10*time.Minute)
			r.start().catchUp()
		}, []string{"alice ending@3h10m1s", "alice ending@3h45m0s"}},
		"all were down over the end": {func(r *rig, x, y *replica) {
			r.memory.decide("1", types.RequestState_APPROVED)
			r.settle(time.Hour)
			x.stop()
			y.stop()
			r.settle(3*time.Hour + time.Minute)
			r.start().catchUp()
		}, nil},
		"the message of the requester was removed": {func(r *rig, _, _ *replica) {
			r.memory.decide("1", types.RequestState_APPROVED)
			r.settle(time.Minute)
			r.desk.remove("alice")
		}, []string{"alice ending@3h0m0s", "alice ending@3h45m0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				defer r.crashAll()
				r.service, r.agenda = teller{finder{r.desk}}, agendaOf(nil, minutes(60, 15))
				x, y := r.start(), r.start()
				r.memory.put("1", lasting)
				r.settle(time.Second)
				c.play(r, x, y)
				r.settle(5 * time.Hour)
				r.wantSaid("1", c.want...)
			})
		})
	}
}

// Ten thousand pending requests cost nothing while they wait, and a start reads none of
// them again of which everybody was reminded.
func TestManyThatWait(t *testing.T) {
	const many = 10_000
	inTime(t, func(r *rig) {
		defer r.crashAll()
		r.service, r.agenda = finder{r.desk}, agendaOf(minutes(15, 30), nil)
		x := r.start()
		for i := range many {
			r.memory.put(fmt.Sprint(i), lasting)
		}
		r.settle(20 * time.Minute)
		if n := len(r.desk.reminders); n != many {
			t.Fatalf("%d reminders", n)
		}
		x.stop()
		before := r.reads()
		y := r.start()
		y.catchUp()
		r.settle(5 * time.Minute)
		if n := r.reads() - before; n != 0 {
			t.Errorf("%d requests were read after the start", n)
		}
		r.settle(10 * time.Minute)
		if n := len(r.desk.reminders); n != 2*many {
			t.Errorf("%d reminders", n)
		}
		if n := r.reads() - before; n != many {
			t.Errorf("%d requests were read for %d reminders", n, many)
		}
	})
}

// What the requester is told can be chosen, one by one.
func TestWhatTheRequesterIsTold(t *testing.T) {
	all := recipient.DefaultRequester()
	for name, c := range map[string]struct {
		change                  func(*recipient.Requester)
		copies, decided, lapsed int
	}{
		"all":          {func(*recipient.Requester) {}, 2, 1, 1},
		"no copy":      {func(r *recipient.Requester) { r.Copy = false }, 0, 1, 1},
		"no decisions": {func(r *recipient.Requester) { r.Decisions = false }, 2, 0, 1},
		"no lapses":    {func(r *recipient.Requester) { r.Lapses = false }, 2, 1, 0},
		"nothing":      {func(r *recipient.Requester) { *r = recipient.Requester{} }, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				defer r.crashAll()
				choice := all
				c.change(&choice)
				r.service, r.requester = teller{finder{r.desk}}, &choice
				r.start()
				r.memory.put("1", lasting)
				r.memory.put("2", lasting)
				r.settle(time.Minute)
				r.memory.decide("1", types.RequestState_APPROVED)
				r.memory.remove("2")
				r.settle(time.Minute)
				if n := r.desk.count("post alice"); n != c.copies {
					t.Errorf("%d copies, want %d", n, c.copies)
				}
				decided, lapsed := 0, 0
				for _, n := range r.desk.notices {
					switch n {
					case "alice 1 APPROVED":
						decided++
					case "alice 2 EXPIRED":
						lapsed++
					default:
						t.Errorf("a notice %q", n)
					}
				}
				if decided != c.decided || lapsed != c.lapsed {
					t.Errorf("told %d decisions and %d lapses, want %d and %d", decided, lapsed, c.decided, c.lapsed)
				}
				r.desk.steps = nil
				r.settle(24 * time.Hour)
				if len(r.desk.steps) > 0 {
					t.Errorf("and then %q", r.desk.steps)
				}
			})
		})
	}
}

// Who asks for nothing of this sees the same calls, and the same records, as before.
func TestNothingIsDueByDefault(t *testing.T) {
	story := func(a *agenda.Agenda) (steps []string, record string) {
		inTime(t, func(r *rig) {
			defer r.crashAll()
			r.service, r.agenda = teller{finder{r.desk}}, a
			r.start()
			r.memory.put("1", lasting)
			r.settle(50 * time.Minute)
			r.memory.review("1", "bob", types.RequestState_APPROVED, "")
			r.memory.decide("1", types.RequestState_APPROVED)
			r.settle(10 * time.Hour)
			steps = slices.Sorted(slices.Values(r.desk.steps))
			// Two lanes post at once: which of the messages is the service's first is chance.
			record = regexp.MustCompile(`"id":"m[12]"`).ReplaceAllString(r.memory.data("1", "test")["deliveries"], `"id":"m"`)
		})
		return steps, record
	}
	settings := plugin.DefaultBase()
	before, was := story(nil)
	after, is := story(&settings.Agenda)
	if !slices.Equal(before, after) || was != is {
		t.Errorf("%q and %s, before %q and %s", after, is, before, was)
	}
	if strings.Contains(is, "reached") || strings.Contains(is, "since") {
		t.Errorf("the record is %s", is)
	}
}
