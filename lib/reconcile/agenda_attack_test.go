package reconcile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/agenda"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// mailer is a desk that looks for what is in doubt by telling it again, as mail does.
type mailer struct{ *desk }

func (mailer) Tells(k integration.Kind) bool { return k != integration.Notice }

func (mailer) Requester(_ context.Context, v request.View) string { return v.User }

func (mailer) CanFind(string) bool { return true }

func (d mailer) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	m, err := d.Tell(ctx, to, e, v)
	if err != nil {
		return nil, err
	}
	return []plugindata.Message{m}, nil
}

// Nobody hears that a request is pending once it is decided, though it is not known
// whether they have heard so before.
func TestWhatIsOverIsNotSoughtByTellingIt(t *testing.T) {
	inTime(t, func(r *rig) {
		defer r.crashAll()
		r.service, r.agenda = mailer{r.desk}, agendaOf(minutes(30), nil)
		var lost atomic.Bool
		r.desk.fault = func(step, _ string) error {
			if lost.Load() && step == "pending" {
				return fail(outbound.Unclear)
			}
			return nil
		}
		r.start()
		r.memory.put("1", lasting)
		r.settle(29 * time.Minute)
		lost.Store(true)
		r.settle(62 * time.Second)
		r.memory.decide("1", types.RequestState_APPROVED)
		lost.Store(false)
		r.settle(10 * time.Minute)
		r.wantSaid("1")
		if n := r.desk.count("end ops"); n != 1 { // they may have read it
			t.Errorf("the end was told %d times", n)
		}
	})
}

// A place with two names is told once, though the first of them is known late.
func TestANameThatIsKnownLateTellsNobodyTwice(t *testing.T) {
	inTime(t, func(r *rig) {
		defer r.crashAll()
		r.service, r.recipients = finder{r.desk}, []string{"also-ops"}
		r.agenda = &agenda.Agenda{Escalation: agenda.Escalation{"x": {After: agenda.Moment{After: 10 * time.Minute}, Recipients: []string{"ops"}}}}
		var known atomic.Bool
		r.desk.fault = func(step, address string) error {
			if step == "resolve" && address == "also-ops" && !known.Load() {
				return fail(outbound.Retry)
			}
			return nil
		}
		r.start()
		r.memory.put("1", lasting)
		r.settle(20 * time.Minute)
		known.Store(true)
		r.settle(20 * time.Minute)
		r.wantPosts(map[string]int{"ops": 1})
	})
}

// A step leaves room for the fallback, and says whom it leaves out.
func TestAStepLeavesRoomForTheFallback(t *testing.T) {
	inTime(t, func(r *rig) {
		defer r.crashAll()
		r.service, r.recipients, r.fallback = finder{r.desk}, nil, []string{"net"}
		for i := range 99 {
			r.recipients = append(r.recipients, fmt.Sprintf("bad-%d", i))
		}
		r.agenda = &agenda.Agenda{Escalation: agenda.Escalation{"x": {After: agenda.Moment{After: time.Second}, Recipients: []string{"bad-a", "bad-b", "bad-c", "bad-d"}}}}
		r.desk.fault = func(_, address string) error {
			if len(address) > 3 && address[:3] == "bad" {
				return failWith(outbound.Refused, outbound.ThePlace)
			}
			return nil
		}
		r.start()
		r.memory.put("1", func(q types.AccessRequest) { q.SetExpiry(q.GetCreationTime().Add(24 * time.Hour)) })
		r.settle(23 * time.Hour)
		r.wantPosts(map[string]int{"net": 1})
		if r.logs.FilterMessage("An access request has too many recipients for a step of the escalation").Len() == 0 {
			t.Error("nobody is told who is left out")
		}
	})
}

// A step that is added to the config is taken for requests that wait already, and what is
// removed from it is not.
func TestANewStepIsTakenForRequestsThatWait(t *testing.T) {
	inTime(t, func(r *rig) {
		defer r.crashAll()
		r.service, r.agenda = finder{r.desk}, agendaOf(minutes(20), nil)
		x := r.start()
		r.memory.put("1", lasting)
		r.settle(25 * time.Minute)
		x.stop()
		r.agenda = agendaOf(minutes(20, 30), nil)
		r.agenda.Escalation["x"] = agenda.Step{After: agenda.Moment{After: 15 * time.Minute}, Recipients: []string{"lead"}}
		y := r.start()
		y.catchUp()
		r.settle(10 * time.Minute)
		r.wantPosts(map[string]int{"ops": 1, "lead": 1})
		r.wantSaid("1", "ops pending@20m0s", "ops pending@30m0s", "lead pending@30m0s")
		y.stop()
		r.agenda = nil
		r.start().catchUp()
		r.settle(20 * time.Minute)
		r.wantPosts(map[string]int{"ops": 1, "lead": 1})
	})
}

// Reminders of many requests hold up no announcement, and are no sign of anything wrong.
func TestRemindersAreOvertaken(t *testing.T) {
	inTime(t, func(r *rig) {
		defer r.crashAll()
		r.service, r.agenda = finder{r.desk}, agendaOf(minutes(30), nil)
		x := r.start()
		for i := range 500 {
			r.memory.put(fmt.Sprint(i), lasting)
		}
		r.settle(29 * time.Minute)
		var last time.Time
		r.desk.mu.Lock()
		r.desk.fault = func(step, _ string) error { // one a second in the place
			if step == "resolve" || step == "find" {
				return nil
			}
			if d := time.Since(last); d < time.Second {
				return &outbound.Error{Kind: outbound.Wait, Scope: outbound.ThePlace, After: time.Second - d}
			}
			last = time.Now()
			return nil
		}
		r.desk.mu.Unlock()
		r.settle(65 * time.Second)
		if since := x.Undelivered(); !since.IsZero() {
			t.Errorf("undelivered for %v", time.Since(since))
		}
		r.memory.put("new", lasting)
		r.settle(10 * time.Second)
		if p := r.desk.posts[len(r.desk.posts)-1]; p.request != "new" {
			t.Errorf("it is not announced after %d reminders", len(r.desk.reminders))
		}
		r.memory.decide("7", types.RequestState_DENIED)
		r.settle(10 * time.Second)
		for _, p := range r.desk.posts {
			if p.request == "7" && p.shown.Status != request.Denied {
				t.Error("a decision waits behind reminders")
			}
		}
	})
}

// Times that are yet to come say nothing, whoever wrote them into the record.
func TestTimesThatAreYetToComeSilenceNobody(t *testing.T) {
	for _, field := range []string{"reached", "since", "reminded"} {
		t.Run(field, func(t *testing.T) {
			inTime(t, func(r *rig) {
				defer r.crashAll()
				r.service, r.agenda = finder{r.desk}, agendaOf(minutes(40), nil)
				r.agenda.Escalation["x"] = agenda.Step{After: agenda.Moment{After: 30 * time.Minute}, Recipients: []string{"lead"}}
				x := r.start()
				r.memory.put("1", lasting)
				r.settle(5 * time.Minute)
				x.stop()
				var progress map[string]any
				if err := json.Unmarshal([]byte(r.memory.data("1", "test")["deliveries"]), &progress); err != nil {
					t.Fatal(err)
				}
				progress["agenda"] = r.agenda.Name()
				into := progress
				if field != "reached" {
					into = progress["deliveries"].([]any)[0].(map[string]any)
				}
				into[field] = 3e9
				text, _ := json.Marshal(progress)
				if err := r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"deliveries": string(text)}, nil); err != nil {
					t.Fatal(err)
				}
				r.start().catchUp()
				r.settle(50 * time.Minute)
				r.wantPosts(map[string]int{"ops": 1, "lead": 1})
				r.wantSaid("1", "ops pending@40m0s", "lead pending@40m0s")
			})
		})
	}
}
