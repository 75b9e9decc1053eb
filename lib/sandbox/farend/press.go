package farend

import (
	"context"
	"errors"
	"time"
)

// Presser is a FarEnd whose announcements have buttons while the plugin offers them.
type Presser interface {
	// Review is the section [review] of the plugin's config under which the people
	// that the service knows are recognised as Teleport users.
	Review() map[string]any
	// Press has a person press a button of the announcement of a request, and give
	// the reason if a dialog asks for one. The person is named as the Teleport user,
	// the verdict is "approve" or "deny". It returns what that person alone then saw,
	// once the plugin has answered or the service would have shown a failure of its
	// own. The error is ErrNoButton if the person does not see such a button.
	Press(ctx context.Context, person, request, verdict, reason string) (saw []string, err error)
}

// Presses reports whether people can press buttons at a service.
func (s Service) Presses() bool {
	_, ok := s.Simulate(Options{}).(Presser)
	return ok
}

// PressFaults is a Presser at which presses go wrong in all the ways that the vendor
// knows.
type PressFaults interface {
	Presser
	// Try makes a press. It returns once the plugin has answered, or the service would
	// have shown a failure of its own. The error is ErrNoButton where the person does
	// not see such a button, and another one if the plugin took the press and the
	// answer did not come before the context ended.
	Try(ctx context.Context, p Press) (Heard, error)
	// Standings are what an account can be that decides nothing, such as "a guest".
	Standings() []string
	// Become makes the account of a person one of those, which can press as before.
	Become(person, standing string) error
	// Disturbances are what the service does to the way of presses to the plugin.
	Disturbances() []Disturbance
	// Forgeries are presses that the service itself would never send.
	Forgeries() []Forgery
	// Connected is how many connections there are on which presses reach a plugin, and
	// how many there ever were.
	Connected() (now, ever int)
}

// Press is one press of a button.
type Press struct {
	// Person and Verdict are as for Presser.Press, and so is Reason.
	Person, Request, Verdict, Reason string
	// On is the request whose announcement the button hangs on; Request when empty.
	On string
	// Stale says that the person sees the announcement as it was while it had buttons.
	// Services at which nobody can press what was taken away leave that out.
	Stale bool
}

// ErrNoButton says that a person does not see such a button.
var ErrNoButton = errors.New("there is no such button")

// Heard is what came of a press, as far as the service and the person can tell.
type Heard struct {
	// Acked says that the plugin acknowledged the press within the service's time.
	Acked bool
	// Saw is what the plugin told the person alone about this press.
	Saw []string
	// Again sends the very same press once more, as a service does that missed the
	// acknowledgement, or whoever has recorded it. It does not wait for an answer.
	Again func(ctx context.Context) error
}

// Disturbance is something that the service does to the connections on which it sends
// presses.
type Disturbance struct {
	Name string
	// Begin does it, and End ends it after For; End is nil for what is over at once.
	Begin, End func()
	For        time.Duration
	// After is how long the connection is to have lived before.
	After time.Duration
	// Loses says that the service keeps no press for a plugin that is away: whoever
	// presses before the next connection sees a failure of the service.
	Loses bool
	// Within is how soon the plugin has another connection.
	Within time.Duration
	// Says is what the plugin's readiness says meanwhile; empty where it is over too
	// soon for a word.
	Says string
	// Slow says that it takes half a minute or more.
	Slow bool
}

// Forgery is a press that the service itself would never send.
type Forgery struct {
	Name string
	// Send sends it, made of a press that would be taken.
	Send func(ctx context.Context, p Press) error
}
