package decision

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/teleport"
)

// identify finds the Teleport user who pressed. how says what it rests on, for the
// log.
func (d *desk) identify(ctx context.Context, p Press, req types.AccessRequest) (user, how string, err error) {
	who, err := p.Person(ctx)
	if err != nil {
		return "", "", refuse(TryAgain, d.Title+" did not say who you are. Please press again in a minute, or decide in Teleport.", fmt.Sprintf("asking %s who pressed: %v", d.Title, err))
	}
	if who.Outsider != "" {
		return "", "", refuse(Refused, "Only full members of this organisation decide here.", "the person is "+who.Outsider)
	}
	user, how, err = d.recognise(ctx, p.PersonID, who)
	switch {
	case err != nil:
		return "", how, err
	case user == "":
		return "", how, refuse(Refused, fmt.Sprintf("The plugin does not know which Teleport user you are. Ask an administrator to map your %s id %s.", d.Title, p.PersonID), "no Teleport user for the person")
	}
	if err := d.admissible(ctx, user); err != nil {
		return user, how, err
	}
	if strings.EqualFold(user, req.GetUser()) || who.Email != "" && strings.EqualFold(who.Email, req.GetUser()) {
		return user, how, refuse(Refused, "Nobody decides about their own request.", "the person made the request")
	}
	return user, how, nil
}

// recognise asks the one source that the config has for who somebody is in Teleport;
// the user is empty if that does not know.
func (d *desk) recognise(ctx context.Context, id string, who Person) (user, how string, err error) {
	source := d.Policy.Source(d.Policy.Trait)
	switch source {
	case ByTrait, ByTraitThenEmail:
		user, err = d.byTrait(ctx, id)
		if how = ByTrait; err == nil && user == "" && source == ByTraitThenEmail {
			user, how = d.byEmail(who), ByEmail
		}
	case ByUsers:
		user, how = strings.TrimSpace(d.Policy.Users[id]), ByUsers
	case ByEmail:
		user, how = d.byEmail(who), ByEmail
	}
	return user, how, err
}

// byTrait finds the one user whose trait holds the id of the person.
func (d *desk) byTrait(ctx context.Context, id string) (string, error) {
	trait := strings.TrimSpace(d.Policy.Trait)
	if trait == "" || id == "" {
		return "", nil
	}
	users, err := d.Cluster.Users(ctx, func(_ string, traits map[string][]string) bool {
		return slices.Contains(traits[trait], id)
	})
	switch {
	case teleport.IsDenied(err):
		return "", refuse(TryAgain, "The plugin may not look up who you are in Teleport. Ask an administrator to look at its log.", "the plugin's role may not list users; add the rule user: list, read to it: "+err.Error())
	case err != nil:
		return "", fmt.Errorf("looking for the Teleport user with the person's id: %w", err)
	case len(users) > 1:
		return "", refuse(Refused, "Several Teleport users have your id, so the plugin cannot tell which one you are.", "several users have the id: "+cut(strings.Join(users, ", ")))
	case len(users) == 1:
		return users[0], nil
	}
	return "", nil
}

// byEmail is the user whose name is the verified address of a person, if it is of a
// domain that the config names.
func (d *desk) byEmail(who Person) string {
	_, domain, ok := strings.Cut(who.Email, "@")
	if !ok || !d.Policy.EmailMatch || !slices.Contains(d.Policy.domains(), strings.ToLower(domain)) {
		return ""
	}
	return who.Email
}

// admissible makes sure that the cluster knows the user, and has not locked them.
func (d *desk) admissible(ctx context.Context, user string) error {
	roles, err := d.Cluster.UserRoles(ctx, user)
	switch {
	case err == nil:
		return d.unlocked(ctx, user, roles)
	case teleport.IsNotFound(err):
		return refuse(Refused, "There is no Teleport user "+user+". One who signs in through an identity provider exists while signed in.", "no such Teleport user")
	case teleport.IsDenied(err):
		return refuse(TryAgain, "The plugin may not look up who you are in Teleport. Ask an administrator to look at its log.", "the plugin's role may not read users; add the rule user: list, read to it: "+err.Error())
	}
	return fmt.Errorf("looking for the Teleport user: %w", err)
}

// unlocked makes sure that no lock is in force for a user. Where the cluster judges the
// person, it does so by itself if the plugin may not read locks.
func (d *desk) unlocked(ctx context.Context, user string, roles []string) error {
	locked, err := d.Cluster.Locked(ctx, user, roles)
	switch {
	case locked:
		return refuse(Refused, "The Teleport user "+user+" is locked.", "a lock is in force for the user")
	case err == nil, teleport.IsDenied(err) && d.Policy.SubmitAs != AsPlugin:
		return nil
	case teleport.IsDenied(err):
		return refuse(TryAgain, "The plugin may not look up who you are in Teleport. Ask an administrator to look at its log.", "the plugin's role may not read locks; add the rule lock: list, read to it: "+err.Error())
	}
	return fmt.Errorf("looking for locks: %w", err)
}

// entitled makes sure that the config lets a user decide, where the cluster cannot
// judge who pressed.
func (d *desk) entitled(req types.AccessRequest, user string) error {
	if d.Policy.SubmitAs != AsPlugin {
		return nil
	}
	for _, role := range req.GetRoles() {
		for pattern, users := range d.Policy.Reviewers {
			if len(users) == 0 && recipient.Matches(pattern, role) {
				return refuse(Refused, "You may not decide about this request here.", "the entry of reviewers for "+cut(pattern)+" is empty, which lets nobody decide")
			}
		}
		if !slices.Contains(d.Policy.Reviewers.For([]string{role}), user) {
			return refuse(Refused, "You may not decide about this request here.", "the user is not among the reviewers of role "+cut(role))
		}
	}
	return nil
}
