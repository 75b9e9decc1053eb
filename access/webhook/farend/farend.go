package farend

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"teleport-plugins/access/webhook"
	"teleport-plugins/lib/document"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
	"teleport-plugins/lib/sandbox/schema"
)

// Service describes the endpoints.
func Service() farend.Service {
	return farend.Service{
		Integration: webhook.Integration(),
		Simulate:    func(o farend.Options) farend.FarEnd { return New(o) },
		Methods:     farend.Methods{Post: createdEvent, Edit: outcomeEvent},
		Refusals:    []string{"not understood"},
		Unproven:    true,
		Furnish: func(c *cluster.Cluster) { // lets the plugin review
			c.AddUser(cluster.PluginUserOf("webhook"), []string{cluster.PluginRole, cluster.ReviewerRole}, nil)
		},
		Accent: "#2f6f4f", Side: "#173a2a",
	}
}

// Receivers are simulated endpoints.
type Receivers struct {
	*apiserver.Server
	farend.Tokens
	places []string

	secret string // that is taken; the server's lock guards this and the hooks
	hooks  []*hook
	decide func(endpoint string, d document.Event) any
	policy *policy // in demonstrations
	guards *farend.Guards
	schema schema.Schema
}

// secretOf makes a secret of a text.
func secretOf(text string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(text))
}

// New makes endpoints that are not served yet.
func New(o farend.Options) *Receivers {
	r := &Receivers{schema: eventSchema(), secret: secretOf("simulated-endpoints-2718281828"), places: []string{"portal", "policy", "audit"}}
	if r.guards = o.Guards; r.guards == nil {
		r.guards = &farend.Guards{Roles: []string{"*"}}
	}
	if o.Demo {
		r.demonstrate()
	}
	for i := range o.Places {
		r.places = append(r.places, fmt.Sprintf("team-%03d", i))
	}
	for _, id := range r.places {
		r.hooks = append(r.hooks, &hook{id: id, seen: make(map[string]any)})
	}
	r.Server = apiserver.New("the simulated endpoints", "", apiserver.Options{KeepRequests: o.KeepCalls}, r)
	take := func(secret string) { r.Change(func() { r.secret = secret }) }
	r.Tokens = farend.Tokens{
		Valid: r.secret, Next: secretOf("renewed-endpoints-3141592653589"), Allow: take,
		Deny: func(string) { take(secretOf("another-secret-of-endpoints-0")) },
	}
	return r
}

// eventSchema is the schema to which every event is held.
func eventSchema() schema.Schema {
	s, err := schema.Compile(document.Schema)
	if err != nil {
		panic(err) // it is part of the program
	}
	return s
}

// demonstrate puts the endpoint that decides first, and has it run the program of the
// guide.
func (r *Receivers) demonstrate() {
	r.places = []string{"policy", "portal", "audit"}
	p, err := newPolicy()
	if err != nil {
		r.decide = func(endpoint string, _ document.Event) any { return note{text: err.Error()} }
		return
	}
	r.policy = p
	r.decide = func(endpoint string, d document.Event) any {
		if endpoint != r.places[0] {
			return nil
		}
		answer, err := p.decide(d)
		switch {
		case errors.Is(err, exec.ErrNotFound):
			return note{text: err.Error()}
		case err != nil:
			return err
		}
		return answer
	}
}

// Switch sets what the policy of the demonstration goes by.
func (r *Receivers) Switch(id string, on bool) (err error) {
	if r.policy == nil {
		return fmt.Errorf("there is no switch %q", id)
	}
	r.Change(func() { err = r.policy.set(id, on) })
	return err
}

// Close ends the endpoints, and removes the policy of the demonstration.
func (r *Receivers) Close() error {
	err := r.Server.Close()
	if r.policy != nil {
		err = errors.Join(err, r.policy.close())
	}
	return err
}

// Decide has the endpoints answer: what is returned is sent as JSON, and nothing if it
// is nil.
func (r *Receivers) Decide(by func(endpoint string, d document.Event) any) {
	r.Change(func() { r.decide = by })
}

// Repeats is how often an event came that an endpoint knew.
func (r *Receivers) Repeats() (n int) {
	r.Look(func() {
		for _, h := range r.hooks {
			n += h.repeats
		}
	})
	return n
}

// Config is the table of endpoints.
func (r *Receivers) Config() map[string]any {
	base := r.URL()
	if base == "" {
		base = "http://127.0.0.1:9"
	}
	endpoints := make(map[string]any)
	for i, name := range r.places {
		end := map[string]any{"url": strings.TrimSuffix(base, "/") + "/hooks/" + name, "secret": r.Token()}
		if r.policy != nil && i > 0 || name == r.guards.Spare { // in demonstrations only the policy answers
			end["required"] = false
		}
		endpoints[name] = end
	}
	return map[string]any{"endpoints": endpoints, "decide": map[string]any{"enabled": true, "roles": r.guards.Roles}}
}

// Places are the endpoints.
func (r *Receivers) Places() []string { return r.places }

// Place is the name itself.
func (r *Receivers) Place(name string) string { return name }

// Person is nobody: users are not told.
func (r *Receivers) Person(string) string { return "" }

// Threads holds everywhere.
func (r *Receivers) Threads(string) bool { return true }

func (r *Receivers) hook(id string) *hook {
	for _, h := range r.hooks {
		if h.id == id {
			return h
		}
	}
	return nil
}

// Panel is what the endpoints have made of the events.
func (r *Receivers) Panel(limit int) (out panel.Panel) {
	r.Look(func() {
		if r.policy != nil {
			out.Switches = slices.Clone(r.policy.switches)
		}
		for _, h := range r.hooks {
			ch := panel.Channel{ID: h.id, Name: h.id, Kind: panel.Place, Messages: []panel.Message{}}
			tickets := h.tickets
			if limit > 0 && len(tickets) > limit {
				tickets = tickets[len(tickets)-limit:]
			}
			for _, t := range tickets {
				ch.Messages = append(ch.Messages, t.message())
				for _, n := range t.below {
					ch.Messages = append(ch.Messages, panel.Message{
						ID: n.id, Thread: t.id, Author: h.id, Created: n.at, Text: n.text, Body: panel.Text(panel.Line, n.text), Review: n.review,
					})
				}
			}
			out.Channels = append(out.Channels, ch)
		}
	})
	return out
}

func (t *ticket) message() panel.Message {
	return panel.Message{
		ID: t.id, Author: "Teleport", Created: t.created, Text: t.text, Edited: t.changed, Deleted: t.removed, Status: t.state,
		Body: panel.Text(panel.Line, t.text), Request: t.request, State: t.state,
	}
}

// Remove removes a ticket.
func (r *Receivers) Remove(place, id string) (err error) {
	r.Change(func() {
		if h := r.hook(place); h != nil {
			for _, t := range h.tickets {
				if t.id == id {
					t.removed = true
					return
				}
			}
		}
		err = fmt.Errorf("there is no ticket %q at %q", id, place)
	})
	return err
}

// Adopt makes tickets as another program would.
func (r *Receivers) Adopt(place, request, _ string, n int) (map[string]string, error) {
	return farend.Adopt(place, n, func() (id string, err error) {
		r.Change(func() {
			h := r.hook(place)
			t := &ticket{id: fmt.Sprintf("other-%s-%d", request, len(h.tickets)), request: request, state: "PENDING", created: time.Now()}
			t.text = "ID: " + request + "\nState: PENDING"
			h.tickets = append(h.tickets, t)
			id = t.id
		})
		return id, nil
	})
}
