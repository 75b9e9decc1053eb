package pagerdutyapi

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Key is an API key of the account.
type Key struct {
	Token string
	// ReadOnly keys are refused every change with 403.
	ReadOnly bool
	// User is the ID of the user whom a user's own key belongs to; empty for
	// the keys of the account.
	User string
}

// User is a person with a login at PagerDuty.
type User struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
	// Role is PagerDuty's name of the role, "user" when empty.
	Role string `json:"role"`
}

// Policy is an escalation policy.
type Policy struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Service is what incidents are about.
type Service struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Policy is the ID of its escalation policy.
	Policy string `json:"policy"`
}

// Schedule is a rota that escalation policies refer to.
type Schedule struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// OnCall says that somebody is on call. Its four IDs and level identify it.
type OnCall struct {
	// User and Policy are IDs. Schedule is the ID of the rota that the entry
	// comes from; empty when the policy names the user directly.
	User     string `json:"user"`
	Policy   string `json:"policy"`
	Schedule string `json:"schedule,omitempty"`
	// Level is the escalation level, from 1.
	Level int `json:"level"`
	// Start and End bound the shift; the zero time means that it has no bound.
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
}

func (o OnCall) same(p OnCall) bool {
	o.Start, o.End, p.Start, p.End = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return o == p
}

// at reports whether the entry overlaps a range of time.
func (o OnCall) overlaps(since, until time.Time) bool {
	return (o.Start.IsZero() || !o.Start.After(until)) && (o.End.IsZero() || o.End.After(since))
}

// Priority is a level of importance that incidents can be given.
type Priority struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// The states of an incident.
const (
	Triggered    = "triggered"
	Acknowledged = "acknowledged"
	Resolved     = "resolved"
)

// Incident is an incident with its notes, oldest first.
type Incident struct {
	ID     string `json:"id"`
	Number int    `json:"number"`
	Title  string `json:"title"`
	// Key is the deduplication key.
	Key    string `json:"key"`
	Status string `json:"status"`
	// Urgency is "high" or "low".
	Urgency string `json:"urgency"`
	// Service and Priority are IDs; the priority may be empty.
	Service  string `json:"service"`
	Priority string `json:"priority,omitempty"`
	Details  string `json:"details"`
	// Creator is the ID of the user in whose name it was opened.
	Creator  string    `json:"creator"`
	Created  time.Time `json:"created"`
	Changed  time.Time `json:"changed"`
	Resolved time.Time `json:"resolved,omitzero"`
	// Assigned and Acknowledged hold the IDs of users.
	Assigned     []string `json:"assigned"`
	Acknowledged []string `json:"acknowledged"`
	// ResolvedBy is the ID of the user who resolved it.
	ResolvedBy string `json:"resolved_by,omitempty"`
	// Alerts holds the keys of the alerts that belong to it. An incident that has
	// any shows no key of its own.
	Alerts []string `json:"alerts,omitempty"`
	Notes  []Note   `json:"notes"`
}

// Open reports whether the incident is not resolved.
func (i Incident) Open() bool { return i.Status != Resolved }

// hasKey reports whether a search for the key finds the incident: by the keys of
// its alerts, where it has any.
func (i Incident) hasKey(key string) bool {
	if len(i.Alerts) > 0 {
		return slices.Contains(i.Alerts, key)
	}
	return i.Key == key
}

// Note is a remark below an incident.
type Note struct {
	ID string `json:"id"`
	// User is the ID of its author.
	User    string    `json:"user"`
	Content string    `json:"content"`
	Created time.Time `json:"created"`
}

// account is the data; the server's lock guards it.
type account struct {
	keys       map[string]Key
	users      []User
	policies   []Policy
	services   []Service
	schedules  []Schedule
	oncalls    []OnCall
	priorities []Priority
	incidents  []*Incident
	byID       map[string]*Incident
	open       map[[2]string]*Incident // by service and key
	number     int
	serial     int
}

func newAccount(o Options) account {
	a := account{
		keys: make(map[string]Key), byID: make(map[string]*Incident), open: make(map[[2]string]*Incident),
		users: slices.Clone(o.Users), policies: slices.Clone(o.Policies), services: slices.Clone(o.Services),
		schedules: slices.Clone(o.Schedules), oncalls: slices.Clone(o.OnCalls), priorities: slices.Clone(o.Priorities),
	}
	for _, k := range o.Keys {
		a.keys[k.Token] = k
	}
	return a
}

// newID gives IDs of the form that PagerDuty's have: capitals and digits.
func (a *account) newID(prefix string) string {
	a.serial++
	return fmt.Sprintf("%s%08d", prefix, a.serial)
}

func (a *account) user(id string) (User, bool) {
	return find(a.users, func(u User) bool { return u.ID == id })
}

func (a *account) userByEmail(email string) (User, bool) {
	return find(a.users, func(u User) bool { return strings.EqualFold(u.Email, email) })
}

func (a *account) service(id string) (Service, bool) {
	return find(a.services, func(s Service) bool { return s.ID == id })
}

func (a *account) policy(id string) (Policy, bool) {
	return find(a.policies, func(p Policy) bool { return p.ID == id })
}

func (a *account) schedule(id string) (Schedule, bool) {
	return find(a.schedules, func(s Schedule) bool { return s.ID == id })
}

func (a *account) priority(id string) (Priority, bool) {
	return find(a.priorities, func(p Priority) bool { return p.ID == id })
}

func find[T any](list []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i], true
	}
	var none T
	return none, false
}

// responders are those whom a new incident of the policy is assigned to: who is
// on call on the lowest level. A policy with nobody on call assigns nobody.
func (a *account) responders(policy string, now time.Time) []string {
	level := 0
	var users []string
	for _, o := range a.oncalls {
		if o.Policy != policy || !o.overlaps(now, now) || level != 0 && o.Level > level {
			continue
		}
		if level == 0 || o.Level < level {
			level, users = o.Level, nil
		}
		if !slices.Contains(users, o.User) {
			users = append(users, o.User)
		}
	}
	return users
}

// DefaultUsers are the people of an account without others: the plugin's own
// user, and three who take turns.
func DefaultUsers() []User {
	return []User{
		{ID: "PUBOT01", Name: "Teleport Bot", Email: "teleport@example.com", Role: "user"},
		{ID: "PUALICE", Name: "Alice Example", Email: "alice@example.com", Role: "user"},
		{ID: "PUBOB01", Name: "Bob Example", Email: "bob@example.com", Role: "user"},
		{ID: "PUCAROL", Name: "Carol Example", Email: "carol@example.com", Role: "limited_user"},
	}
}

// DefaultPolicies belong to DefaultServices.
func DefaultPolicies() []Policy {
	return []Policy{{ID: "PEAPPRV", Name: "Approvers"}, {ID: "PEPAYMT", Name: "Payments"}, {ID: "PEDATAB", Name: "Databases"}}
}

// DefaultServices are one to notify and two to be on call for.
func DefaultServices() []Service {
	return []Service{
		{ID: "PSAPPRV", Name: "Access Approvals", Policy: "PEAPPRV"},
		{ID: "PSPAYMT", Name: "Payments", Policy: "PEPAYMT"},
		{ID: "PSDATAB", Name: "Databases", Policy: "PEDATAB"},
	}
}

// DefaultSchedules are the rotas of DefaultOnCalls.
func DefaultSchedules() []Schedule {
	return []Schedule{{ID: "PRPRIMA", Name: "Primary"}, {ID: "PRTEAM0", Name: "Whole Team"}}
}

// DefaultOnCalls let Alice be on call for payments at the first level, Bob at
// the last with the whole team, and Carol approve.
func DefaultOnCalls() []OnCall {
	return []OnCall{
		{User: "PUALICE", Policy: "PEPAYMT", Schedule: "PRPRIMA", Level: 1},
		{User: "PUBOB01", Policy: "PEPAYMT", Schedule: "PRTEAM0", Level: 3},
		{User: "PUCAROL", Policy: "PEAPPRV", Level: 1},
	}
}

// DefaultPriorities are those that PagerDuty sets up by itself, in part.
func DefaultPriorities() []Priority {
	return []Priority{{ID: "PPRIO01", Name: "P1"}, {ID: "PPRIO02", Name: "P2"}, {ID: "PPRIO03", Name: "P3"}}
}
