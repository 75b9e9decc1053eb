package webhook

import (
	"fmt"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/vote"
)

// Policy is the section [decide].
type Policy struct {
	Enabled bool     `toml:"enabled" doc:"take the answers of endpoints as decisions"`
	Roles   []string `toml:"roles" doc:"roles, or patterns of roles, that endpoints may decide about; a request for any other role is only told"`
	Allow   []string `toml:"allow" doc:"what endpoints may decide: approve, deny"`
}

// Exact makes an unknown key a fault: one that is misspelt would allow what it is to
// forbid.
func (*Policy) Exact() {}

// Validate checks the section.
func (p *Policy) Validate(f *config.Faults) {
	for _, what := range p.Allow {
		if what != vote.Approve && what != vote.Deny {
			f.Add("allow", fmt.Sprintf("%q is no decision", what), `write approve, deny or both, as in ["deny"]`)
		}
	}
	for _, role := range p.Roles {
		recipient.WarnOfPattern(f, "roles", role)
	}
	if p.Enabled && (len(p.Roles) == 0 || len(p.Allow) == 0) {
		f.Warn("", "roles or allow is empty, so that nothing is decided", "name the roles that endpoints may decide about, and what")
	}
}

// covers reports whether a request may be decided by endpoints: it is of a kind that is
// understood, does not ask for access that stays, and each of its roles is listed.
func (p *Policy) covers(v request.View) bool {
	return p.Enabled && v.Status == request.Pending && !v.LongTerm && !v.OtherKind && recipient.Covers(p.Roles, v.Roles)
}
