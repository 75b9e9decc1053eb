package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// patience is how long a round may take for one call before others go on.
const patience = time.Second

// floor is what a round must have to leave messages, where messages cannot be
// looked up: they are made one by one, each recorded before the next. Then a death
// of the process leaves one call of which nobody knows the outcome. A recipient at
// which a call takes longer than patience is passed by, so that it holds up nobody
// else, until it answers sooner.
type floor struct {
	freed func() // is called when a round may take the floor

	mu     sync.Mutex
	taken  bool
	closed bool            // nobody waits any more
	slow   map[string]bool // recipients that are passed by; true while one speaks there
}

// speaker is a round that has the floor until all its turns have passed or ended.
type speaker struct {
	floor *floor
	one   *semaphore.Weighted // lets one of its turns at a time speak

	left int // turns that keep the floor; guarded by floor.mu
}

// turn is the right to speak to one recipient.
type turn struct {
	*speaker
	recipient string
	used      bool // a call was made that may have left a message
	answered  bool // the last call was answered soon enough

	speaking, passed bool // guarded by floor.mu
}

var (
	// errFloorTaken says that another round has the floor.
	errFloorTaken = errors.New("another access request is being told of")
	// errNoFloor says that a message came up in a round that had none to make.
	errNoFloor = fmt.Errorf("%w: this round has no message to make", errNotMade)
	// errClosed says that the process is about to end.
	errClosed = fmt.Errorf("%w: the plugin is stopping", errNotMade)
	// errBusy says that a recipient is passed by and somebody speaks there.
	errBusy = errors.New("the call before has not been answered yet")
)

// take gives a round with so many turns the floor, if it is free.
func (f *floor) take(turns int) (*speaker, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.taken || f.closed {
		return nil, errFloorTaken
	}
	f.taken = true
	return &speaker{floor: f, one: semaphore.NewWeighted(1), left: turns}, nil
}

// close ends the waiting for the floor, and for others of a round to have spoken.
func (f *floor) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// isTaken reports whether a round has the floor.
func (f *floor) isTaken() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.taken
}

// drop says that so many turns do not keep the floor any more. The caller holds
// floor.mu.
func (s *speaker) drop(turns int) {
	if turns == 0 {
		return
	}
	if s.left -= turns; s.left == 0 {
		s.floor.taken = false
		s.floor.freed()
	}
}

// end gives the floor back, should the round have it still.
func (s *speaker) end() {
	s.floor.mu.Lock()
	defer s.floor.mu.Unlock()
	s.drop(s.left)
}

// turn begins that of a recipient; whoever gets it must leave it.
func (s *speaker) turn(recipient string) (*turn, error) {
	s.floor.mu.Lock()
	defer s.floor.mu.Unlock()
	busy, slow := s.floor.slow[recipient]
	if slow {
		s.drop(1)
	}
	if busy {
		return nil, errBusy
	}
	if slow {
		s.floor.slow[recipient] = true
	}
	return &turn{speaker: s, recipient: recipient, passed: slow}, nil
}

// speak waits until no other turn of the round keeps this one from speaking. Who
// waits when the process is about to end speaks no more.
func (t *turn) speak(ctx context.Context) error {
	if t.used { // the call before left no message
		return nil
	}
	t.used = true
	t.floor.mu.Lock()
	defer t.floor.mu.Unlock()
	if t.passed {
		return nil
	}
	if !t.one.TryAcquire(1) {
		t.floor.mu.Unlock()
		err := t.one.Acquire(ctx, 1)
		t.floor.mu.Lock()
		if err != nil {
			return err
		}
		if t.floor.closed {
			t.one.Release(1)
			return errClosed
		}
	}
	t.speaking = true
	return nil
}

// call makes a call. Should it take long, others go on.
func (t *turn) call(ctx context.Context, fn func(context.Context) error) error {
	late := time.AfterFunc(patience, t.pass)
	err := fn(ctx)
	if t.answered = late.Stop(); !t.answered {
		t.pass()
	}
	return err
}

// pass lets others go on.
func (t *turn) pass() {
	t.floor.mu.Lock()
	defer t.floor.mu.Unlock()
	if t.passed {
		return
	}
	t.passed = true
	t.floor.slow[t.recipient] = true
	t.stop()
}

// leave ends the turn: what came of it was recorded.
func (t *turn) leave() {
	t.floor.mu.Lock()
	defer t.floor.mu.Unlock()
	switch {
	case !t.passed:
		t.stop()
	case t.answered:
		delete(t.floor.slow, t.recipient)
	default:
		t.floor.slow[t.recipient] = false
	}
}

// stop lets the round's next turn speak. The caller holds floor.mu.
func (t *turn) stop() {
	if t.speaking {
		t.one.Release(1)
	}
	t.drop(1)
}
