package pagerduty

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"teleport-plugins/lib/conformance"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/fault"
	"teleport-plugins/lib/sandbox/pagerdutyapi"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, Integration(), func(t *testing.T) conformance.FarEnd {
		s := pagerdutyapi.New(pagerdutyapi.Options{})
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return farEnd{s}
	})
}

// farEnd shows the simulated account to the suite.
type farEnd struct{ s *pagerdutyapi.Server }

func (f farEnd) Config() string {
	return fmt.Sprintf("[pagerduty]\napi_key = %q\nuser_email = \"teleport@example.com\"\napi_endpoint = %q\n", pagerdutyapi.DefaultKey, f.s.URL())
}

// Prepare lets the roles say which services are told.
func (f farEnd) Prepare(c *cluster.Cluster) {
	notify := func(services ...string) cluster.RoleSpec {
		return cluster.RoleSpec{Annotations: map[string][]string{"pagerduty_notify_service": services}}
	}
	c.AddRole(conformance.Role, notify("Payments", "Databases"))
	c.AddRole(conformance.BrokenRole, notify("Payments", "No such service"))
}

func (f farEnd) Recipients() [2]string { return [2]string{"PSPAYMT", "PSDATAB"} }

func (f farEnd) Posts(request string) (posts []conformance.Post) {
	for _, service := range f.Recipients() {
		for _, i := range f.s.Incidents(service) {
			if !strings.HasSuffix(i.Key, request) {
				continue
			}
			p := conformance.Post{Place: service, ID: i.ID, Text: i.Title + "\n" + i.Details + "\n" + i.Status}
			if !strings.Contains(p.Text, request) {
				p.Text += "\n" + i.Key
			}
			for _, n := range i.Notes {
				p.Replies = append(p.Replies, n.Content)
			}
			posts = append(posts, p)
		}
	}
	return posts
}

func (f farEnd) Remove(p conformance.Post) bool { return f.s.DeleteIncident(p.ID) == nil }

func (f farEnd) Methods() conformance.Methods {
	return conformance.Methods{Post: "POST /incidents", Edit: "PUT /incidents"}
}

func (f farEnd) Faults() *fault.Set { return f.s.Faults() }

func (f farEnd) RejectCredentials(on bool) {
	if on {
		f.s.RevokeKey(pagerdutyapi.DefaultKey)
		return
	}
	f.s.PutKey(pagerdutyapi.Key{Token: pagerdutyapi.DefaultKey})
}

func (f farEnd) Secret() string { return pagerdutyapi.DefaultKey }

func (f farEnd) Wait(ctx context.Context, done func() bool) error { return f.s.Wait(ctx, done) }
