package farend_test

import (
	"errors"
	"slices"
	"testing"

	"teleport-plugins/access/slack/farend"
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
	saw, err := s.PressStale(t.Context(), cluster.Bob, "r1", "approve", "")
	if err != nil || !slices.Equal(saw, []string{"too late"}) || pressed != 1 {
		t.Errorf("saw %q, error %v, %d presses", saw, err, pressed)
	}
}

func TestListenersComeAndGo(t *testing.T) {
	s := newStand(t)
	if n := s.Listeners(); n != 0 {
		t.Errorf("%d at first", n)
	}
	s.listen(func(event) string { return "" })
	if n := s.Listeners(); n != 1 {
		t.Errorf("%d after one came", n)
	}
	s.RenewListeners()
	if n := s.Listeners(); n != 0 {
		t.Errorf("%d that presses go to, after a new one was asked for", n)
	}
	s.listen(func(event) string { return "" })
	s.CutListeners()
	if err := s.Wait(t.Context(), func() bool { return s.Listeners() == 0 }); err != nil {
		t.Error(err)
	}
	accept := s.RefuseListeners()
	if list := s.Faults().List(); len(list) != 1 {
		t.Errorf("faults %v", list)
	}
	accept()
	s.listen(func(event) string { return "" })
}
