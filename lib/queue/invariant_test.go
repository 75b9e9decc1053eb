package queue

import (
	"context"
	"testing"
	"time"
)

func TestGetEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if key, ok := New[string]().Get(ctx); ok {
		t.Errorf("handed out %q, which nobody added", key)
	}
}

// Whoever is handed a key wakes the next worker while further keys wait.
func TestATokenIsThereWhileKeysWait(t *testing.T) {
	q := New[string]()
	q.Add("a", Live)
	q.Add("b", Background)
	for _, left := range []int{1, 0} {
		for len(q.ready) > 0 {
			<-q.ready
		}
		if _, ok, _ := q.next(); !ok || len(q.ready) != left {
			t.Errorf("handed out: %v; %d tokens while %d keys wait", ok, len(q.ready), left)
		}
	}
}

// What is left over of a key that was moved up is not handed out beside it.
func TestAKeyThatWasMovedUpIsInOneHandOnly(t *testing.T) {
	q := New[string]()
	q.Add("a", Background)
	q.Add("a", Live)
	if got := get(t, q); got != "a" {
		t.Fatalf("got %q", got)
	}
	q.Add("a", Background)
	if got := get(t, q); got != "" {
		t.Fatalf("%q is in two hands", got)
	}
	q.Done("a")
	want(t, q, "a")
}

// A key that waits costs the same however often it is added.
func TestAddingAgainCostsNothing(t *testing.T) {
	q := New[string]()
	for range 1000 {
		q.Add("a", Live)
		q.Add("a", Background)
	}
	if n := len(q.waiting[Live]) + len(q.waiting[Background]); n != 1 {
		t.Errorf("one key waits in %d entries", n)
	}
}

func TestLenCountsTheKeysThatWaitAndNoOthers(t *testing.T) {
	q := New[string]()
	defer q.Close()
	q.Add("a", Live)
	q.Add("b", Background)
	q.Add("b", Live)
	q.AddAfter("later", time.Hour)
	if n := q.Len(); n != 2 {
		t.Errorf("Len is %d while two keys wait", n)
	}
	if key := get(t, q); key != "a" || q.Len() != 1 {
		t.Errorf("Len is %d after %q was handed out", q.Len(), key)
	}
}

func TestABacklogThatWasHandedOutHoldsNoMemory(t *testing.T) {
	q := New[string]()
	q.Add("a", Background)
	q.Add("b", Background)
	q.Add("c", Background)
	want(t, q, "a", "b", "c")
	if n := cap(q.waiting[Background]); n != 0 {
		t.Errorf("room is kept for %d keys", n)
	}
}

func TestAClosedQueueHoldsNothing(t *testing.T) {
	q := New[string]()
	q.Add("a", Live)
	q.AddAfter("b", time.Hour)
	q.Close()
	q.Add("c", Live)
	q.AddAfter("d", time.Hour)
	if n := len(q.delayed) + len(q.dirty) + len(q.waiting[Live]); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}
