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
func (s *Server) Snapshot(limit int) (st State) {
	s.Look(func() { st = s.snapshot(limit) })
	return st
}

func (s *Server) snapshot(limit int) State {
	a := &s.state
	list := a.incidents
	if limit > 0 && len(list) > limit {
		list = list[len(list)-limit:]
	}
	return State{
		Version: s.Version(), Users: slices.Clone(a.users), Policies: slices.Clone(a.policies),
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
func (s *Server) Incidents(service string) (list []Incident) {
	s.Look(func() {
		list = copies(filter(s.state.incidents, func(in *Incident) bool {
			v, _ := s.state.service(in.Service)
			return service == "" || service == in.Service || strings.EqualFold(service, v.Name)
		}))
	})
	return list
}

// Incident returns one incident by its ID.
func (s *Server) Incident(id string) (in Incident, ok bool) {
	s.Look(func() {
		if found := s.state.byID[id]; found != nil {
			in, ok = found.clone(), true
		}
	})
	return in, ok
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
	return s.open(service, newIncident{Title: title}, by)
}

// OpenWithKey opens an incident on a service, named by its ID, as another program
// of ours would, or returns the open one that has the key.
func (s *Server) OpenWithKey(service, title, key string) (Incident, error) {
	return s.open(service, newIncident{Title: title, IncidentKey: key}, "")
}

// open opens an incident, in the name of the first user unless by is the ID of
// another.
func (s *Server) open(service string, in newIncident, by string) (made Incident, err error) {
	s.Change(func() {
		v, ok := s.state.service(service)
		if !ok {
			err = fmt.Errorf("opening an incident by hand: no service %q", service)
			return
		}
		u, ok := s.state.user(by)
		if !ok {
			u = s.state.users[0]
		}
		if old := s.state.open[[2]string{service, in.IncidentKey}]; old != nil {
			made = old.clone()
			return
		}
		made = s.openIncident(&in, v, u).clone()
	})
	return made, err
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

// DeleteIncident makes an incident unknown, as if it had never been.
func (s *Server) DeleteIncident(incident string) error {
	return s.withIncident(incident, func(in *Incident) {
		s.resolve(in, "")
		delete(s.state.byID, in.ID)
		s.state.incidents = slices.DeleteFunc(s.state.incidents, func(i *Incident) bool { return i == in })
	})
}

func (s *Server) withIncident(id string, do func(*Incident)) (err error) {
	s.Change(func() {
		in := s.state.byID[id]
		if in == nil {
			err = fmt.Errorf("changing an incident by hand: no incident %q", id)
			return
		}
		do(in)
	})
	return err
}

// PutOnCall puts somebody on call, or changes the shift of an entry that is
// there.
func (s *Server) PutOnCall(o OnCall) {
	s.Change(func() {
		s.state.oncalls = slices.DeleteFunc(s.state.oncalls, o.same)
		s.state.oncalls = append(s.state.oncalls, o)
	})
}

// TakeOffCall takes a user, by ID, off call everywhere.
func (s *Server) TakeOffCall(user string) {
	s.Change(func() {
		s.state.oncalls = slices.DeleteFunc(s.state.oncalls, func(o OnCall) bool { return o.User == user })
	})
}

// AddUser adds a user, or replaces the one with the same ID, and returns it with
// its ID filled in.
func (s *Server) AddUser(u User) User {
	s.Change(func() {
		if u.ID == "" {
			u.ID = s.state.newID("PU")
		}
		s.state.users = append(slices.DeleteFunc(s.state.users, func(o User) bool { return o.ID == u.ID }), u)
	})
	return u
}

// AddService adds a service, or replaces the one with the same ID, and returns
// it with its ID filled in. Without a policy it gets one of the same name.
func (s *Server) AddService(v Service) Service {
	s.Change(func() {
		if v.ID == "" {
			v.ID = s.state.newID("PS")
		}
		if v.Policy == "" {
			v.Policy = s.state.newID("PE")
			s.state.policies = append(s.state.policies, Policy{ID: v.Policy, Name: v.Name})
		}
		s.state.services = append(slices.DeleteFunc(s.state.services, func(o Service) bool { return o.ID == v.ID }), v)
	})
	return v
}

// RemoveService removes a service by its ID; its incidents stay.
func (s *Server) RemoveService(id string) {
	s.Change(func() {
		s.state.services = slices.DeleteFunc(s.state.services, func(o Service) bool { return o.ID == id })
	})
}

// PutKey adds an API key or changes what it may do.
func (s *Server) PutKey(k Key) { s.Change(func() { s.state.keys[k.Token] = k }) }

// RevokeKey makes an API key invalid.
func (s *Server) RevokeKey(token string) { s.Change(func() { delete(s.state.keys, token) }) }
