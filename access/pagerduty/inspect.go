package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/PagerDuty/go-pagerduty"

	"teleport-plugins/access/pagerduty/approval"
	"teleport-plugins/lib/check"
	"teleport-plugins/lib/outbound"
)

// Probes implements plugin.Inspector.
func (s *service) Probes() []check.Leg {
	legs := []check.Leg{
		{Name: "user", What: fmt.Sprintf("PagerDuty user %s", s.UserEmail), Try: s.proveUser},
		{Name: "role", What: "role of the API key's user", Try: s.proveRole},
	}
	if s.Priority != "" {
		legs = append(legs, check.Leg{Name: "priority", What: fmt.Sprintf("PagerDuty priority %q", s.Priority), Optional: true, Try: s.provePriority})
	}
	for _, name := range s.AutoApprove.Schedules {
		legs = append(legs, check.Leg{
			Name: "schedule", What: fmt.Sprintf("PagerDuty schedule %q", name), Optional: true,
			Try: func(ctx context.Context) error {
				ok, err := s.hasSchedule(ctx, name)
				if err == nil && !ok {
					err = errors.New("there is none; correct pagerduty.auto_approve.schedules, or nobody is approved through it")
				}
				return err
			},
		})
	}
	return legs
}

// Prove implements plugin.Inspector: a recipient is a service.
func (s *service) Prove(ctx context.Context, name string) error {
	_, err := s.Resolve(ctx, name)
	return err
}

// proveUser looks for the user in whose name incidents are opened.
func (s *service) proveUser(ctx context.Context) error {
	people, err := s.People(ctx, s.UserEmail)
	switch {
	case outbound.KindOf(err) == outbound.Refused:
		return check.Lack("PagerDuty's users cannot be read, which automatic approval needs: %v", err)
	case err != nil:
		return err
	case len(people) == 0:
		return errors.New("there is none with this address; set pagerduty.user_email to that of a user of the account")
	}
	return nil
}

func (s *service) proveRole(ctx context.Context) error {
	if role := s.ownRole(ctx); strings.HasPrefix(role, "read_only") {
		return fmt.Errorf("it is %q, which may not open incidents; use another key in pagerduty.api_key", role)
	}
	return nil
}

func (s *service) provePriority(ctx context.Context) error {
	id, err := s.priorityID(ctx, s.Priority)
	if err == nil && id == "" {
		err = errors.New("there is none; incidents get no priority until pagerduty.priority is corrected")
	}
	return err
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
