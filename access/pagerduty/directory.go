package pagerduty

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"teleport-plugins/access/pagerduty/approval"
	"teleport-plugins/lib/plugindata"
)

// People implements approval.Directory. PagerDuty's search finds more than the
// address alone; only the same address counts.
func (c *client) People(ctx context.Context, email string) (found []approval.Person, err error) {
	o := pagerduty.ListUsersOptions{Query: strings.ToLower(email), Limit: pageSize}
	err = c.pages(ctx, "GET /users", func(ctx context.Context, api *pagerduty.Client, offset uint) (int, bool, error) {
		o.Offset = offset
		list, err := api.ListUsersWithContext(ctx, o)
		if err != nil {
			return 0, false, err
		}
		for _, u := range list.Users {
			if approval.Same(u.Email, email) && u.ID != "" {
				found = append(found, approval.Person{ID: u.ID, Name: line(u.Name), Email: u.Email})
			}
		}
		return len(list.Users), list.More, nil
	})
	return found, err
}

// Service implements approval.Directory. Of several services whose names differ
// in case, the one that is spelled as asked for counts.
func (c *client) Service(ctx context.Context, name string) (found approval.Service, ok bool, err error) {
	o := pagerduty.ListServiceOptions{Query: strings.ToLower(name), Limit: pageSize}
	err = c.pages(ctx, "GET /services", func(ctx context.Context, api *pagerduty.Client, offset uint) (int, bool, error) {
		o.Offset = offset
		list, err := api.ListServicesWithContext(ctx, o)
		if err != nil {
			return 0, false, err
		}
		for _, s := range list.Services {
			if s.ID != "" && approval.Same(s.Name, name) && (!ok || s.Name == name) {
				found, ok = approval.Service{ID: s.ID, Name: s.Name, Policy: s.EscalationPolicy.ID}, true
			}
		}
		return len(list.Services), list.More && found.Name != name, nil
	})
	return found, ok, err
}

// Shifts implements approval.Directory. Without a range PagerDuty lists who is
// on call now.
func (c *client) Shifts(ctx context.Context, person string, policies []string) (found []approval.Shift, err error) {
	o := pagerduty.ListOnCallOptions{UserIDs: []string{person}, EscalationPolicyIDs: policies, Limit: pageSize}
	err = c.pages(ctx, "GET /oncalls", func(ctx context.Context, api *pagerduty.Client, offset uint) (int, bool, error) {
		o.Offset = offset
		list, err := api.ListOnCallsWithContext(ctx, o)
		if err != nil {
			return 0, false, err
		}
		for _, entry := range list.OnCalls {
			if s, ok := shift(entry); ok && entry.User.ID == person && slices.Contains(policies, s.Policy) {
				found = append(found, s)
			}
		}
		return len(list.OnCalls), list.More, nil
	})
	return found, err
}

// shift reads an entry of the rota. One whose times cannot be read does not count.
func shift(o pagerduty.OnCall) (s approval.Shift, ok bool) {
	start, startErr := bound(o.Start)
	end, endErr := bound(o.End)
	return approval.Shift{
		Policy: o.EscalationPolicy.ID, Level: int(min(o.EscalationLevel, 1<<20)),
		ScheduleID: o.Schedule.ID, Schedule: line(o.Schedule.Summary), Start: start, End: end,
	}, startErr == nil && endErr == nil
}

// bound reads the begin or the end of a shift; an empty text is no bound.
func bound(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, text)
}

// directory is PagerDuty as it is asked about one request.
type directory struct {
	*client
	// posts are the incidents of the request itself.
	posts []plugindata.Message
}

// OpenIncidents implements approval.Directory. That somebody asks for access is no
// reason to give it: incidents about access requests are known by their key, by
// their id, and, where people added alerts and the key is gone, by their title.
func (d directory) OpenIncidents(ctx context.Context, services []string) (found []approval.Incident, err error) {
	list, err := d.incidents(ctx, pagerduty.ListIncidentsOptions{
		ServiceIDs: services, Statuses: []string{"triggered", "acknowledged"}, DateRange: "all",
	})
	for _, in := range list {
		if strings.HasPrefix(in.IncidentKey, keyPrefix) || in.IncidentKey == "" && strings.HasPrefix(in.Title, titleStart) ||
			slices.ContainsFunc(d.posts, func(m plugindata.Message) bool { return m.ID == in.ID }) {
			continue
		}
		item := approval.Incident{ID: in.ID, Service: in.Service.ID}
		for _, a := range in.Assignments {
			item.People = append(item.People, a.Assignee.ID)
		}
		for _, a := range in.Acknowledgements {
			item.People = append(item.People, a.Acknowledger.ID)
		}
		found = append(found, item)
	}
	return found, err
}

// incidents lists the incidents that fit, oldest first: those that are opened
// while the pages are read come last.
func (c *client) incidents(ctx context.Context, o pagerduty.ListIncidentsOptions) (found []pagerduty.Incident, err error) {
	o.SortBy, o.Limit = "created_at:asc", pageSize
	err = c.pages(ctx, "GET /incidents", func(ctx context.Context, api *pagerduty.Client, offset uint) (int, bool, error) {
		o.Offset = offset
		list, err := api.ListIncidentsWithContext(ctx, o)
		if err != nil {
			return 0, false, err
		}
		found = append(found, list.Incidents...)
		return len(list.Incidents), list.More, nil
	})
	return found, err
}

// schedules lists the schedules whose names hold the text.
func (c *client) schedules(ctx context.Context, text string) (found []pagerduty.Schedule, err error) {
	o := pagerduty.ListSchedulesOptions{Query: text, Limit: pageSize}
	err = c.pages(ctx, "GET /schedules", func(ctx context.Context, api *pagerduty.Client, offset uint) (int, bool, error) {
		o.Offset = offset
		list, err := api.ListSchedulesWithContext(ctx, o)
		if err != nil {
			return 0, false, err
		}
		found = append(found, list.Schedules...)
		return len(list.Schedules), list.More, nil
	})
	return found, err
}

// priorityID finds the id of a priority by its name, or nothing.
func (c *client) priorityID(ctx context.Context, name string) (id string, err error) {
	err = c.pages(ctx, "GET /priorities", func(ctx context.Context, api *pagerduty.Client, offset uint) (int, bool, error) {
		list, err := api.ListPrioritiesWithContext(ctx, pagerduty.ListPrioritiesOptions{Limit: pageSize, Offset: offset})
		if err != nil {
			return 0, false, err
		}
		for _, p := range list.Priorities {
			if strings.EqualFold(p.Name, name) && id == "" {
				id = p.ID
			}
		}
		return len(list.Priorities), list.More && id == "", nil
	})
	return id, err
}
