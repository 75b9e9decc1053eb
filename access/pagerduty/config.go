package pagerduty

import (
	_ "embed" // for the example config
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"teleport-plugins/access/pagerduty/approval"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugin"
)

// The annotations that are read where the config names no others.
const (
	defaultNotifyService = "pagerduty_notify_service"
	defaultServices      = "pagerduty_services"
)

//go:embed example.toml
var example string

// Config is the config of teleport-pagerduty.
type Config struct {
	plugin.Base
	PagerDuty        Section        `toml:"pagerduty"`
	HTTP             config.Ignored `toml:"http" deprecated:"remove the table; PagerDuty calls nothing back any more"`
	RoleToRecipients config.Ignored `toml:"role_to_recipients" deprecated:"remove the table; annotations of roles and access monitoring rules name the services"`
}

// Section is the section [pagerduty].
type Section struct {
	APIKey    config.Secret `toml:"api_key" doc:"REST API key that may write: the key itself, the path of a file that holds it, or env:NAME"`
	UserEmail string        `toml:"user_email" doc:"e-mail address of the PagerDuty user in whose name incidents and notes are written"`
	// NotifyService and Services are never empty after Load.
	NotifyService      string             `toml:"notify_service" default:"\"pagerduty_notify_service\"" doc:"annotation that names the services to notify"`
	Services           string             `toml:"services" default:"\"pagerduty_services\"" doc:"annotation that names the services whose people on call are approved"`
	RequestAnnotations Annotations        `toml:"RequestAnnotations"`
	Region             string             `toml:"region" default:"\"us\"" doc:"service region of the account: us or eu"`
	APIEndpoint        string             `toml:"api_endpoint" doc:"base address of the REST API, in place of the region's"`
	CAFile             config.Authorities `toml:"ca_file" doc:"path of a file with certificate authorities to trust beside the system's, in PEM form"`
	Urgency            string             `toml:"urgency" doc:"urgency of incidents: high or low; by default the service decides"`
	Priority           string             `toml:"priority" doc:"name of the priority of incidents; by default none"`
	Users              map[string]string  `toml:"users" deprecated:"write it as [identity.users]" doc:"the same as [identity.users]"`
	UserEmailTrait     string             `toml:"user_email_trait" deprecated:"write it as identity.trait" doc:"the same as identity.trait"`
	UserEmailSuffix    string             `toml:"user_email_suffix" deprecated:"write it as identity.suffix" doc:"the same as identity.suffix"`
	AutoApprove        approval.Rules     `toml:"auto_approve"`
	ServiceID          config.Ignored     `toml:"service_id" deprecated:"name the service in the annotation pagerduty_notify_service of a role"`
}

// Annotations is the table [pagerduty.RequestAnnotations], the other place for
// the names of the annotations.
type Annotations struct {
	NotifyService string `toml:"notify_service" doc:"the same as pagerduty.notify_service"`
	Services      string `toml:"services" doc:"the same as pagerduty.services"`
}

// Integration describes teleport-pagerduty to the program that runs it.
func Integration() plugin.Integration {
	return plugin.Integration{
		Name: "pagerduty", Title: "PagerDuty", Example: example,
		New: func() plugin.Settings {
			return &Config{Base: plugin.DefaultBase(), PagerDuty: Section{AutoApprove: approval.Default()}}
		},
	}
}

// Validate takes over what the section says of people.
func (c *Config) Validate(f *config.Faults) {
	s := f.In("pagerduty")
	identity.Alias(s, "user_email_trait", c.PagerDuty.UserEmailTrait, &c.Identity.Trait)
	identity.Alias(s, "user_email_suffix", c.PagerDuty.UserEmailSuffix, &c.Identity.Suffix)
	c.Identity.AliasUsers(f, "pagerduty", c.PagerDuty.Users, identity.ByEmail, func(at *config.Faults, user string) {
		at.Add(user, "this is not an e-mail address", "write the address that the user has at PagerDuty")
	})
}

// Validate checks the section, and settles what can be said in two places.
func (s *Section) Validate(f *config.Faults) {
	if !s.APIKey.IsSet() {
		f.Add("api_key", "there is no API key", "create a REST API key in PagerDuty (Integrations, API Access Keys) and set it")
	}
	if !identity.IsEmail(s.UserEmail) {
		f.Add("user_email", "this is not an e-mail address", "set the address of the PagerDuty user in whose name the plugin works")
	}
	s.NotifyService = either(f, "notify_service", s.NotifyService, s.RequestAnnotations.NotifyService, defaultNotifyService)
	s.Services = either(f, "services", s.Services, s.RequestAnnotations.Services, defaultServices)
	if !slices.Contains([]string{"", "high", "low"}, s.Urgency) {
		f.Add("urgency", "there is no such urgency", "write high or low, or remove the key")
	}
	s.validateEndpoint(f)
	s.validateIdentity(f)
}

func either(f *config.Faults, key, flat, nested, otherwise string) string {
	switch {
	case flat != "" && nested != "" && flat != nested:
		f.Add(key, "pagerduty.RequestAnnotations."+key+" says something else", "keep one of the two")
		return flat
	case flat != "":
		return flat
	case nested != "":
		return nested
	}
	return otherwise
}

func (s *Section) validateEndpoint(f *config.Faults) {
	regions := map[string]string{"": "https://api.pagerduty.com", "us": "https://api.pagerduty.com", "eu": "https://api.eu.pagerduty.com"}
	base, known := regions[s.Region]
	switch {
	case !known:
		f.Add("region", "there is no such service region", "write us or eu")
	case s.APIEndpoint == "":
		s.APIEndpoint = base
	case s.Region != "":
		f.Warn("region", "it has no effect beside api_endpoint", "remove one of the two")
	}
	if known {
		s.validateAddress(f, regions)
	}
	s.APIEndpoint = strings.TrimRight(s.APIEndpoint, "/")
}

// validateAddress checks the address of the API. Under PagerDuty's own domain
// there are other things too: the web site of the account, and the Events API.
func (s *Section) validateAddress(f *config.Faults, regions map[string]string) {
	f.WebAddress("api_endpoint", s.APIEndpoint, regions[s.Region])
	u, err := url.Parse(s.APIEndpoint)
	if err == nil && strings.HasSuffix(u.Hostname(), ".pagerduty.com") && !slices.Contains(slices.Collect(maps.Values(regions)), "https://"+u.Hostname()) {
		f.Warn("api_endpoint", "this is not one of the addresses of the REST API", "remove the key; region leads to the right one")
	}
}

func (s *Section) validateIdentity(f *config.Faults) {
	if s.UserEmailSuffix != "" && !identity.IsEmail("name"+s.UserEmailSuffix) {
		f.Add("user_email_suffix", "this does not make an e-mail address", `write the end of the addresses, as in "@example.com"`)
	}
}

// Build makes the service.
func (c *Config) Build(d plugin.Deps) (plugin.Parts, error) {
	if err := d.Transport.Trust(c.PagerDuty.CAFile.Certificates()); err != nil {
		return plugin.Parts{}, fmt.Errorf("pagerduty.ca_file: %w", err)
	}
	s := newService(c.PagerDuty, d)
	people := &identity.People{Section: c.Identity, Traits: d.Traits, Known: identity.ByEmail, Exact: true}
	return plugin.Parts{
		Service: s, People: people, Deciders: []integration.Decider{newOnCall(s, people)}, Router: s, Codec: Codec{},
	}, nil
}
