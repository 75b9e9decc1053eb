// Package approval decides whether an access request may be approved without a
// person: because the requester is on call for a service that the request is
// about, and because every rule that the operator has set allows it. It is told
// what is the case and makes no calls of its own; each decision comes with its
// evidence in words.
//
// Rules only ever narrow: a request that is refused is refused as well after a
// rule was added.
package approval

import (
	"errors"
	"fmt"
	"strings"
	"text/template"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/recipient"
)

// DefaultReason is the text of the review where the config has none.
const DefaultReason = "{{.User}} <{{.Email}}> is on call in PagerDuty for: {{.Services}}"

// reasonLimit bounds the text of a review, in characters.
const reasonLimit = 1000

// Rules is the section [pagerduty.auto_approve]. It may also be written as
// true or false, which sets Enabled.
type Rules struct {
	Enabled             bool            `toml:"enabled" doc:"approve requests of people who are on call for a service that the request's annotation names"`
	Roles               []string        `toml:"roles" doc:"approve only requests for these roles (* stands for any text); a request with any other role is left to people"`
	MaxEscalationLevel  int             `toml:"max_escalation_level" doc:"approve only people on call up to this escalation level; 0 means every level"`
	Schedules           []string        `toml:"schedules" doc:"approve only people on call through one of these schedules, by name or id"`
	RequireOpenIncident bool            `toml:"require_open_incident" doc:"approve only people to whom an open incident of the services is assigned, or who acknowledged one; those about access requests do not count"`
	MaxDuration         config.Duration `toml:"max_duration" doc:"approve only requests for access of at most this length; 0s means any"`
	MaxStartDelay       config.Duration `toml:"max_start_delay" doc:"approve only requests for access that begins within this time; 0s means at any time"`
	SingleRole          bool            `toml:"single_role" doc:"approve only requests for one role; the annotation does not say which of several it came with"`
	ReviewerReason      string          `toml:"reviewer_reason" doc:"text of the review, a template with .User, .Email, .Services and .Roles"`
}

// Default gives the rules as they are when the config sets none.
func Default() Rules { return Rules{Enabled: true, ReviewerReason: DefaultReason} }

// FromValue takes the switch of the oldest releases.
func (r *Rules) FromValue(raw any) error {
	on, ok := raw.(bool)
	if !ok {
		return errors.New("this is neither a table nor true or false; write [pagerduty.auto_approve] on a line of its own and the rules below it")
	}
	r.Enabled = on
	return nil
}

// Exact makes unknown keys a fault: a rule that is misspelt would forbid nothing.
func (*Rules) Exact() {}

// Validate checks the rules.
func (r *Rules) Validate(f *config.Faults) {
	if r.MaxEscalationLevel < 0 {
		f.Add("max_escalation_level", "the level is negative", "write 1 for the first level, or 0 for every level")
	}
	for key, d := range map[string]config.Duration{"max_duration": r.MaxDuration, "max_start_delay": r.MaxStartDelay} {
		if d < 0 {
			f.Add(key, "the time is negative", `write a duration, as in "8h", or remove the key`)
		}
	}
	for key, list := range map[string][]string{"roles": r.Roles, "schedules": r.Schedules} {
		if f.Has(key) && len(list) == 0 {
			f.Add(key, "the list is empty, which could mean all or none", "name what is allowed, or remove the key to allow all")
		}
		for _, name := range list {
			if strings.TrimSpace(name) == "" {
				f.Add(key, "the list holds an empty name", "remove it")
			}
		}
	}
	for _, role := range r.Roles {
		recipient.WarnOfPattern(f, "roles", role)
	}
	if r.ReviewerReason == "" {
		r.ReviewerReason = DefaultReason
	}
	if _, err := r.reason(Person{Name: "name", Email: "e-mail"}, names{"service"}, names{"role"}); err != nil {
		f.Add("reviewer_reason", fmt.Sprintf("the template does not work: %v", err), "use .User, .Email, .Services and .Roles only")
	}
}

// names print as a list and can be ranged over.
type names []string

// String joins the names by commas.
func (n names) String() string { return strings.Join(n, ", ") }

// reason is the text of the review.
func (r Rules) reason(p Person, services, roles names) (string, error) {
	t, err := template.New("reviewer_reason").Parse(r.ReviewerReason)
	if err != nil {
		return "", fmt.Errorf("reading the template: %w", err)
	}
	var b strings.Builder
	err = t.Execute(&b, struct {
		User, Email     string
		Services, Roles names
	}{p.Name, p.Email, services, roles})
	if err != nil {
		return "", fmt.Errorf("filling in the template: %w", err)
	}
	return message.Cut(message.Text(b.String(), reasonLimit, nil), reasonLimit), nil
}
