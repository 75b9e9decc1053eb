package decision

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
)

// Settings is the section [review], without the keys that only one service has.
type Settings struct {
	Enabled      bool              `toml:"enabled" doc:"show buttons below requests, and submit what people press as reviews"`
	SubmitAs     string            `toml:"submit_as" doc:"in whose name: \"reviewer\" (the person's; the cluster judges, from Teleport 18.11 on) or \"plugin\" (the plugin's own, for the people in [review.reviewers])"`
	Roles        []string          `toml:"roles" doc:"roles, or patterns of roles, that may be decided here; a request for any other role has the link alone"`
	Reason       string            `toml:"reason" doc:"when a reason is asked for: \"optional\" (never), \"deny\" or \"always\""`
	Identity     string            `toml:"identity" doc:"what says who a person is in Teleport: \"trait\", \"users\", \"email\" or \"trait-then-email\"; by default the one that is configured"`
	EmailMatch   bool              `toml:"allow_email_username_match" doc:"a person is the Teleport user whose name is the person's e-mail address, in one of the email_domains"`
	EmailDomains []string          `toml:"email_domains" doc:"domains of e-mail addresses that are taken for names of Teleport users; none stands for no address"`
	Users        map[string]string `toml:"users" doc:"the service's id of a person to the Teleport user"`
	Reviewers    recipient.Table   `toml:"reviewers" doc:"role, or a pattern of roles, to the Teleport users who may decide about it, where submit_as is \"plugin\""`
}

// Policy is what a config says of decisions.
type Policy struct {
	Settings
	// Trait is the trait of a Teleport user that holds the service's id of the
	// person.
	Trait string
}

// The values of the keys.
const (
	AsReviewer = "reviewer"
	AsPlugin   = "plugin"

	ReasonOptional = "optional"
	ReasonDeny     = "deny"
	ReasonAlways   = "always"

	ByTrait          = "trait"
	ByUsers          = "users"
	ByEmail          = "email"
	ByTraitThenEmail = "trait-then-email"
)

// DefaultSettings gives the section as it is when the file sets nothing.
func DefaultSettings() Settings {
	return Settings{SubmitAs: AsReviewer, Roles: []string{recipient.Anyone}, Reason: ReasonOptional}
}

// AsksReason reports whether a verdict needs a reason, for which the service opens a
// dialog.
func (s Settings) AsksReason(verdict request.Status) bool {
	return s.Reason == ReasonAlways || s.Reason == ReasonDeny && verdict == request.Denied
}

// Offered reports whether a request may be decided at the service: the messages about
// it have buttons then, while it is pending.
func (s Settings) Offered(v request.View) bool {
	return s.Enabled && v.Status == request.Pending && !v.LongTerm && !v.OtherKind && recipient.Covers(s.Roles, v.Roles)
}

// Validate checks the section of a service whose key for the trait is traitKey, with
// the value trait.
func (s *Settings) Validate(f *config.Faults, traitKey, trait string) {
	oneOf := func(key, value string, values ...string) {
		if !slices.Contains(values, value) {
			f.Add(key, fmt.Sprintf("%q is none of its values", value), "write one of "+strings.Join(values, ", "))
		}
	}
	oneOf("submit_as", s.SubmitAs, AsReviewer, AsPlugin)
	oneOf("reason", s.Reason, ReasonOptional, ReasonDeny, ReasonAlways)
	if s.Identity != "" {
		oneOf("identity", s.Identity, ByTrait, ByUsers, ByEmail, ByTraitThenEmail)
	}
	if !s.Enabled {
		return
	}
	if len(s.Roles) == 0 {
		f.Warn("roles", "it is empty, so that no request has buttons", "remove it, or name the roles that may be decided here")
	}
	for _, role := range s.Roles {
		recipient.WarnOfPattern(f, "roles", role)
	}
	if s.SubmitAs == AsPlugin {
		s.validateReviewers(f)
	}
	s.validateIdentity(f, traitKey, trait)
}

// Adopt takes over from the section [identity] who people are, where the section
// [review] itself does not say so. id makes of an entry of [identity.users] the
// service's id of a person; other entries, such as e-mail addresses, say nothing about
// who presses.
func (s *Settings) Adopt(f *config.Faults, who identity.Section, trait *string, id func(text string) (string, bool)) {
	source := s.Source(*trait)
	switch {
	case !s.Enabled:
	case who.Trait != "" && len(who.Users) > 0 && source == "":
		f.In("review").Add("identity", "both identity.trait and [identity.users] say who a person is, and somebody who presses may be two users", `set it to "trait" or "users"`)
		*trait = who.Trait // said once
	case who.Trait != "" && blank(*trait) && slices.Contains([]string{"", ByTrait, ByTraitThenEmail}, source):
		*trait = who.Trait
	case len(s.Users) == 0 && (source == "" || source == ByUsers):
		s.Users = reversed(f.In("identity").In("users"), who.Users, id)
	}
}

// reversed is a table of Teleport users as one of ids of the service.
func reversed(f *config.Faults, users map[string]string, id func(text string) (string, bool)) map[string]string {
	people := make(map[string]string)
	for _, user := range slices.Sorted(maps.Keys(users)) {
		person, ok := id(users[user])
		if !ok {
			continue
		}
		if other, twice := people[person]; twice {
			f.Add(user, "it is the same person as "+other+", so that buttons cannot tell which user presses", "name one of the two in [review.users]")
		}
		people[person] = user
	}
	return people
}

// validateReviewers makes sure that the config says who may decide, since the cluster
// cannot.
func (s *Settings) validateReviewers(f *config.Faults) {
	if len(s.Reviewers) == 0 {
		f.Add("reviewers", "nobody may decide: with submit_as = \"plugin\" the cluster cannot judge who pressed", "list the Teleport users for each role in [review.reviewers]")
	}
	for _, role := range slices.Sorted(maps.Keys(s.Reviewers)) {
		recipient.WarnOfPattern(f.In("reviewers"), role, role)
		if len(s.Reviewers[role]) == 0 {
			f.In("reviewers").Add(role, "it names nobody", "name at least one Teleport user, or remove the role from roles")
		}
		if slices.ContainsFunc(s.Reviewers[role], func(user string) bool { return strings.Contains(user, "*") }) {
			f.In("reviewers").Add(role, "a pattern is no Teleport user", "name each user")
		}
	}
}

func (s *Settings) validateIdentity(f *config.Faults, traitKey, trait string) {
	source := s.Source(trait)
	byTrait := source == ByTrait || source == ByTraitThenEmail
	switch {
	case source == "":
		f.Add("identity", "nothing says who a person is in Teleport", "set "+traitKey+", [review.users] or [identity], or allow_email_username_match with email_domains")
	case byTrait && blank(trait):
		f.Add(traitKey, "there is no trait to look for", "name the trait that holds the service's id of a person")
	case source == ByUsers:
		s.validateUsers(f)
	case source == ByTrait && s.EmailMatch:
		f.Warn("allow_email_username_match", "it is not used: "+traitKey+" alone says who a person is", "remove it, or set identity = \"trait-then-email\"")
	}
	if source == ByEmail || source == ByTraitThenEmail {
		s.validateEmail(f)
	}
	s.warnUnused(f, source)
}

// validateUsers checks the table of people.
func (s *Settings) validateUsers(f *config.Faults) {
	switch {
	case len(s.Users) == 0:
		f.Add("users", "it names nobody", "map each person's id to a Teleport user")
	case slices.ContainsFunc(slices.Collect(maps.Values(s.Users)), blank):
		f.Warn("users", "somebody is mapped to no Teleport user, and decides nothing", "name the user, or remove the line")
	}
}

// warnUnused names the tables that have no effect.
func (s *Settings) warnUnused(f *config.Faults, source string) {
	for _, t := range []struct {
		key    string
		length int
		used   bool
		why    string
	}{
		{"users", len(s.Users), source == ByUsers, fmt.Sprintf("%s says who a person is", source)},
		{"email_domains", len(s.EmailDomains), source == ByEmail || source == ByTraitThenEmail, fmt.Sprintf("%s says who a person is", source)},
		{"reviewers", len(s.Reviewers), s.SubmitAs == AsPlugin, fmt.Sprintf("submit_as is %q, with which the cluster judges who may decide", s.SubmitAs)},
	} {
		if t.length > 0 && !t.used && source != "" {
			f.Warn(t.key, "it is not used: "+t.why, "remove it")
		}
	}
}

func blank(user string) bool { return strings.TrimSpace(user) == "" }

// validateEmail checks what a match by e-mail address needs.
func (s *Settings) validateEmail(f *config.Faults) {
	if !s.EmailMatch {
		f.Add("allow_email_username_match", "it is off, and identity asks for it", "set it to true")
	}
	if len(s.domains()) == 0 {
		f.Warn("email_domains", "it is empty, so that no address is taken for a Teleport user", "list the domains whose addresses only your own people have")
	}
}

// Source is what says who a person is: the one that identity names, or else the one
// that is configured.
func (s Settings) Source(trait string) string {
	switch {
	case s.Identity != "":
		return s.Identity
	case strings.TrimSpace(trait) != "":
		return ByTrait
	case len(s.Users) > 0:
		return ByUsers
	case s.EmailMatch:
		return ByEmail
	}
	return ""
}

// domains are the domains without blanks, in lower case.
func (s Settings) domains() (list []string) {
	for _, d := range s.EmailDomains {
		if d = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(d), "@")); d != "" {
			list = append(list, d)
		}
	}
	return list
}
