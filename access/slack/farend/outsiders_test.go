package farend_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/access/slack/farend"
	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/cluster"
	sandbox "teleport-plugins/lib/sandbox/farend"
)

func TestOutsidersAreThereWhereTheyAreAskedFor(t *testing.T) {
	for on, want := range map[bool]int{false: 0, true: 2} {
		w := farend.New(sandbox.Options{Outsiders: on})
		users, _ := w.Review()["users"].(map[string]any)
		named := 0
		for _, person := range []string{sandbox.Guest, sandbox.Unknown, sandbox.Former} {
			if on == (w.Person(person) == "") {
				t.Errorf("%s is %q, with outsiders: %v", person, w.Person(person), on)
			}
			if users[w.Person(person)] == person {
				named++
			}
		}
		if named != want {
			t.Errorf("the section [review] names %d of them, want %d", named, want)
		}
	}
}

func TestAButtonThatWasTakenAway(t *testing.T) {
	s := newStand(t)
	s.offer("security", "r1")
	pressed := 0
	s.listen(func(e event) string {
		pressed++
		s.call("", e.Payload.Reply, `{"text":"too late"}`, "")
		return ""
	})
	list := s.Messages("security")
	s.call(s.Token(), "chat.update", `{"channel":"C0SANDBOX02","ts":"`+list[len(list)-1].TS+`","text":"r1 is decided","blocks":[]}`, "ts")
	if _, err := s.press("r1", "approve", ""); !errors.Is(err, sandbox.ErrNoButton) {
		t.Errorf("the button is gone: %v", err)
	}
	heard, err := s.Try(t.Context(), sandbox.Press{Person: cluster.Bob, Request: "r1", Verdict: "approve", Stale: true})
	if err != nil || !slices.Equal(heard.Saw, []string{"too late"}) || pressed != 1 {
		t.Errorf("saw %q, error %v, %d presses", heard.Saw, err, pressed)
	}
}

func TestConnectionsComeAndGo(t *testing.T) {
	s := newStand(t)
	connected := func() int {
		n, _ := s.Connected()
		return n
	}
	if n := connected(); n != 0 {
		t.Errorf("%d at first", n)
	}
	s.listen(func(event) string { return "" })
	if n := connected(); n != 1 {
		t.Errorf("%d after one came", n)
	}
	s.Disconnect(slackapi.RefreshRequested)
	if n := connected(); n != 0 {
		t.Errorf("%d that presses go to, after a new one was asked for", n)
	}
	s.listen(func(event) string { return "" })
	s.CutSockets()
	if err := s.Wait(t.Context(), func() bool { return connected() == 0 }); err != nil {
		t.Error(err)
	}
	all := s.Disturbances()
	d := all[slices.IndexFunc(all, func(d sandbox.Disturbance) bool { return strings.HasPrefix(d.Name, "no connection") })]
	d.Begin()
	if list := s.Faults().List(); len(list) != 1 {
		t.Errorf("faults %v", list)
	}
	d.End()
	s.listen(func(event) string { return "" })
}
