package pagerdutyapi

import (
	"fmt"
	"slices"
	"strings"
)

// State is the account at one moment.
type State struct {
	// Version grows with each change.
	Version    uint64     `json:"version"`
	Users      []User     `json:"users"`
	Policies   []Policy   `json:"policies"`
	Services   []Service  `json:"services"`
	Schedules  []Schedule `json:"schedules"`
	OnCalls    []OnCall   `json:"oncalls"`
	Priorities []Priority `json:"priorities"`
	// Incidents are sorted by number, the oldest first.
	Incidents []Incident `json:"incidents"`
}

// Snapshot copies the account with its newest incidents, at most limit of them;
// zero or less means all.
func (s *Server) Snapshot(limit int) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.state
	list := a.incidents
	if limit > 0 && len(list) > limit {
		list = list[len(list)-limit:]
	}
	return State{
		Version: s.version, Users: slices.Clone(a.users), Policies: slices.Clone(a.policies),
		Services: slices.Clone(a.services), Schedules: slices.Clone(a.schedules), OnCalls: slices.Clone(a.oncalls),
		Priorities: slices.Clone(a.priorities), Incidents: copies(list),
	}
}

func copies(list []*Incident) []Incident {
	out := make([]Incident, 0, len(list))
	for _, in := range list {
		out = append(out, in.clone())
	}
	return out
}

func (i *Incident) clone() Incident {
	out := *i
	out.Assigned, out.Acknowledged = slices.Clone(i.Assigned), slices.Clone(i.Acknowledged)
	out.Notes, out.Alerts = slices.Clone(i.Notes), slices.Clone(i.Alerts)
	return out
}

// Incidents returns all incidents of a service, oldest first. The service is
// named by its ID or its name; an empty text means every service.
func (s *Server) Incidents(service string) []Incident {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(filter(s.state.incidents, func(in *Incident) bool {
		v, _ := s.state.service(in.Service)
		return service == "" || service == in.Service || strings.EqualFold(service, v.Name)
	}))
}

// Incident returns one incident by its ID.
func (s *Server) Incident(id string) (Incident, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.state.byID[id]
	if in == nil {
		return Incident{}, false
	}
	return in.clone(), true
}

// ResolveByHand resolves an incident as a person would do; by is the ID of a user.
func (s *Server) ResolveByHand(incident, by string) error {
	return s.withIncident(incident, func(in *Incident) { s.resolve(in, by) })
}

// AcknowledgeByHand acknowledges an incident as a person would do; by is the ID
// of a user.
func (s *Server) AcknowledgeByHand(incident, by string) error {
	return s.withIncident(incident, func(in *Incident) { s.acknowledge(in, by) })
}

// OpenByHand opens an incident on a service, named by its ID, that has nothing
// to do with access requests, and returns it.
func (s *Server) OpenByHand(service, title, by string) (Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.state.service(service)
	if !ok {
		return Incident{}, fmt.Errorf("opening an incident by hand: no service %q", service)
	}
	u, _ := s.state.user(by)
	return s.openIncident(&newIncident{Title: title}, v, u).clone(), nil
}

// AddAlertByHand makes an alert with the key part of an incident, as merging does;
// from then on the incident shows no key.
func (s *Server) AddAlertByHand(incident, key string) error {
	return s.withIncident(incident, func(in *Incident) { in.Alerts = append(in.Alerts, key) })
}

// RenameByHand gives an incident another title.
func (s *Server) RenameByHand(incident, title string) error {
	return s.withIncident(incident, func(in *Incident) { in.Title = title })
}

// OpenWithKey opens an incident on a service, named by its ID, as another program
// of ours would, or returns the open one that has the key.
func (s *Server) OpenWithKey(service, title, key string) (Incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.state.service(service)
	if !ok {
		return Incident{}, fmt.Errorf("opening an incident: no service %q", service)
	}
	if in := s.state.open[[2]string{service, key}]; in != nil {
		return in.clone(), nil
	}
	return s.openIncident(&newIncident{Title: title, IncidentKey: key}, v, s.state.users[0]).clone(), nil
}

// DeleteIncident makes an incident unknown, as if it had never been.
func (s *Server) DeleteIncident(incident string) error {
	return s.withIncident(incident, func(in *Incident) {
		s.resolve(in, "")
		delete(s.state.byID, in.ID)
		s.state.incidents = slices.DeleteFunc(s.state.incidents, func(i *Incident) bool { return i == in })
	})
}

func (s *Server) withIncident(id string, do func(*Incident)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.state.byID[id]
	if in == nil {
		return fmt.Errorf("changing an incident by hand: no incident %q", id)
	}
	do(in)
	s.changed()
	return nil
}

// PutOnCall puts somebody on call, or changes the shift of an entry that is
// there.
func (s *Server) PutOnCall(o OnCall) {
	s.change(func(a *account) {
		a.oncalls = slices.DeleteFunc(a.oncalls, o.same)
		a.oncalls = append(a.oncalls, o)
	})
}

// TakeOffCall takes a user, by ID, off call everywhere.
func (s *Server) TakeOffCall(user string) {
	s.change(func(a *account) {
		a.oncalls = slices.DeleteFunc(a.oncalls, func(o OnCall) bool { return o.User == user })
	})
}

// AddUser adds a user, or replaces the one with the same ID, and returns it with
// its ID filled in.
func (s *Server) AddUser(u User) User {
	s.change(func(a *account) {
		if u.ID == "" {
			u.ID = a.newID("PU")
		}
		a.users = append(slices.DeleteFunc(a.users, func(o User) bool { return o.ID == u.ID }), u)
	})
	return u
}

// AddService adds a service, or replaces the one with the same ID, and returns
// it with its ID filled in. Without a policy it gets one of the same name.
func (s *Server) AddService(v Service) Service {
	s.change(func(a *account) {
		if v.ID == "" {
			v.ID = a.newID("PS")
		}
		if v.Policy == "" {
			v.Policy = a.newID("PE")
			a.policies = append(a.policies, Policy{ID: v.Policy, Name: v.Name})
		}
		a.services = append(slices.DeleteFunc(a.services, func(o Service) bool { return o.ID == v.ID }), v)
	})
	return v
}

// RemoveService removes a service by its ID; its incidents stay.
func (s *Server) RemoveService(id string) {
	s.change(func(a *account) {
		a.services = slices.DeleteFunc(a.services, func(o Service) bool { return o.ID == id })
	})
}

// PutKey adds an API key or changes what it may do.
func (s *Server) PutKey(k Key) { s.change(func(a *account) { a.keys[k.Token] = k }) }

// RevokeKey makes an API key invalid.
func (s *Server) RevokeKey(token string) { s.change(func(a *account) { delete(a.keys, token) }) }

// change does something to the account and tells the subscribers.
func (s *Server) change(do func(*account)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(&s.state)
	s.changed()
}

// changed tells the subscribers; the lock is held.
func (s *Server) changed() {
	s.version++
	s.Wake()
}
