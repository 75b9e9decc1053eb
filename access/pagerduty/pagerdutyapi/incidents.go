package pagerdutyapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of incidents. The number of notes and the size of a bulk update are
// documented; no limit on titles is, so that of PagerDuty's Events API stands in.
const (
	maxNotes = 2000
	maxBulk  = 250
	maxTitle = 1024
	maxKey   = 255
)

// reference is how a call names another object.
type reference struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// newIncident is the body of POST /incidents.
type newIncident struct {
	Type             string          `json:"type"`
	Title            string          `json:"title"`
	Service          *reference      `json:"service"`
	Priority         *reference      `json:"priority"`
	Urgency          string          `json:"urgency"`
	IncidentKey      string          `json:"incident_key"`
	EscalationPolicy json.RawMessage `json:"escalation_policy"`
	Assignments      json.RawMessage `json:"assignments"`
	Body             *struct {
		Type    string `json:"type"`
		Details any    `json:"details"`
	} `json:"body"`
}

func (s *Server) createIncident(c *call) (int, any, error) {
	var body struct {
		Incident *newIncident `json:"incident"`
	}
	if err := json.Unmarshal(c.Body, &body); err != nil || body.Incident == nil {
		return 0, nil, invalid("Incident can't be blank")
	}
	in := body.Incident
	if faults := s.check(in); len(faults) > 0 {
		return 0, nil, invalid(faults...)
	}
	service, ok := s.state.service(in.Service.ID)
	if !ok {
		return 0, nil, failure(2100, "Service not found")
	}
	if in.IncidentKey != "" && s.state.open[[2]string{service.ID, in.IncidentKey}] != nil {
		return 0, nil, failure(2002, dedupText)
	}
	made := s.openIncident(in, service, c.from)
	return http.StatusCreated, map[string]any{"incident": s.showIncident(made, url.Values{"include[]": {"body"}})}, nil
}

// check finds what is wrong with the fields of a new incident.
func (s *Server) check(in *newIncident) []string {
	var faults []string
	need := func(ok bool, text string) {
		if !ok {
			faults = append(faults, text)
		}
	}
	need(in.Type == "incident", "Type must be incident")
	need(strings.TrimSpace(in.Title) != "", "Title can't be blank")
	need(utf8.RuneCountInString(in.Title) <= maxTitle, "Title is too long")
	need(len(in.IncidentKey) <= maxKey, "Incident key is too long")
	need(in.Service != nil && in.Service.ID != "" && in.Service.Type == "service_reference", "Service must be a service reference")
	need(in.Urgency == "" || in.Urgency == "high" || in.Urgency == "low", "Urgency must be high or low")
	need(!given(in.EscalationPolicy) || !given(in.Assignments), "Assignments and escalation policy exclude each other")
	if in.Priority != nil {
		_, known := s.state.priority(in.Priority.ID)
		need(known && in.Priority.Type == "priority_reference", "Priority not found")
	}
	if in.Body != nil {
		_, text := in.Body.Details.(string)
		_, tree := in.Body.Details.(map[string]any)
		need(in.Body.Type == "incident_body", "Body type must be incident_body")
		need(text || tree || in.Body.Details == nil, "Body details must be a string")
	}
	return faults
}

func given(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

func (s *Server) openIncident(in *newIncident, service Service, creator User) *Incident {
	a, now := &s.state, s.Now()
	a.number++
	made := &Incident{
		ID: a.newID("Q"), Number: a.number, Title: in.Title, Key: in.IncidentKey, Status: Triggered,
		Urgency: "high", Service: service.ID, Creator: creator.ID, Created: now, Changed: now,
		Assigned: a.responders(service.Policy, now),
	}
	if in.Urgency != "" {
		made.Urgency = in.Urgency
	}
	if in.Priority != nil {
		made.Priority = in.Priority.ID
	}
	if in.Body != nil && in.Body.Details != nil {
		made.Details = fmt.Sprint(in.Body.Details)
	}
	if made.Key == "" {
		made.Key = strings.ToLower(a.newID("K")) // PagerDuty makes one up
	}
	a.incidents = append(a.incidents, made)
	a.byID[made.ID] = made
	a.open[[2]string{made.Service, made.Key}] = made
	s.Changed()
	return made
}

// update is one incident in the body of PUT /incidents and PUT /incidents/{id}.
type update struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	Status     string `json:"status"`
	Title      string `json:"title"`
	Urgency    string `json:"urgency"`
	Resolution string `json:"resolution"`
}

func (s *Server) updateIncident(c *call) (int, any, error) {
	var body struct {
		Incident *update `json:"incident"`
	}
	if err := json.Unmarshal(c.Body, &body); err != nil || body.Incident == nil {
		return 0, nil, invalid("Incident can't be blank")
	}
	body.Incident.ID = c.id
	if err := s.checkUpdate(*body.Incident); err != nil {
		return 0, nil, err
	}
	in := s.apply(*body.Incident, c.from)
	return http.StatusOK, map[string]any{"incident": s.showIncident(in, nil)}, nil
}

// updateIncidents changes several incidents, or none if one cannot be.
func (s *Server) updateIncidents(c *call) (int, any, error) {
	var body struct {
		Incidents []update `json:"incidents"`
	}
	if err := json.Unmarshal(c.Body, &body); err != nil || len(body.Incidents) == 0 {
		return 0, nil, invalid("Incidents can't be blank")
	}
	if len(body.Incidents) > maxBulk {
		return 0, nil, &apiError{http.StatusRequestEntityTooLarge, 2001, "Request Entity Too Large", nil}
	}
	for _, u := range body.Incidents {
		if err := s.checkUpdate(u); err != nil {
			return 0, nil, err
		}
	}
	shown := make([]any, 0, len(body.Incidents))
	for _, u := range body.Incidents {
		shown = append(shown, s.showIncident(s.apply(u, c.from), nil))
	}
	return http.StatusOK, map[string]any{"incidents": shown, "offset": 0, "limit": maxLimit, "more": false, "total": nil}, nil
}

func (s *Server) checkUpdate(u update) error {
	if u.ID == "" || u.Type != "incident" && u.Type != "incident_reference" {
		return invalid("Incidents need an id and a type")
	}
	in := s.state.byID[u.ID]
	switch {
	case in == nil:
		return failure(2100)
	case !slices.Contains([]string{"", Triggered, Acknowledged, Resolved}, u.Status):
		return invalid("Status is not included in the list")
	case u.Urgency != "" && u.Urgency != "high" && u.Urgency != "low":
		return invalid("Urgency must be high or low")
	case u.Status == Resolved && in.Status == Resolved:
		return failure(1001)
	}
	return nil
}

func (s *Server) apply(u update, by User) *Incident {
	in := s.state.byID[u.ID]
	if u.Title != "" {
		in.Title = u.Title
	}
	if u.Urgency != "" {
		in.Urgency = u.Urgency
	}
	switch u.Status {
	case Resolved:
		s.resolve(in, by.ID)
	case Acknowledged:
		s.acknowledge(in, by.ID)
	}
	in.Changed = s.Now()
	s.Changed()
	return in
}

func (s *Server) resolve(in *Incident, by string) {
	in.Status, in.Resolved, in.Changed, in.ResolvedBy = Resolved, s.Now(), s.Now(), by
	in.Assigned, in.Acknowledged = nil, nil
	delete(s.state.open, [2]string{in.Service, in.Key})
}

func (s *Server) acknowledge(in *Incident, by string) {
	in.Status = Acknowledged
	s.state.open[[2]string{in.Service, in.Key}] = in
	if !slices.Contains(in.Acknowledged, by) {
		in.Acknowledged = append(in.Acknowledged, by)
	}
}

func (s *Server) getIncident(c *call) (int, any, error) {
	in := s.state.byID[c.id]
	if in == nil {
		return 0, nil, failure(2100)
	}
	return http.StatusOK, map[string]any{"incident": s.showIncident(in, c.Form)}, nil
}

// listIncidents filters as the reference says: without a range of time only the
// last month is searched.
func (s *Server) listIncidents(c *call) (int, any, error) {
	q := c.Form
	since, until, err := span(q, s.Now())
	if err != nil {
		return 0, nil, err
	}
	all := q.Get("date_range") == "all"
	list := filter(s.state.incidents, func(in *Incident) bool {
		return (all || !in.Created.Before(since) && !in.Created.After(until)) &&
			anyOf(q["service_ids[]"], in.Service) && anyOf(q["statuses[]"], in.Status) &&
			(q.Get("incident_key") == "" || in.hasKey(q.Get("incident_key"))) &&
			(len(q["user_ids[]"]) == 0 || slices.ContainsFunc(in.Assigned, func(u string) bool { return anyOf(q["user_ids[]"], u) }))
	})
	if err := sortIncidents(list, q.Get("sort_by")); err != nil {
		return 0, nil, err
	}
	return paged(q, "incidents", list, func(in *Incident) any { return s.showIncident(in, q) })
}

// span reads the range of time that is asked for.
func span(q url.Values, now time.Time) (since, until time.Time, err error) {
	if since, err = moment(q, "since", now.AddDate(0, -1, 0)); err != nil {
		return since, until, err
	}
	if until, err = moment(q, "until", now); err != nil {
		return since, until, err
	}
	if until.Sub(since) > 6*31*24*time.Hour {
		return since, until, invalid("The range may not exceed 6 months")
	}
	return since, until, nil
}

// sortIncidents brings incidents, which are in the order in which they were made,
// into the order that is asked for. Only that by time is known here.
func sortIncidents(list []*Incident, by string) error {
	switch by {
	case "", "created_at", "created_at:asc":
	case "created_at:desc":
		slices.Reverse(list)
	default:
		return invalid("sort_by is not known")
	}
	return nil
}

func (s *Server) listNotes(c *call) (int, any, error) {
	in := s.state.byID[c.id]
	if in == nil {
		return 0, nil, failure(2100)
	}
	notes := make([]any, 0, len(in.Notes))
	for _, n := range slices.Backward(in.Notes) {
		notes = append(notes, s.showNote(n))
	}
	return http.StatusOK, map[string]any{"notes": notes}, nil
}

func (s *Server) createNote(c *call) (int, any, error) {
	var body struct {
		Note struct {
			Content string `json:"content"`
		} `json:"note"`
	}
	in := s.state.byID[c.id]
	switch err := json.Unmarshal(c.Body, &body); {
	case in == nil:
		return 0, nil, failure(2100)
	case err != nil || strings.TrimSpace(body.Note.Content) == "":
		return 0, nil, invalid("Content can't be blank")
	case len(in.Notes) >= maxNotes:
		return 0, nil, invalid("The incident has too many notes")
	}
	n := Note{ID: s.state.newID("N"), User: c.from.ID, Content: body.Note.Content, Created: s.Now()}
	in.Notes = append(in.Notes, n)
	s.Changed()
	return http.StatusOK, map[string]any{"note": s.showNote(n)}, nil
}
