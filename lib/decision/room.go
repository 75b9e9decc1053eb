package decision

import "sync"

// Crowded is what those hear whom a Room turns away.
const Crowded = "Too many decisions are in work. Please press again in a minute."

// Room bounds how many presses a service works on at once. Make one with NewRoom; it
// may be used by several goroutines.
type Room struct {
	work, crowd chan struct{}
	all         sync.WaitGroup
}

// NewRoom returns a room for so many presses in work, and so many more at a time that
// are turned away with a word.
func NewRoom(work, crowd int) *Room {
	return &Room{work: make(chan struct{}, work), crowd: make(chan struct{}, crowd)}
}

// Begin begins the work on a press or, if there is too much already, to turn it away.
// It reports false if there are too many even for that.
func (r *Room) Begin(work, turnAway func()) bool {
	place := r.work
	select {
	case r.work <- struct{}{}:
	default:
		select {
		case r.crowd <- struct{}{}:
			place, work = r.crowd, turnAway
		default:
			return false
		}
	}
	r.all.Go(func() {
		defer func() { <-place }()
		work()
	})
	return true
}

// Wait waits for all that was begun.
func (r *Room) Wait() { r.all.Wait() }
