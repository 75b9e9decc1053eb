package pagerduty

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/PagerDuty/go-pagerduty"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"teleport-plugins/access/pagerduty/approval"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/reconcile"
)

// Decide implements reconcile.Decider. A request that no rule concerns has a
// decision without evidence.
func (s *service) Decide(ctx context.Context, v message.View, posts []plugindata.Message) (reconcile.Decision, error) {
	services := annotated(v, s.Services)
	slices.Sort(services)
	if !s.AutoApprove.Enabled || len(services) == 0 {
		s.log.Debug("An access request is not looked at for automatic approval",
			zap.String("request_id", v.ID), zap.Bool("enabled", s.AutoApprove.Enabled), zap.String("annotation", s.Services))
		return reconcile.Decision{}, nil
	}
	email, why, err := s.email(ctx, v.User)
	if err != nil {
		return reconcile.Decision{}, err
	}
	d := approval.Decision{Evidence: why}
	if why == "" {
		d, err = s.AutoApprove.Decide(ctx, s.client, approval.Request{Email: email, Roles: v.Roles, Services: services})
	}
	if err != nil {
		return reconcile.Decision{}, err
	}
	s.tell(ctx, posts, decisionNote(d.Approve, d.Evidence))
	return reconcile.Decision(d), nil
}

// tell writes a note to each incident, if that can be done in time.
func (s *service) tell(ctx context.Context, posts []plugindata.Message, text string) {
	ctx, cancel := half(ctx)
	defer cancel()
	var g errgroup.Group
	for _, m := range posts {
		g.Go(func() error {
			if err := s.note(ctx, m, text); err != nil {
				s.log.Warn("The decision about an access request cannot be noted on its incident",
					zap.String("pd_incident_id", m.ID), zap.Error(err))
			}
			return nil
		})
	}
	_ = g.Wait() // the functions return no errors
}

// email finds the address of a Teleport user at PagerDuty: in the table, as the
// name itself, in a trait, by the suffix; the first that gives one counts. Where
// there is none, or no single one, why says so.
func (s *service) email(ctx context.Context, user string) (email, why string, err error) {
	if email = s.Users[user]; email != "" {
		return email, "", nil
	}
	if recipient.IsEmail(user) {
		return user, "", nil
	}
	if s.UserEmailTrait != "" && s.traits != nil {
		traits, err := s.traits(ctx, user)
		if err != nil {
			return "", "", fmt.Errorf("reading the traits of the requester: %w", err)
		}
		values := slices.Compact(slices.Sorted(slices.Values(traits[s.UserEmailTrait])))
		if len(values) > 1 {
			return "", fmt.Sprintf("the trait %q of the Teleport user %q has %d values", s.UserEmailTrait, user, len(values)), nil
		}
		if len(values) == 1 && recipient.IsEmail(values[0]) {
			return values[0], "", nil
		}
	}
	if email = user + s.UserEmailSuffix; s.UserEmailSuffix != "" && recipient.IsEmail(email) {
		return email, "", nil
	}
	return "", fmt.Sprintf("the Teleport user name %q is not an e-mail address, and the config gives none for it", user), nil
}

// Inspect implements plugin.Inspector.
func (s *service) Inspect(ctx context.Context) []string {
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if people, err := s.People(ctx, s.UserEmail); err != nil {
		say("PagerDuty's users cannot be read, which automatic approval needs: %v", err)
	} else if len(people) == 0 {
		say("PagerDuty has no user with the address %q; set pagerduty.user_email to that of a user of the account", s.UserEmail)
	}
	if role := s.ownRole(ctx); strings.HasPrefix(role, "read_only") {
		say("pagerduty.api_key belongs to a user with the role %q, who may not open incidents; use another key", role)
	}
	if s.Priority != "" {
		if id, err := s.priority(ctx, s.Priority); err != nil || id == "" {
			say("PagerDuty has no priority %q (%v); incidents get none until pagerduty.priority is corrected", s.Priority, err)
		}
	}
	for _, name := range s.AutoApprove.Schedules {
		if ok, err := s.hasSchedule(ctx, name); err == nil && !ok {
			say("PagerDuty has no schedule %q; correct pagerduty.auto_approve.schedules, or nobody is approved through it", name)
		}
	}
	return found
}

// ownRole is the role of the user whom the key belongs to; keys of the account
// belong to none, and do not show what they may do.
func (s *service) ownRole(ctx context.Context) (role string) {
	_ = s.do(ctx, "GET /users/me", func(ctx context.Context, api *pagerduty.Client) error {
		me, err := api.GetCurrentUserWithContext(ctx, pagerduty.GetCurrentUserOptions{})
		if err == nil {
			role = me.Role
		}
		return err
	})
	return role
}

// hasSchedule looks for a schedule by its name or its id, which a search by name
// does not find.
func (s *service) hasSchedule(ctx context.Context, name string) (bool, error) {
	for _, text := range []string{name, ""} {
		list, err := s.schedules(ctx, text)
		if err != nil {
			return false, err
		}
		for _, v := range list {
			if v.ID == name || strings.EqualFold(v.Name, name) {
				return true, nil
			}
		}
	}
	return false, nil
}
