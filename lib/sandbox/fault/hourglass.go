package fault

import "context"

// Hourglass is a context whose time runs out when Over is closed, so that a test of
// a deadline depends on no clock.
type Hourglass struct {
	context.Context
	Over chan struct{}
}

// NewHourglass returns one whose time has not run out.
func NewHourglass() Hourglass { return Hourglass{context.Background(), make(chan struct{})} }

// Done is closed when the time has run out.
func (h Hourglass) Done() <-chan struct{} { return h.Over }

// Err is context.DeadlineExceeded once the time has run out.
func (h Hourglass) Err() error {
	select {
	case <-h.Over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
