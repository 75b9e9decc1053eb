package pagerduty

import (
	"context"
	"fmt"
	"slices"

	"teleport-plugins/access/pagerduty/approval"
	"teleport-plugins/lib/recipient"
)

// email finds the address of a Teleport user at PagerDuty. Where there is none,
// or no single one, or one that could pass for another, why says so.
func (d *onCall) email(ctx context.Context, user string) (email, why string, err error) {
	email, why, err = d.address(ctx, user)
	if email != "" && !approval.Normal(email) {
		return "", fmt.Sprintf("the address %+q holds characters that stand for others", email), nil
	}
	return email, why, err
}

// address looks in the table, takes the name itself, a trait, or the name with
// the suffix; the first that gives an address counts.
func (d *onCall) address(ctx context.Context, user string) (email, why string, err error) {
	if email = d.Users[user]; email != "" {
		return email, "", nil
	}
	if recipient.IsEmail(user) {
		return user, "", nil
	}
	if d.UserEmailTrait != "" && d.traits != nil {
		traits, err := d.traits(ctx, user)
		if err != nil {
			return "", "", fmt.Errorf("reading the traits of the requester: %w", err)
		}
		values := slices.Compact(slices.Sorted(slices.Values(traits[d.UserEmailTrait])))
		if len(values) > 1 {
			return "", fmt.Sprintf("the trait %q of the Teleport user %q has %d values", d.UserEmailTrait, user, len(values)), nil
		}
		if len(values) == 1 && recipient.IsEmail(values[0]) {
			return values[0], "", nil
		}
	}
	if email = user + d.UserEmailSuffix; d.UserEmailSuffix != "" && recipient.IsEmail(email) {
		return email, "", nil
	}
	return "", fmt.Sprintf("the Teleport user name %q is not an e-mail address, and the config gives none for it", user), nil
}
