package pagerdutyapi

import (
	"maps"
	"net/url"
	"slices"
	"time"
)

// web is where the pages of the simulated account would be.
const web = "https://sandbox.pagerduty.com/"

// object writes the fields that every object of the API has, and its own.
func object(id, kind, summary string, more map[string]any) map[string]any {
	out := map[string]any{
		"id": id, "type": kind, "summary": summary,
		"self": "https://api.pagerduty.com/" + kind + "s/" + id, "html_url": web + kind + "s/" + id,
	}
	maps.Copy(out, more)
	return out
}

func when(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.UTC().Format(time.RFC3339)
}

func showPriority(p Priority) map[string]any {
	return object(p.ID, "priority", p.Name, map[string]any{"name": p.Name, "description": ""})
}

func showUser(u User) map[string]any {
	role := u.Role
	if role == "" {
		role = "user"
	}
	return object(u.ID, "user", u.Name, map[string]any{
		"name": u.Name, "email": u.Email, "role": role, "time_zone": "Etc/UTC", "description": "",
	})
}

func (s *Server) userReference(id string) map[string]any {
	u, _ := s.state.user(id)
	return object(id, "user_reference", u.Name, nil)
}

func (s *Server) policyReference(id string) map[string]any {
	p, _ := s.state.policy(id)
	return object(id, "escalation_policy_reference", p.Name, nil)
}

func (s *Server) showService(v Service) any {
	return object(v.ID, "service", v.Name, map[string]any{
		"name": v.Name, "status": "active", "escalation_policy": s.policyReference(v.Policy),
	})
}

func (s *Server) showOnCall(o OnCall) any {
	out := map[string]any{
		"user": s.userReference(o.User), "escalation_policy": s.policyReference(o.Policy),
		"escalation_level": o.Level, "start": when(o.Start), "end": when(o.End), "schedule": nil,
	}
	if o.Schedule != "" {
		v, _ := s.state.schedule(o.Schedule)
		out["schedule"] = object(o.Schedule, "schedule_reference", v.Name, nil)
	}
	return out
}

func (s *Server) showNote(n Note) any {
	return map[string]any{
		"id": n.ID, "user": s.userReference(n.User), "content": n.Content, "created_at": when(n.Created),
	}
}

// showIncident writes an incident; the body is there only if it was asked for.
func (s *Server) showIncident(in *Incident, q url.Values) any {
	v, _ := s.state.service(in.Service)
	assigned, acknowledged := []any{}, []any{}
	for _, u := range in.Assigned {
		assigned = append(assigned, map[string]any{"at": when(in.Created), "assignee": s.userReference(u)})
	}
	for _, u := range in.Acknowledged {
		acknowledged = append(acknowledged, map[string]any{"at": when(in.Changed), "acknowledger": s.userReference(u)})
	}
	out := object(in.ID, "incident", in.Title, map[string]any{
		"incident_number": in.Number, "title": in.Title, "incident_key": in.Key, "status": in.Status,
		"urgency": in.Urgency, "created_at": when(in.Created), "updated_at": when(in.Changed),
		"resolved_at": when(in.Resolved), "last_status_change_at": when(in.Changed),
		"service":           object(v.ID, "service_reference", v.Name, nil),
		"escalation_policy": s.policyReference(v.Policy),
		"assignments":       assigned, "acknowledgements": acknowledged, "priority": nil,
	})
	if p, ok := s.state.priority(in.Priority); ok {
		out["priority"] = showPriority(p)
	}
	if len(in.Alerts) > 0 {
		out["incident_key"] = nil
	}
	if slices.Contains(q["include[]"], "body") {
		out["body"] = map[string]any{"type": "incident_body", "details": in.Details}
	}
	return out
}
