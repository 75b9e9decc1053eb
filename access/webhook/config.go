package webhook

import (
	"cmp"
	_ "embed" // for the example config
	"fmt"
	"maps"
	"regexp"
	"slices"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/document"
	"teleport-plugins/lib/endpoint"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/vote"
)

//go:embed example.toml
var example string

// Config is the config of teleport-webhook.
type Config struct {
	plugin.Base
	Endpoints        map[string]Endpoint `toml:"endpoints"`
	RoleToRecipients recipient.Table     `toml:"role_to_recipients" doc:"requested role, or a pattern of roles, to names of endpoints; \"*\" stands for every other role"`
	Decide           Policy              `toml:"decide"`
}

// Integration describes teleport-webhook to the program that runs it.
func Integration() plugin.Integration {
	return plugin.Integration{
		Name: "webhook", Title: "Webhook", Example: example,
		New: func() plugin.Settings {
			return &Config{Base: plugin.DefaultBase(), Decide: Policy{Allow: []string{vote.Approve, vote.Deny}}}
		},
		Commands: commands(),
	}
}

// nameOfEndpoint is what a name may be: records put them into lists.
var nameOfEndpoint = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Validate checks what concerns several sections.
func (c *Config) Validate(f *config.Faults) {
	table := f.In("role_to_recipients")
	c.RoleToRecipients.Require(table)
	if len(c.Endpoints) == 0 {
		f.Add("endpoints", "there are no endpoints", `add one, as in [endpoints.portal] with url = "https://portal.example.com/hook"`)
	}
	for role, names := range c.RoleToRecipients {
		for _, name := range names {
			if _, ok := c.Endpoints[name]; !ok {
				table.Warn(role, fmt.Sprintf("there is no endpoint %q, and nobody is told in its place", name), "name one of the tables [endpoints.NAME]")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Endpoints)) {
		e := c.Endpoints[name]
		if !nameOfEndpoint.MatchString(name) {
			f.In("endpoints").Add(name, "this is no name for an endpoint", "write letters, digits, . - and _")
		}
		if c.Decide.Enabled && e.Required && !e.takes(document.Created) && !e.takes(document.Reviewed) {
			f.In("endpoints").In(name).Warn("events", "the endpoint is never asked for a decision, and so no request that goes to it is approved", `add "created", or set required = false`)
		}
	}
	c.allowTime(f)
}

// allowTime gives calls as much time as the slowest endpoint may take.
func (c *Config) allowTime(f *config.Faults) {
	d, set := &c.Delivery, f.In("delivery")
	need := d.CallTimeout
	for _, name := range slices.Sorted(maps.Keys(c.Endpoints)) {
		e := c.Endpoints[name]
		e.Timeout = cmp.Or(e.Timeout, min(endpoint.DefaultTimeout, d.CallTimeout))
		c.Endpoints[name] = e
		switch {
		case e.Timeout <= d.CallTimeout:
		case set.Has("call_timeout"):
			f.In("endpoints").In(name).Add("timeout", fmt.Sprintf("%v is longer than delivery.call_timeout (%v)", e.Timeout, d.CallTimeout),
				"write a shorter time, or remove call_timeout, which then follows from the endpoints")
		default:
			need = max(need, e.Timeout+config.Duration(document.LookTime)) // what is looked up before
		}
	}
	d.Allow(set, need, "the longest timeout of an endpoint")
}

// Build makes the service.
func (c *Config) Build(d plugin.Deps) (plugin.Parts, error) {
	s := &service{
		endpoints: make(map[string]*receiver), decide: c.Decide, answers: newAnswers(),
		facts: document.NewLookup(document.Sources{Traits: d.Traits, Labels: d.Labels, Names: d.Names}),
	}
	for name, e := range c.Endpoints {
		r, err := newReceiver(name, e, d.Transport, d.Log)
		if err != nil {
			return plugin.Parts{}, err
		}
		s.endpoints[name] = r
	}
	parts := plugin.Parts{
		Service: s, Router: router{recipient.Static{Table: c.RoleToRecipients, Log: d.Log}}, Codec: plugindata.Messages{},
	}
	if c.Decide.Enabled {
		parts.Deciders = []integration.Decider{&decider{s}}
	}
	return parts, nil
}

// refusedEndpoint is the failure of a call to what the config does not have.
func refusedEndpoint(name string) error {
	return &outbound.Error{
		Kind: outbound.Refused, Scope: outbound.ThePlace, Op: "find endpoint", Err: fmt.Errorf("the config has no endpoint %q", name),
		Hint: "add a table [endpoints." + name + "], or correct the access monitoring rule that names it",
	}
}
