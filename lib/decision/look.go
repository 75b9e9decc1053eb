package decision

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"teleport-plugins/lib/identity"
)

// Look says how somebody who presses would be recognised as a Teleport user, and
// whether the user may decide at all.
func Look(ctx context.Context, o Options, user string) (steps []identity.Step) {
	d := &desk{Options: o}
	pressed := identity.Step{Source: "buttons"}
	pressed.Says, pressed.Found = d.recognises(ctx, user)
	standing := identity.Step{Source: "the user in the cluster", Says: "exists, and no lock is known", Found: true}
	if err := d.admissible(ctx, user); err != nil { // a refusal says why as it does in the log
		standing.Says, standing.Found = err.Error(), false
	}
	return []identity.Step{pressed, standing}
}

// recognises says by what a user is recognised.
func (d *desk) recognises(ctx context.Context, user string) (says string, ok bool) {
	source := d.Policy.Source(d.Policy.Trait)
	if source == ByUsers {
		return d.listed(user)
	}
	if source == ByTrait || source == ByTraitThenEmail {
		if says, ok, known := d.marked(ctx, user); known || source == ByTrait {
			return says, ok
		}
	}
	_, domain, _ := strings.Cut(user, "@")
	if !slices.Contains(d.Policy.domains(), strings.ToLower(domain)) {
		return "not known: the user's name is not an address in one of the email_domains", false
	}
	return "known by the address " + user + ", if " + d.Title + " shows it of the person", true
}

// listed says what the table of people has of a user.
func (d *desk) listed(user string) (says string, ok bool) {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(d.Policy.Users)) {
		if strings.TrimSpace(d.Policy.Users[id]) == user {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "not known: no id is mapped to the user", false
	}
	return fmt.Sprintf("known by the %s id %s, which is mapped to the user", d.Title, cut(strings.Join(ids, ", "))), true
}

// marked says what the trait has of a user, and whether it has anything.
func (d *desk) marked(ctx context.Context, user string) (says string, ok, known bool) {
	trait := strings.TrimSpace(d.Policy.Trait)
	holders := make(map[string][]string) // users by id
	_, err := d.Cluster.Users(ctx, func(name string, traits map[string][]string) bool {
		for _, id := range traits[trait] {
			holders[id] = append(holders[id], name)
		}
		return false
	})
	if err != nil {
		return fmt.Sprintf("the trait %q cannot be read: %v", trait, err), false, true
	}
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(holders)) {
		switch {
		case !slices.Contains(holders[id], user):
		case len(holders[id]) > 1:
			return fmt.Sprintf("not known: the %s id %s is that of several users: %s", d.Title, cut(id), cut(strings.Join(slices.Sorted(slices.Values(holders[id])), ", "))), false, true
		default:
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return fmt.Sprintf("not known: the user has no trait %q now", trait), false, false
	}
	return fmt.Sprintf("known by the %s id %s, from the trait %q", d.Title, cut(strings.Join(ids, ", ")), trait), true, true
}
