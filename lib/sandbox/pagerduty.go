package sandbox

import (
	"slices"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/pagerdutyapi"
)

// pagerdutyEmail is the user in whose name the plugin writes.
const pagerdutyEmail = "teleport@example.com"

// pagerdutyService presents the simulated PagerDuty.
func pagerdutyService(api *pagerdutyapi.Server) service {
	return service{
		vendor: api, name: "pagerduty",
		state: func(limit int) any { return pagerdutyState(api.Snapshot(limit), time.Now()) },
		config: func() any {
			type section struct {
				APIKey      string `toml:"api_key"`
				UserEmail   string `toml:"user_email"`
				APIEndpoint string `toml:"api_endpoint"`
			}
			return struct {
				PagerDuty section `toml:"pagerduty"`
			}{section{pagerdutyapi.DefaultKey, pagerdutyEmail, api.URL()}}
		},
	}
}

// PagerDuty is the account: its services as channels, the incidents in them as
// messages, and notes as replies.
type PagerDuty struct {
	Chat
	OnCall []OnCall `json:"oncall"`
}

// OnCall says whether a person is on call for a service now.
type OnCall struct {
	// User and Service are IDs, Name and ServiceName what people call them.
	User        string `json:"user"`
	Name        string `json:"name"`
	Service     string `json:"service"`
	ServiceName string `json:"service_name"`
	On          bool   `json:"on"`
}

// incidentRaw is what a reader needs to show an incident or a note.
type incidentRaw struct {
	Number  int    `json:"number,omitempty"`
	Title   string `json:"title,omitempty"`
	Details string `json:"details,omitempty"`
	Key     string `json:"incident_key,omitempty"`
	Urgency string `json:"urgency,omitempty"`
	Note    string `json:"note,omitempty"`
}

func pagerdutyState(st pagerdutyapi.State, now time.Time) PagerDuty {
	names := make(map[string]string, len(st.Users))
	for _, u := range st.Users {
		names[u.ID] = u.Name
	}
	out := PagerDuty{Chat: Chat{Users: names}, OnCall: onCall(st, now)}
	for _, v := range st.Services {
		ch := Channel{ID: v.ID, Name: v.Name, Kind: "service", Messages: []Message{}}
		for _, in := range st.Incidents {
			if in.Service == v.ID {
				ch.Messages = append(ch.Messages, incidentMessages(in, names)...)
			}
		}
		out.Channels = append(out.Channels, ch)
	}
	return out
}

// incidentMessages is an incident followed by its notes.
func incidentMessages(in pagerdutyapi.Incident, names map[string]string) []Message {
	out := []Message{{
		ID: in.ID, Author: names[in.Creator], Created: in.Created, Status: in.Status,
		Text: strings.TrimSpace(in.Title + "\n" + in.Details),
		Raw: raw(incidentRaw{
			Number: in.Number, Title: in.Title, Details: in.Details, Key: in.Key, Urgency: in.Urgency,
		}),
	}}
	for _, n := range in.Notes {
		out = append(out, Message{
			ID: n.ID, Thread: in.ID, Author: names[n.User], Created: n.Created, Text: n.Content,
			Raw: raw(incidentRaw{Note: n.Content}),
		})
	}
	return out
}

// onCall lists, for each service, everyone who could be on call for it.
func onCall(st pagerdutyapi.State, now time.Time) []OnCall {
	out := []OnCall{}
	for _, v := range st.Services {
		for _, u := range st.Users {
			if strings.EqualFold(u.Email, pagerdutyEmail) {
				continue
			}
			on := slices.ContainsFunc(st.OnCalls, func(o pagerdutyapi.OnCall) bool {
				return o.User == u.ID && o.Policy == v.Policy && covers(o, now)
			})
			out = append(out, OnCall{User: u.ID, Name: u.Name, Service: v.ID, ServiceName: v.Name, On: on})
		}
	}
	return out
}

// covers reports whether a shift is running.
func covers(o pagerdutyapi.OnCall, now time.Time) bool {
	return (o.Start.IsZero() || !o.Start.After(now)) && (o.End.IsZero() || o.End.After(now))
}

// OnCallChange is what POST /api/oncall takes.
type OnCallChange struct {
	// User is an ID or an e-mail address, Service an ID or a name.
	User    string `json:"user"`
	Service string `json:"service"`
	On      bool   `json:"on"`
}

// SetOnCall puts a person on call for a service, on the first level and without
// end, or takes the person off. The other services of the same escalation policy
// follow, since it is the policy that has the rota.
func (s *Sandbox) SetOnCall(c OnCallChange) error {
	st := s.pagerduty.Snapshot(1)
	u := slices.IndexFunc(st.Users, func(u pagerdutyapi.User) bool { return u.ID == c.User || strings.EqualFold(u.Email, c.User) })
	if u < 0 {
		return notFound("PagerDuty has no user %q", c.User)
	}
	v := slices.IndexFunc(st.Services, func(v pagerdutyapi.Service) bool { return v.ID == c.Service || strings.EqualFold(v.Name, c.Service) })
	if v < 0 {
		return notFound("PagerDuty has no service %q", c.Service)
	}
	user, policy := st.Users[u].ID, st.Services[v].Policy
	if c.On {
		s.pagerduty.PutOnCall(pagerdutyapi.OnCall{User: user, Policy: policy, Level: 1})
		return nil
	}
	// The account only takes people off as a whole; the rest is put back.
	s.pagerduty.TakeOffCall(user)
	for _, o := range st.OnCalls {
		if o.User == user && o.Policy != policy {
			s.pagerduty.PutOnCall(o)
		}
	}
	return nil
}
