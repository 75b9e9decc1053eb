package diag_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/lib/diag"
)

// Conditions as a plugin may name them.
const (
	connected  = "teleport connected"
	reachable  = "service reachable and credentials accepted"
	delivering = "delivering"
)

func TestReadyWhenAllConditionsHold(t *testing.T) {
	h := diag.NewHealth(connected, reachable)
	steps := []struct {
		name    string
		do      func()
		ready   bool
		summary string
	}{
		{"at first", func() {}, false, "not teleport connected: starting"},
		{"one holds", func() { h.OK(connected) }, false, "not service reachable and credentials accepted: starting"},
		{"all hold", func() { h.OK(reachable) }, true, "ready"},
		{"one fails", func() { h.Fail(reachable, "token\nrevoked") }, false, `not service reachable and credentials accepted: token\nrevoked`},
		{"again", func() { h.OK(reachable) }, true, "ready"},
		{"a note does not count", func() { h.Note("reminders", "off") }, true, "ready"},
		{"a further condition does", func() { h.Fail(delivering, "stuck") }, false, "not delivering: stuck"},
	}
	for _, step := range steps {
		step.do()
		if s := h.Status(); s.Ready != step.ready || s.Summary() != step.summary {
			t.Errorf("%s: got %v, %q", step.name, s.Ready, s.Summary())
		}
	}
}

func TestStatusTellsSinceWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		h := diag.NewHealth(connected)
		time.Sleep(time.Minute) // virtual time
		h.Fail(connected, "refused")
		if got := h.Status().Conditions[0]; !got.Since.Equal(start) {
			t.Errorf("a new reason is no change, got since %v", got.Since)
		}
		h.OK(connected)
		time.Sleep(time.Minute)
		h.OK(connected)
		if got := h.Status().Conditions[0]; !got.Since.Equal(start.Add(time.Minute)) {
			t.Errorf("got since %v", got.Since)
		}
		want := "ok     teleport connected (since " + start.Add(time.Minute).UTC().Format(time.RFC3339) + ")\n"
		if got := h.Status().String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestNotes(t *testing.T) {
	h := diag.NewHealth()
	h.Note("a", "one")
	h.Note("b", "two")
	h.Note("a", "three")
	h.Note("b", "")
	h.Note("never", "")
	s := h.Status()
	if want := []diag.Note{{Name: "a", Text: "three"}}; !reflect.DeepEqual(s.Notes, want) {
		t.Errorf("got %v", s.Notes)
	}
	if !strings.Contains(s.String(), "note   a: three\n") {
		t.Errorf("got %q", s.String())
	}
}
