// Package farend provides the simulated PagerDuty to all that tries plugins.
package farend

import (
	"fmt"
	"slices"
	"strings"

	"teleport-plugins/access/pagerduty"
	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// annotation is that of a role which names the services to tell, and rota that
// which names those for whose people on call a request is approved.
const (
	annotation = "pagerduty_notify_service"
	rota       = "pagerduty_services"
)

// Service describes PagerDuty.
func Service() farend.Service {
	return farend.Service{
		Integration: pagerduty.Integration(),
		Simulate:    func(o farend.Options) farend.FarEnd { return New(o) },
		Methods:     farend.Methods{Post: "POST /incidents", Edit: "PUT /incidents", Find: "GET /incidents"},
		Refusals:    []string{"2010", "5001"},
		Annotation:  annotation,
		OneLimit:    true,
		Furnish:     furnish,
		SetUps:      setUps,
		Scenes:      scenes(),
		Accent:      "#06803a", Side: "#0e3d25",
	}
}

// furnish lets the plugin review, and the roles say whom to tell.
func furnish(c *cluster.Cluster) {
	c.AddUser(cluster.PluginUserOf("pagerduty"), []string{cluster.PluginRole, cluster.ReviewerRole}, nil)
	c.Annotate("demo-role", map[string][]string{rota: {"Payments"}, annotation: {"Payments"}})
	c.Annotate("prod-admin", map[string][]string{annotation: {"Access Approvals"}})
}

// Account is a simulated account.
type Account struct {
	*pagerdutyapi.Server
	farend.Tokens
	places []string
}

// New makes an account that does not serve yet.
func New(o farend.Options) *Account {
	api := pagerdutyapi.Options{Options: apiserver.Options{KeepRequests: o.KeepCalls}, Services: pagerdutyapi.DefaultServices()}
	a := &Account{places: []string{"Access Approvals", "Payments", "Databases"}}
	for i := range o.Places {
		name := fmt.Sprintf("team-%03d", i)
		api.Services = append(api.Services, pagerdutyapi.Service{ID: fmt.Sprintf("PTEAM%03d", i), Name: name, Policy: "PEAPPRV"})
		a.places = append(a.places, name)
	}
	if o.Demo {
		// Alice, who requests in most demonstrations, is off call: the first request
		// of hers is then decided by people.
		api.OnCalls = slices.DeleteFunc(pagerdutyapi.DefaultOnCalls(), func(o pagerdutyapi.OnCall) bool { return o.User == "PUALICE" })
	}
	a.Server = pagerdutyapi.New(api)
	a.Tokens = farend.Tokens{
		Valid: pagerdutyapi.DefaultKey, Next: "u+renewedPagerDutyKey",
		Allow: func(key string) { a.PutKey(pagerdutyapi.Key{Token: key}) },
		Deny:  a.RevokeKey,
	}
	return a
}

// user is in whose name the plugin writes.
const user = "teleport@example.com"

// Config is the section [pagerduty].
func (a *Account) Config() map[string]any {
	return map[string]any{"pagerduty": map[string]any{"api_key": a.Token(), "user_email": user, "api_endpoint": a.URL()}}
}

// Places are services.
func (a *Account) Places() []string { return a.places }

// Place is the ID of a service.
func (a *Account) Place(name string) string {
	for _, v := range a.Snapshot(1).Services {
		if strings.EqualFold(v.Name, name) {
			return v.ID
		}
	}
	return name
}

// Person is nobody: users are not told.
func (a *Account) Person(string) string { return "" }

// Threads holds everywhere: notes stand below incidents.
func (a *Account) Threads(string) bool { return true }

// Remove deletes an incident.
func (a *Account) Remove(_, id string) error { return a.DeleteIncident(id) }

// Adopt opens an incident as Teleport's own plugin would; all of a request are
// one.
func (a *Account) Adopt(place, request, text string, _ int) (map[string]string, error) {
	in, err := a.OpenWithKey(place, text, requestKey+request)
	return map[string]string{"incident_id": in.ID, "service_id": place}, err
}
