package sandbox

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/fault"
)

// Denial is a right that was taken from the plugins.
type Denial struct {
	// Kind is a kind of resource, for example role, or review_requests.
	Kind string `json:"kind"`
	// Verbs are taken away; all when empty.
	Verbs []string `json:"verbs,omitempty"`
}

// Faults are all misbehaviours that are set.
type Faults struct {
	// Services holds the faults of each service.
	Services map[string][]fault.Fault `json:"services"`
	Cluster  cluster.Faults           `json:"cluster"`
	// Denied are rights that the plugins do not have.
	Denied []Denial `json:"denied"`
	// Actions are the names that FaultChange takes.
	Actions []string `json:"actions"`
}

// FaultChange asks for one change; one of its fields is set.
type FaultChange struct {
	// Service and Fault add a fault to a service.
	Service string       `json:"service,omitempty"`
	Fault   *fault.Fault `json:"fault,omitempty"`
	// Cluster replaces the cluster's faults.
	Cluster *cluster.Faults `json:"cluster,omitempty"`
	// Deny takes a right from the plugins, Allow gives it back.
	Deny  *Denial `json:"deny,omitempty"`
	Allow *Denial `json:"allow,omitempty"`
	// Action does something once, see Faults.Actions.
	Action string `json:"action,omitempty"`
	// Plugin is whom the action kill_plugin, lock or unlock is about.
	Plugin string `json:"plugin,omitempty"`
}

// Faults returns what is set.
func (s *Sandbox) Faults() Faults {
	f := Faults{
		Services: make(map[string][]fault.Fault, len(s.services)), Cluster: s.cluster.Faults(),
		Actions: slices.Sorted(maps.Keys(s.actions())),
	}
	for _, v := range s.services {
		f.Services[v.Name] = v.Faults().List()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Denied = append([]Denial{}, s.denied...)
	return f
}

// ChangeFaults makes one change.
func (s *Sandbox) ChangeFaults(c FaultChange) error {
	defer s.changes.tell()
	switch {
	case c.Fault != nil:
		return s.addFault(c.Service, *c.Fault)
	case c.Cluster != nil:
		s.cluster.SetFaults(*c.Cluster)
	case c.Deny != nil:
		return s.deny(*c.Deny)
	case c.Allow != nil:
		return s.allow(*c.Allow)
	case c.Action != "":
		do, ok := s.actions()[c.Action]
		if !ok {
			return badRequest("there is no action %q; there are %s", c.Action, strings.Join(slices.Sorted(maps.Keys(s.actions())), ", "))
		}
		return do(c.Plugin)
	default:
		return badRequest("set one of fault (with service), cluster, deny, allow and action")
	}
	return nil
}

// ClearFaults ends the faults of a service, of the "cluster", or all of them
// when from is empty. Rights that were denied are the cluster's.
func (s *Sandbox) ClearFaults(from string) error {
	defer s.changes.tell()
	if from != "" && from != "cluster" {
		v, err := s.service(from)
		if err == nil {
			v.Faults().Clear()
		}
		return err
	}
	s.clearCluster()
	if from == "" {
		for _, v := range s.services {
			v.Faults().Clear()
		}
	}
	return s.cluster.Resume()
}

func (s *Sandbox) clearCluster() {
	s.cluster.SetFaults(cluster.Faults{})
	for _, v := range s.services {
		s.cluster.Unlock(cluster.PluginUserOf(v.Name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.denied {
		s.cluster.Allow(d.role(), d.Kind, d.Verbs...)
	}
	s.denied = nil
}

func effects() []fault.Effect {
	return []fault.Effect{
		fault.RateLimit, fault.Status, fault.Hang, fault.Cut, fault.DoneNotAnswered, fault.Garbage, fault.Slow, fault.Refuse,
	}
}

func (s *Sandbox) addFault(name string, f fault.Fault) error {
	if !slices.Contains(effects(), f.Effect) {
		return badRequest("there is no effect %q; there are %q", f.Effect, effects())
	}
	if f.Effect == fault.Status && f.HTTPStatus != 0 && (f.HTTPStatus < 400 || f.HTTPStatus > 599) {
		return badRequest("the status %d is not one of a failure, which are 400 to 599", f.HTTPStatus)
	}
	if f.RetryAfterMS < 0 || f.DelayMS < 0 || f.Times < 0 {
		return badRequest("retry_after_ms, delay_ms and times cannot be negative")
	}
	v, err := s.service(name)
	if err == nil {
		v.Faults().Add(f)
	}
	return err
}

// role is the role of the plugins that the right comes from.
func (d Denial) role() string {
	if d.Kind == cluster.KindReviewRequests {
		return cluster.ReviewerRole
	}
	return cluster.PluginRole
}

// key tells denials apart.
func (d Denial) key() string { return d.Kind + " " + strings.Join(d.Verbs, ",") }

func (s *Sandbox) deny(d Denial) error {
	if d.Kind == "" {
		return badRequest("say which kind is denied")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cluster.Deny(d.role(), d.Kind, d.Verbs...)
	if !slices.ContainsFunc(s.denied, func(o Denial) bool { return o.key() == d.key() }) {
		s.denied = append(s.denied, d)
	}
	return nil
}

// allow takes a denial back. Rights that were not denied are not given.
func (s *Sandbox) allow(d Denial) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.denied, func(o Denial) bool { return o.key() == d.key() })
	if i < 0 {
		return badRequest("%s is not denied", cmp.Or(strings.TrimSpace(d.key()), "this"))
	}
	s.denied = slices.Delete(s.denied, i, i+1)
	s.cluster.Allow(d.role(), d.Kind, d.Verbs...)
	return nil
}

// actions are things that happen once. What is given is the plugin's name.
func (s *Sandbox) actions() map[string]func(plugin string) error {
	simply := func(do func()) func(string) error {
		return func(string) error { do(); return nil }
	}
	return map[string]func(string) error{
		"cut_streams":            simply(func() { s.cluster.CutStreams(false) }),
		"cut_streams_with_error": simply(func() { s.cluster.CutStreams(true) }),
		"cut_connections":        simply(s.cluster.CutConnections),
		"stop_cluster":           simply(s.cluster.Stop),
		"resume_cluster":         func(string) error { return s.cluster.Resume() },
		"restart_cluster":        func(string) error { return s.cluster.Restart() },
		"rotate_ca":              func(string) error { return s.cluster.RotateCA() },
		"renew_identities":       func(string) error { return s.RenewIdentities() },
		"kill_plugin":            s.plugins.kill,
		"lock":                   s.onUser(s.cluster.Revoke),
		"unlock":                 s.onUser(s.cluster.Unlock),
	}
}

// onUser does something to the Teleport user of a plugin.
func (s *Sandbox) onUser(do func(user string)) func(string) error {
	return func(plugin string) error {
		if _, err := s.service(plugin); err != nil {
			return err
		}
		do(cluster.PluginUserOf(plugin))
		return nil
	}
}
