package teleport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"

	"github.com/gravitational/teleport/api/types"
)

// MayListRequests reports whether the cluster shows all access requests to this
// identity, which takes list and read of access_request. A cluster answers
// someone without them with their own requests, and no error, so that the right
// is read from the roles: everybody may read their own. sure is false where they
// do not tell: the cluster does not hand them out, they are not those of the
// certificate, or a rule has a condition. An error says that the cluster could
// not be asked.
func (c *Conn) MayListRequests(ctx context.Context) (may, sure bool, err error) {
	roles, sure, err := c.ownRoles(ctx)
	if !sure {
		return false, false, err
	}
	for _, verb := range []string{types.VerbList, types.VerbRead} {
		allowed, known := allows(roles, types.KindAccessRequest, verb)
		if known && !allowed {
			return false, sure, nil
		}
		sure = sure && known
	}
	return sure, sure, nil
}

// MayWriteRecords reports whether this identity may write plugin data, as far as its
// roles tell; otherwise as MayListRequests. The right to change requests includes it.
func (c *Conn) MayWriteRecords(ctx context.Context) (may, sure bool, err error) {
	roles, sure, err := c.ownRoles(ctx)
	if !sure {
		return false, false, err
	}
	for _, kind := range []string{types.KindAccessPluginData, types.KindAccessRequest} {
		allowed, known := allows(roles, kind, types.VerbUpdate)
		if allowed {
			return true, true, nil
		}
		sure = sure && known
	}
	return false, sure, nil
}

// ownRoles are the roles of this identity; sure is false where they cannot be read, or
// are not those of the certificate.
func (c *Conn) ownRoles(ctx context.Context) (roles []types.Role, sure bool, err error) {
	roles, err = c.clt.GetCurrentUserRoles(ctx)
	if err != nil {
		err = failed(err, "reading the roles of this identity")
		if errors.Is(err, ErrLocked) || ctx.Err() != nil || isUnavailable(err) {
			return nil, false, err
		}
		return nil, false, nil
	}
	for _, name := range c.roles {
		if !slices.ContainsFunc(roles, func(r types.Role) bool { return r.GetName() == name }) {
			return nil, false, nil
		}
	}
	return roles, len(c.roles) > 0, nil
}

// allows judges a verb on a kind by the rules of roles, as a cluster does: one
// denial outweighs all permissions. known is false if that depends on a rule's
// condition.
func allows(roles []types.Role, kind, verb string) (allowed, known bool) {
	denied, maybeDenied := matches(roles, types.Deny, kind, verb)
	allowed, maybeAllowed := matches(roles, types.Allow, kind, verb)
	switch {
	case denied, !allowed && !maybeAllowed:
		return false, true
	case maybeDenied, !allowed:
		return false, false
	}
	return true, true
}

// matches reports whether a rule without a condition concerns the verb, and
// whether one with a condition does.
func matches(roles []types.Role, side types.RoleConditionType, kind, verb string) (plain, conditional bool) {
	for _, role := range roles {
		for _, rule := range role.GetRules(side) {
			if !hasOrAny(rule.Resources, kind) || !hasOrAny(rule.Verbs, verb) {
				continue
			}
			plain = plain || rule.Where == ""
			conditional = conditional || rule.Where != ""
		}
	}
	return plain, conditional
}

func hasOrAny(list []string, item string) bool {
	return slices.Contains(list, item) || slices.Contains(list, types.Wildcard)
}

// certRoles returns the roles in the client certificate of a connection. The
// client library hands it out through a callback, which looks at nothing.
func certRoles(cfg *tls.Config) []string {
	if cfg == nil || cfg.GetClientCertificate == nil {
		return nil
	}
	pair, err := cfg.GetClientCertificate(&tls.CertificateRequestInfo{})
	if err != nil || len(pair.Certificate) == 0 {
		return nil
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil
	}
	return cert.Subject.Organization
}
