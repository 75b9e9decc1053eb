// Package decision provides the way back: a person presses Approve or Deny at a
// service, and Teleport gets a review in that person's name.
//
// A service that can hear presses is a [Listener]. It decodes what came in, makes
// sure that the service itself sent it, asks for a reason where that is wanted, and
// shows the answer to the person alone. Everything else is up to the [Desk]: whether
// the message is one of ours, whether the request is still open, who the person is in
// Teleport, and the review. Nothing else goes up: messages are changed by the
// reconciler when the cluster reports the review, as for any other one.
package decision

import (
	"context"

	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// Press is one press of a button.
type Press struct {
	// ID is the same when the same press arrives twice.
	ID string
	// Request is the id of the request that the button names.
	Request string
	// Message is the message that the button hangs on, by the service's word and
	// not by the button's.
	Message plugindata.Message
	// Team is the workspace or server in which that is, by the service's word; for the
	// log, and empty where there is none.
	Team string
	// Verdict is request.Approved or request.Denied.
	Verdict request.Status
	// Reason may be empty.
	Reason string
	// PersonID is what the service calls the person.
	PersonID string
	// Person asks the service who that is. It is called at most once, after all that
	// can be refused without it.
	Person func(ctx context.Context) (Person, error)
}

// Person is what the service says of somebody who pressed.
type Person struct {
	// Name is for logs and texts.
	Name string
	// Outsider says why this person decides nothing here: "a guest", "a bot",
	// "deactivated", "of another organisation". Empty for members.
	Outsider string
	// Email is the address that the service has verified, or empty.
	Email string
}

// Kind is what came of a press.
type Kind string

// The kinds of answer.
const (
	// Done: the cluster has the review.
	Done Kind = "done"
	// Refused: this person, or this press, decides nothing.
	Refused Kind = "refused"
	// Already: there is nothing left to decide, for this person at least.
	Already Kind = "already"
	// TryAgain: it is not known, or cannot be known now.
	TryAgain Kind = "try_again"
)

// Kinds lists every kind of answer.
func Kinds() []Kind { return []Kind{Done, Refused, Already, TryAgain} }

// Answer is what the person hears.
type Answer struct {
	Kind Kind
	// Text is one sentence or two, plain and without any markup. It may hold names
	// that strangers chose: whoever shows it escapes it.
	Text string
}

// Desk takes presses. It may be used by several goroutines.
type Desk interface {
	// Press decides about a press within eight seconds. It is called once the press
	// has been acknowledged to the service, where the service does not wait so long,
	// and with a context that goes on when Listen is told to end.
	Press(ctx context.Context, p Press) Answer
	// Heard states whether presses reach us: an empty text says that they do, any
	// other one why they do not.
	Heard(fault string)
}

// Listener is a service that hears presses.
type Listener interface {
	// Listen hears presses and has the desk decide until ctx ends, connecting again
	// as often as needed. It then takes no more, finishes those that it took, shows
	// their answers, and returns nil. It returns an error only if a person must
	// correct something before it can go on.
	Listen(ctx context.Context, desk Desk) error
}
