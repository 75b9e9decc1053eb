package pagerduty

import (
	"context"
	"fmt"

	"teleport-plugins/access/pagerduty/approval"
	"teleport-plugins/lib/message"
)

// email finds the address of a Teleport user at PagerDuty. Where there is none,
// or no single one, or one that could pass for another, why says so. Where the traits
// cannot be read, nothing is decided.
func (d *onCall) email(ctx context.Context, user string) (email, why string, err error) {
	person := d.people.Find(ctx, user)
	switch {
	case person.Unread != nil:
		return "", "", person.Unread
	case person.Name == "":
		return "", fmt.Sprintf("nothing says which address the Teleport user %q has at PagerDuty: %s", message.Cut(user, 100), person.Why()), nil
	case !approval.Normal(person.Name):
		return "", fmt.Sprintf("the address %+q holds characters that stand for others", person.Name), nil
	}
	return person.Name, "", nil
}
