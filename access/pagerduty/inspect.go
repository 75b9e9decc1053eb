package pagerduty

import (
	"context"
	"fmt"
	"strings"

	"github.com/PagerDuty/go-pagerduty"

	"teleport-plugins/access/pagerduty/approval"
)

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
		if id, err := s.priorityID(ctx, s.Priority); err != nil || id == "" {
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
			if v.ID == name || approval.Same(v.Name, name) {
				return true, nil
			}
		}
	}
	return false, nil
}
