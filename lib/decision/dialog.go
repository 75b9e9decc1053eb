package decision

import (
	"context"

	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// MaxReason bounds what a dialog takes for a reason, in characters.
const MaxReason = 1000

// What people hear for whom a dialog does not lead to a review.
const (
	NoReason = "A reason is needed. Please press again, and write one."
	NoDialog = "The dialog for the reason could not be opened in time. Please press again."
)

// Dialog is what a dialog that asks for the reason of a press remembers of it. The service
// keeps it, and hands it back with what was written.
type Dialog struct {
	Request string         `json:"request"`
	Channel string         `json:"channel"`
	Message string         `json:"message,omitzero"`
	Verdict request.Status `json:"verdict"`
	Person  string         `json:"person,omitzero"`
	Team    string         `json:"team,omitzero"`
}

// Words are the title of the dialog, and what stands on the button that sends it off.
func (d Dialog) Words() (title, submit string) {
	if d.Verdict == request.Denied {
		return "Deny request", "Deny"
	}
	return "Approve request", "Approve"
}

// Press is the press, with its reason. who asks the service for a person.
func (d Dialog) Press(id, reason string, who func(ctx context.Context, id string) (Person, error)) Press {
	return Press{
		ID: id, Request: d.Request, Message: plugindata.Message{Channel: d.Channel, ID: d.Message}, Team: d.Team,
		Verdict: d.Verdict, Reason: reason, PersonID: d.Person,
		Person: func(ctx context.Context) (Person, error) { return who(ctx, d.Person) },
	}
}
