package decision_test

import (
	"sync/atomic"
	"testing"

	"teleport-plugins/lib/decision"
)

// Presses beyond those that can be in work are turned away with a word, and those beyond
// even that with none.
func TestAFloodOfPressesHasAnEnd(t *testing.T) {
	const most, crowd = 64, 200
	room, release := decision.NewRoom(most, crowd), make(chan struct{})
	var worked, turned atomic.Int64
	begin := func() bool {
		return room.Begin(func() { <-release; worked.Add(1) }, func() { <-release; turned.Add(1) })
	}
	for n := range most + crowd {
		if !begin() {
			t.Fatalf("press %d was not taken", n)
		}
	}
	if begin() {
		t.Error("one more was taken")
	}
	close(release)
	room.Wait()
	if worked.Load() != most || turned.Load() != crowd {
		t.Errorf("%d were worked on, %d turned away", worked.Load(), turned.Load())
	}
	if !begin() {
		t.Error("none is taken after the flood")
	}
	room.Wait()
}
