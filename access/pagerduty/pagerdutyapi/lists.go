package pagerdutyapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bounds of paging that PagerDuty documents.
const (
	defaultLimit = 25
	maxLimit     = 100
	maxReach     = 10000 // of offset and limit together
)

// page reads the arguments of paging. That a limit over the maximum is refused
// and not lowered is the stricter reading.
func page(q url.Values) (offset, limit int, err error) {
	limit = defaultLimit
	for name, into := range map[string]*int{"offset": &offset, "limit": &limit} {
		if text := q.Get(name); text != "" {
			if *into, err = strconv.Atoi(text); err != nil || *into < 0 {
				return 0, 0, invalid(name + " must be a number")
			}
		}
	}
	if limit < 1 || limit > maxLimit {
		return 0, 0, invalid("limit must be between 1 and 100")
	}
	if offset+limit > maxReach {
		return 0, 0, invalid("offset and limit together must not exceed 10000")
	}
	return offset, limit, nil
}

// paged answers with one page of a list under the given name.
func paged[T any](q url.Values, name string, list []T, show func(T) any) (int, any, error) {
	offset, limit, err := page(q)
	if err != nil {
		return 0, nil, err
	}
	from := min(offset, len(list))
	to := min(from+limit, len(list))
	items := make([]any, 0, to-from)
	for _, item := range list[from:to] {
		items = append(items, show(item))
	}
	body := map[string]any{name: items, "offset": offset, "limit": limit, "more": to < len(list), "total": nil}
	if q.Get("total") == "true" {
		body["total"] = len(list)
	}
	return http.StatusOK, body, nil
}

// filter keeps what is wanted.
func filter[T any](list []T, wanted func(T) bool) []T {
	var out []T
	for _, item := range list {
		if wanted(item) {
			out = append(out, item)
		}
	}
	return out
}

func holds(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func (s *Server) abilities(*call) (int, any, error) {
	return http.StatusOK, map[string]any{"abilities": []string{"teams", "urgencies", "priorities"}}, nil
}

func (s *Server) listPriorities(c *call) (int, any, error) {
	return paged(c.Form, "priorities", s.state.priorities, func(p Priority) any { return showPriority(p) })
}

func (s *Server) currentUser(c *call) (int, any, error) {
	u, ok := s.state.user(c.key.User)
	if !ok {
		return 0, nil, invalid("A user token is required for this call")
	}
	return http.StatusOK, map[string]any{"user": showUser(u)}, nil
}

func (s *Server) getUser(c *call) (int, any, error) {
	u, ok := s.state.user(c.id)
	if !ok {
		return 0, nil, failure(2100)
	}
	return http.StatusOK, map[string]any{"user": showUser(u)}, nil
}

// listUsers filters by name, as documented, and by e-mail address, as PagerDuty
// is known to do.
func (s *Server) listUsers(c *call) (int, any, error) {
	q := c.Form.Get("query")
	list := filter(s.state.users, func(u User) bool { return holds(u.Name, q) || holds(u.Email, q) })
	return paged(c.Form, "users", list, func(u User) any { return showUser(u) })
}

func (s *Server) getService(c *call) (int, any, error) {
	v, ok := s.state.service(c.id)
	if !ok {
		return 0, nil, failure(2100)
	}
	return http.StatusOK, map[string]any{"service": s.showService(v)}, nil
}

func (s *Server) listServices(c *call) (int, any, error) {
	q, name := c.Form.Get("query"), c.Form.Get("name")
	list := filter(s.state.services, func(v Service) bool { return holds(v.Name, q) && (name == "" || v.Name == name) })
	return paged(c.Form, "services", list, s.showService)
}

func (s *Server) listSchedules(c *call) (int, any, error) {
	q := c.Form.Get("query")
	list := filter(s.state.schedules, func(v Schedule) bool { return holds(v.Name, q) })
	return paged(c.Form, "schedules", list, func(v Schedule) any {
		return object(v.ID, "schedule", v.Name, map[string]any{"name": v.Name, "time_zone": "Etc/UTC"})
	})
}

// listOnCalls answers who is on call, by default now.
func (s *Server) listOnCalls(c *call) (int, any, error) {
	since, until, err := s.window(c.Form)
	if err != nil {
		return 0, nil, err
	}
	users, policies, schedules := c.Form["user_ids[]"], c.Form["escalation_policy_ids[]"], c.Form["schedule_ids[]"]
	list := filter(s.state.oncalls, func(o OnCall) bool {
		schedule := o.Schedule
		if schedule == "" {
			schedule = "null"
		}
		return o.overlaps(since, until) && anyOf(users, o.User) && anyOf(policies, o.Policy) && anyOf(schedules, schedule)
	})
	return paged(c.Form, "oncalls", list, s.showOnCall)
}

// window reads since and until, which both default to the present.
func (s *Server) window(q url.Values) (since, until time.Time, err error) {
	now := s.Now()
	if since, err = moment(q, "since", now); err != nil {
		return since, until, err
	}
	if until, err = moment(q, "until", since); err != nil {
		return since, until, err
	}
	if until.Before(since) || until.After(now.AddDate(0, 0, 90)) {
		return since, until, invalid("until must be after since and within 90 days")
	}
	return since, until, nil
}

func moment(q url.Values, name string, otherwise time.Time) (time.Time, error) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, invalid(name + " is not a time in ISO 8601")
	}
	return at, nil
}

// anyOf reports whether a filter, which is off when empty, lets a value pass.
func anyOf(filter []string, value string) bool {
	return len(filter) == 0 || slices.Contains(filter, value)
}
