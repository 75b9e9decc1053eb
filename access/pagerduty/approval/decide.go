package approval

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/recipient"
)

// Person is a user of PagerDuty.
type Person struct{ ID, Name, Email string }

// Service is a service of PagerDuty and its escalation policy, by id.
type Service struct{ ID, Name, Policy string }

// Shift says that a person is on call for an escalation policy.
type Shift struct {
	// Policy and ScheduleID are ids. A shift without a schedule comes from a
	// policy that names the person directly.
	Policy, ScheduleID, Schedule string
	// Level is the escalation level, from 1; zero means that it is not known.
	Level int
	// Start and End bound the shift; the zero time means that it has no bound.
	Start, End time.Time
}

// Incident is an open incident.
type Incident struct {
	ID, Service string
	// People are the ids of those to whom it is assigned and who acknowledged it.
	People []string
}

// Directory is what is asked of PagerDuty, each time anew: nobody is approved by
// what was the case some time ago.
type Directory interface {
	// People lists the users with exactly this address, as Same compares.
	People(ctx context.Context, email string) ([]Person, error)
	// Service finds a service by its name, as Same compares.
	Service(ctx context.Context, name string) (s Service, found bool, err error)
	// Shifts lists the person's shifts now, for these policies.
	Shifts(ctx context.Context, person string, policies []string) ([]Shift, error)
	// OpenIncidents lists the open incidents of the services, without those that
	// are about access requests.
	OpenIncidents(ctx context.Context, services []string) ([]Incident, error)
}

// Request is what is to be decided: who asks, for which roles, and the names of
// the services whose people may have them.
type Request struct {
	Email           string
	Roles, Services []string
	// Start is when the access begins; the zero time stands for the approval.
	// Length is how long it lasts; zero says that it is not known.
	Start  time.Time
	Length time.Duration
}

// Decision says whether to approve whom, with the text of the review, and why.
type Decision struct {
	Approve          bool
	Person           Person
	Reason, Evidence string
}

// evidenceLimit bounds the evidence, in characters: it goes into records.
const evidenceLimit = 800

func refused(format string, args ...any) (Decision, error) {
	return Decision{Evidence: message.Cut(fmt.Sprintf(format, args...), evidenceLimit)}, nil
}

// Decide looks at a request. An error means that PagerDuty could not be asked.
func (r Rules) Decide(ctx context.Context, d Directory, req Request) (Decision, error) {
	if against := r.againstRequest(req, time.Now()); against != "" {
		return refused("%s", against)
	}
	people, services, err := lookUp(ctx, d, req)
	switch {
	case err != nil:
		return Decision{}, err
	case len(people) == 0:
		return refused("no user at PagerDuty has the address %q", req.Email)
	case len(people) > 1:
		return refused("%d users at PagerDuty have the address %q", len(people), req.Email)
	case len(services) == 0:
		return refused("PagerDuty has none of the services %s", quoted(req.Services))
	}
	return r.decide(ctx, d, people[0], services, req)
}

// againstRequest says what speaks against a request, whoever makes it, or nothing.
func (r Rules) againstRequest(req Request, now time.Time) string {
	for _, role := range req.Roles {
		if !r.allowsRole(role) {
			return fmt.Sprintf("the role %q is not among the roles that may be approved automatically", role)
		}
	}
	switch {
	case len(req.Services) > MaxServices:
		return fmt.Sprintf("the request names %d services, and at most %d are looked at", len(req.Services), MaxServices)
	case len(r.Roles) > 0 && len(req.Roles) == 0:
		return "the request names no role, and only certain roles may be approved automatically"
	case r.SingleRole && len(req.Roles) != 1:
		return fmt.Sprintf("the request is for %d roles, and only requests for a single one may be approved automatically", len(req.Roles))
	}
	return r.againstTime(req, now)
}

// againstTime says what speaks against the time of the access.
func (r Rules) againstTime(req Request, now time.Time) string {
	length, delay := time.Duration(r.MaxDuration), time.Duration(r.MaxStartDelay)
	switch {
	case length > 0 && req.Length <= 0:
		return "it is not known how long the access lasts"
	case length > 0 && req.Length > length:
		return fmt.Sprintf("access for %s is asked for, and at most %s may be approved automatically", message.Duration(req.Length), message.Duration(length))
	case delay > 0 && req.Start.After(now.Add(delay)):
		return fmt.Sprintf("the access begins later than %s from now", message.Duration(delay))
	}
	return ""
}

func (r Rules) allowsRole(role string) bool {
	return len(r.Roles) == 0 || recipient.Covers(r.Roles, []string{role})
}

// Bounds of the look-ups for one decision. PagerDuty allows 960 calls a minute for
// all that a key is used for.
const (
	// MaxServices is how many services a request may name; one that names more is
	// left to people.
	MaxServices = 50
	// lookUps is how many are under way at the same time.
	lookUps = 4
)

// lookUp finds the person and the services. It stops at the first failure.
func lookUp(ctx context.Context, d Directory, req Request) (people []Person, services []Service, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookUps)
	g.Go(func() (err error) {
		people, err = d.People(ctx, req.Email)
		return err
	})
	found := make([]Service, len(req.Services))
	for i, name := range req.Services {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			s, ok, err := d.Service(ctx, name)
			if ok {
				found[i] = s
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	for _, s := range found {
		if s.ID != "" && !slices.Contains(services, s) {
			services = append(services, s)
		}
	}
	return people, services, nil
}

func (r Rules) decide(ctx context.Context, d Directory, p Person, services []Service, req Request) (Decision, error) {
	var policies, ids []string
	for _, s := range services {
		ids = append(ids, s.ID)
		if s.Policy != "" && !slices.Contains(policies, s.Policy) {
			policies = append(policies, s.Policy)
		}
	}
	if len(policies) == 0 {
		return refused("none of the services has an escalation policy")
	}
	shifts, err := d.Shifts(ctx, p.ID, policies)
	if err != nil {
		return Decision{}, err
	}
	matched, evidence := r.onCall(shifts, services, time.Now())
	if len(matched) == 0 {
		return refused("%s is not on call by the rules: %s", p, evidence)
	}
	if r.RequireOpenIncident {
		id, err := involved(ctx, d, p, ids)
		if err != nil {
			return Decision{}, err
		}
		if id == "" {
			return refused("%s is on call (%s), but has no open incident of these services", p, evidence)
		}
		evidence += ", and has the open incident " + id
	}
	reason, err := r.reason(p, matched, req.Roles)
	if err != nil {
		return refused("the text of the review cannot be made: %v", err)
	}
	return Decision{true, p, reason, message.Cut(fmt.Sprintf("%s is on call: %s", p, evidence), evidenceLimit)}, nil
}

// onCall names the services that the person is on call for by the rules, with
// the shifts that say so, or else the shifts there are and what is against them.
func (r Rules) onCall(shifts []Shift, services []Service, now time.Time) (matched names, evidence string) {
	var yes, no []string
	for _, s := range services {
		for _, shift := range shifts {
			if shift.Policy != s.Policy || s.Policy == "" {
				continue
			}
			text := strconv.Quote(s.Name) + " " + shift.String()
			if against := r.against(shift, now); against != "" {
				no = append(no, text+" ("+against+")")
				continue
			}
			yes = append(yes, text)
			if !slices.Contains(matched, s.Name) {
				matched = append(matched, s.Name)
			}
		}
	}
	switch {
	case len(yes) > 0:
		return matched, strings.Join(yes, "; ")
	case len(no) > 0:
		return nil, strings.Join(no, "; ")
	}
	var all []string
	for _, s := range services {
		all = append(all, s.Name)
	}
	return nil, "no shift now for " + quoted(all)
}

// against says what speaks against a shift, or nothing.
func (r Rules) against(s Shift, now time.Time) string {
	switch {
	case s.Start.After(now):
		return "it has not begun"
	case !s.End.IsZero() && !s.End.After(now):
		return "it is over"
	case r.MaxEscalationLevel > 0 && (s.Level < 1 || s.Level > r.MaxEscalationLevel):
		return fmt.Sprintf("only levels up to %d may be approved", r.MaxEscalationLevel)
	case len(r.Schedules) > 0 && !r.allowsSchedule(s):
		return "not through a schedule that may be approved"
	}
	return ""
}

func (r Rules) allowsSchedule(s Shift) bool {
	return s.ScheduleID != "" && slices.ContainsFunc(r.Schedules, func(name string) bool {
		return name == s.ScheduleID || Same(name, s.Schedule)
	})
}

// involved returns the id of an open incident that the person has to do with,
// or nothing.
func involved(ctx context.Context, d Directory, p Person, services []string) (id string, err error) {
	incidents, err := d.OpenIncidents(ctx, services)
	if err != nil {
		return "", err
	}
	for _, in := range incidents {
		if slices.Contains(services, in.Service) && slices.Contains(in.People, p.ID) {
			return in.ID, nil
		}
	}
	return "", nil
}

// String names the person.
func (p Person) String() string { return fmt.Sprintf("%s <%s>", p.Name, p.Email) }

// String says how the person is on call.
func (s Shift) String() string {
	text := fmt.Sprintf("at level %d", s.Level)
	if s.ScheduleID == "" {
		return text + " by name"
	}
	return text + fmt.Sprintf(" through the schedule %q", s.Schedule)
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.Quote(s)
	}
	return strings.Join(out, ", ")
}
