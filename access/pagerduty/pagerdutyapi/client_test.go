package pagerdutyapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/sandbox/apiserver"
)

const bot = "teleport@example.com"

// started is a running account and the vendor's client for it.
func started(t *testing.T, opts pagerdutyapi.Options, transport http.RoundTripper) (*pagerdutyapi.Server, *pagerduty.Client) {
	t.Helper()
	s := pagerdutyapi.New(opts)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c := pagerduty.NewClient(pagerdutyapi.DefaultKey, pagerduty.WithAPIEndpoint(s.URL()))
	c.HTTPClient = &http.Client{Transport: transport}
	return s, c
}

func incidentFor(service, key string) *pagerduty.CreateIncidentOptions {
	return &pagerduty.CreateIncidentOptions{
		Title: "Access request from dana", IncidentKey: key, Urgency: "high",
		Service: &pagerduty.APIReference{ID: service, Type: "service_reference"},
		Body:    &pagerduty.APIDetails{Type: "incident_body", Details: "Please decide."},
	}
}

func codeOf(err error) int {
	var e pagerduty.APIError
	if errors.As(err, &e) {
		return e.APIError.ErrorObject.Code
	}
	return 0
}

func TestLifeOfAnIncident(t *testing.T) {
	s, c := started(t, pagerdutyapi.Options{}, nil)
	lifeOfAnIncident(t, s, c)
}

// lifeOfAnIncident opens, looks up, annotates and resolves, and makes each other
// call that the plugin makes.
func lifeOfAnIncident(t *testing.T, s *pagerdutyapi.Server, c *pagerduty.Client) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	services, err := c.ListServicesWithContext(ctx, pagerduty.ListServiceOptions{Query: "access approvals", Limit: 100})
	must(err)
	if len(services.Services) != 1 || services.Services[0].ID != "PSAPPRV" || services.Services[0].EscalationPolicy.ID != "PEAPPRV" {
		t.Fatalf("services: %+v", services.Services)
	}
	in, err := c.CreateIncidentWithContext(ctx, bot, incidentFor("PSAPPRV", "key"))
	must(err)
	if in.ID == "" || in.Status != "triggered" || in.IncidentKey != "key" || in.Body.Details != "Please decide." {
		t.Errorf("created %+v", in)
	}
	if len(in.Assignments) != 1 || in.Assignments[0].Assignee.ID != "PUCAROL" {
		t.Errorf("assigned to %+v, want who is on call", in.Assignments)
	}
	_, err = c.CreateIncidentWithContext(ctx, bot, incidentFor("PSAPPRV", "key"))
	var e pagerduty.APIError
	if !errors.As(err, &e) || e.StatusCode != 400 || !strings.Contains(strings.Join(e.APIError.ErrorObject.Errors, ""), "matching dedup key") {
		t.Errorf("a second incident with the key: %v", err)
	}
	if _, err = c.CreateIncidentWithContext(ctx, bot, incidentFor("PSPAYMT", "key")); err != nil {
		t.Errorf("the same key on another service: %v", err)
	}
	found, err := c.ListIncidentsWithContext(ctx, pagerduty.ListIncidentsOptions{IncidentKey: "key", ServiceIDs: []string{"PSAPPRV"}, DateRange: "all"})
	must(err)
	if len(found.Incidents) != 1 || found.Incidents[0].ID != in.ID {
		t.Errorf("found %+v", found.Incidents)
	}
	note := pagerduty.IncidentNote{Content: "hello", User: pagerduty.APIObject{Summary: bot}}
	_, err = c.CreateIncidentNoteWithContext(ctx, in.ID, note)
	must(err)
	notes, err := c.ListIncidentNotesWithContext(ctx, in.ID)
	must(err)
	if len(notes) != 1 || notes[0].Content != "hello" || notes[0].User.ID != "PUBOT01" {
		t.Errorf("notes: %+v", notes)
	}
	resolve := []pagerduty.ManageIncidentsOptions{{ID: in.ID, Status: "resolved"}}
	_, err = c.ManageIncidentsWithContext(ctx, bot, resolve)
	must(err)
	if _, err = c.ManageIncidentsWithContext(ctx, bot, resolve); codeOf(err) != 1001 {
		t.Errorf("resolved twice: %v", err)
	}
	if got, _ := s.Incident(in.ID); got.Open() || got.ResolvedBy != "PUBOT01" {
		t.Errorf("resolved: %+v", got)
	}
	again, err := c.CreateIncidentWithContext(ctx, bot, incidentFor("PSAPPRV", "key"))
	must(err)
	if again.ID == in.ID {
		t.Error("the key of a resolved incident gave that incident again")
	}
	users, err := c.ListUsersWithContext(ctx, pagerduty.ListUsersOptions{Query: "alice@example.com", Limit: 100})
	must(err)
	if len(users.Users) != 1 || users.Users[0].ID != "PUALICE" {
		t.Errorf("users: %+v", users.Users)
	}
	oncalls, err := c.ListOnCallsWithContext(ctx, pagerduty.ListOnCallOptions{UserIDs: []string{"PUALICE"}, EscalationPolicyIDs: []string{"PEPAYMT"}})
	must(err)
	if len(oncalls.OnCalls) != 1 || oncalls.OnCalls[0].EscalationLevel != 1 || oncalls.OnCalls[0].Schedule.Summary != "Primary" {
		t.Errorf("on call: %+v", oncalls.OnCalls)
	}
	_, err = c.ListAbilitiesWithContext(ctx)
	must(err)
	priorities, err := c.ListPrioritiesWithContext(ctx, pagerduty.ListPrioritiesOptions{})
	must(err)
	if len(priorities.Priorities) != 3 {
		t.Errorf("priorities: %+v", priorities)
	}
	schedules, err := c.ListSchedulesWithContext(ctx, pagerduty.ListSchedulesOptions{Query: "primary"})
	must(err)
	if len(schedules.Schedules) != 1 {
		t.Errorf("schedules: %+v", schedules)
	}
}

func TestOnlyWhoIsOnCallInTheWindowIsListed(t *testing.T) {
	now := time.Now()
	s, c := started(t, pagerdutyapi.Options{OnCalls: []pagerdutyapi.OnCall{}}, nil)
	s.PutOnCall(pagerdutyapi.OnCall{User: "PUALICE", Policy: "PEPAYMT", Level: 1, End: now.Add(-time.Minute)})
	s.PutOnCall(pagerdutyapi.OnCall{User: "PUBOB01", Policy: "PEPAYMT", Level: 1, Start: now.Add(time.Hour)})
	s.PutOnCall(pagerdutyapi.OnCall{User: "PUCAROL", Policy: "PEPAYMT", Level: 2, Start: now.Add(-time.Hour), End: now.Add(time.Hour)})
	list, err := c.ListOnCallsWithContext(t.Context(), pagerduty.ListOnCallOptions{})
	if err != nil || len(list.OnCalls) != 1 || list.OnCalls[0].User.ID != "PUCAROL" {
		t.Errorf("now: %+v, %v", list, err)
	}
	later := now.Add(2 * time.Hour).UTC().Format(time.RFC3339)
	list, err = c.ListOnCallsWithContext(t.Context(), pagerduty.ListOnCallOptions{Since: later, Until: later})
	if err != nil || len(list.OnCalls) != 1 || list.OnCalls[0].User.ID != "PUBOB01" {
		t.Errorf("in two hours: %+v, %v", list, err)
	}
	s.TakeOffCall("PUCAROL")
	list, err = c.ListOnCallsWithContext(t.Context(), pagerduty.ListOnCallOptions{})
	if err != nil || len(list.OnCalls) != 0 {
		t.Errorf("after Carol went off call: %+v, %v", list, err)
	}
}

func TestOldIncidentsNeedTheDateRange(t *testing.T) {
	now := time.Now()
	s, c := started(t, pagerdutyapi.Options{Options: apiserver.Options{Now: func() time.Time { return now }}}, nil)
	if _, err := s.OpenByHand("PSPAYMT", "old", "PUALICE"); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(0, 2, 0)
	list, err := c.ListIncidentsWithContext(t.Context(), pagerduty.ListIncidentsOptions{})
	if err != nil || len(list.Incidents) != 0 {
		t.Errorf("within the last month: %+v, %v", list, err)
	}
	list, err = c.ListIncidentsWithContext(t.Context(), pagerduty.ListIncidentsOptions{DateRange: "all"})
	if err != nil || len(list.Incidents) != 1 {
		t.Errorf("of all time: %+v, %v", list, err)
	}
}
