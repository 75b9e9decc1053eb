package cluster

import (
	"context"
	"maps"
	"slices"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

const (
	// PluginUser is a user with PluginRole; see PluginUserOf for one of a plugin's
	// own.
	PluginUser = "access-plugin"
	// PluginRole holds the rights that Teleport documents for access plugins.
	PluginRole = "access-plugin"
	// AdminUser may do everything but review its own requests.
	AdminUser = "admin"
	// ReviewerRole lets a user review the requests of others.
	ReviewerRole = "reviewer"

	// KindReviewRequests is not a resource: its verb VerbReview stands for the
	// review_requests conditions of a role.
	KindReviewRequests = "review_requests"
	// VerbReview is the right to review requests.
	VerbReview = "review"
)

// anyKind stands for every kind in a role's rights.
const anyKind = "*"

// allVerbs is what Allow and Deny mean when no verbs are given.
func allVerbs() []string {
	return []string{
		types.VerbList, types.VerbRead, types.VerbReadNoSecrets, types.VerbCreate,
		types.VerbUpdate, types.VerbDelete, VerbReview,
	}
}

// RoleSpec describes a role. A request for the role takes the annotations and
// the thresholds from it.
type RoleSpec struct {
	// Logins are the role's logins, told by GetRole.
	Logins []string
	// Annotations become system annotations of requests for the role.
	Annotations map[string][]string
	// Approve and Deny are the numbers of reviews that decide a request; one
	// when zero.
	Approve, Deny int
}

type user struct {
	name   string
	roles  []string
	traits map[string][]string
}

type right struct{ kind, verb string }

type role struct {
	name string
	// submitFor are those in whose names reviews may be submitted, or "*".
	submitFor []string
	spec      RoleSpec
	allow     map[right]bool
	deny      map[right]bool
}

func newRole(name string, spec RoleSpec) *role {
	return &role{name: name, spec: spec, allow: make(map[right]bool), deny: make(map[right]bool)}
}

// PluginUserOf is the user of the plugin for a service. It has PluginRole when
// an identity is issued to it, unless it was added before.
func PluginUserOf(service string) string { return PluginUser + "-" + service }

// AddUser adds a user with roles and traits, or replaces it.
func (c *Cluster) AddUser(name string, roles []string, traits map[string][]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users[name] = &user{name: name, roles: slices.Clone(roles), traits: maps.Clone(traits)}
}

// RemoveUser removes a user, whose identities are of no use then.
func (c *Cluster) RemoveUser(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.users, name)
}

// AddRole adds a role, or replaces its description; its rights stay.
func (c *Cluster) AddRole(name string, spec RoleSpec) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roleLocked(name).spec = spec
}

// Annotate adds annotations to a role.
func (c *Cluster) Annotate(name string, annotations map[string][]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.roleLocked(name)
	all := maps.Clone(r.spec.Annotations)
	if all == nil {
		all = make(map[string][]string, len(annotations))
	}
	maps.Copy(all, annotations)
	r.spec.Annotations = all
}

// Allow gives a role the right to the verbs on a kind (all verbs when none are
// given; every kind when kind is "*"), and takes back a denial of the same. It
// holds from the next call on.
func (c *Cluster) Allow(role, kind string, verbs ...string) {
	c.setRights(role, kind, verbs, true)
}

// Deny takes the verbs on a kind from a role and from everyone who has it, as a
// deny rule does; otherwise as Allow.
func (c *Cluster) Deny(role, kind string, verbs ...string) {
	c.setRights(role, kind, verbs, false)
}

func (c *Cluster) setRights(role, kind string, verbs []string, allowed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(verbs) == 0 {
		verbs = allVerbs()
	}
	r := c.roleLocked(role)
	for _, verb := range verbs {
		key := right{kind, verb}
		delete(r.allow, key)
		delete(r.deny, key)
		if allowed {
			r.allow[key] = true
		} else {
			r.deny[key] = true
		}
	}
}

// AllowSubmitFor lets whoever has a role submit reviews in the names of users; "*"
// stands for everybody, and none takes that right away. It holds from the next call on.
func (c *Cluster) AllowSubmitFor(role string, users ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roleLocked(role).submitFor = slices.Clone(users)
}

// roleLocked returns the role, which it makes if it is not there.
func (c *Cluster) roleLocked(name string) *role {
	r, ok := c.roles[name]
	if !ok {
		r = newRole(name, RoleSpec{})
		c.roles[name] = r
	}
	return r
}

// may reports whether the user has every one of the verbs on the kind.
func (c *Cluster) may(user, kind string, verbs ...string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, verb := range verbs {
		if allowed, denied := c.rightLocked(user, kind, verb); !allowed || denied {
			return false
		}
	}
	return true
}

// denied reports whether a role of the user denies the verb expressly.
func (c *Cluster) denied(user, kind, verb string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, denied := c.rightLocked(user, kind, verb)
	return denied
}

func (c *Cluster) rightLocked(userName, kind, verb string) (allowed, denied bool) {
	u, ok := c.users[userName]
	if !ok {
		return false, false
	}
	key, wide := right{kind, verb}, right{anyKind, verb}
	for _, name := range u.roles {
		if r, ok := c.roles[name]; ok {
			allowed = allowed || r.allow[key] || r.allow[wide]
			denied = denied || r.deny[key] || r.deny[wide]
		}
	}
	return allowed, denied
}

// require returns the error of a caller that lacks a verb.
func (c *Cluster) require(ctx context.Context, kind string, verbs ...string) error {
	caller := callerOf(ctx)
	for _, verb := range verbs {
		if !c.may(caller, kind, verb) {
			return trace.AccessDenied("user %q has no permission to %s %s", caller, verb, kind)
		}
	}
	return nil
}

func lockedError(user string) error {
	return trace.AccessDenied("lock targeting User:%q is in force", user)
}

type callerKey struct{}

// callerOf is the user on whose behalf a call runs.
func callerOf(ctx context.Context) string {
	name, _ := ctx.Value(callerKey{}).(string)
	return name
}

// authenticate takes the caller from the client certificate that TLS verified.
func (c *Cluster) authenticate(ctx context.Context) (context.Context, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, trace.AccessDenied("the connection is not known")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return nil, trace.AccessDenied("the connection has no client certificate")
	}
	name := info.State.VerifiedChains[0][0].Subject.CommonName
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.locked[name] {
		return nil, lockedError(name)
	}
	if _, ok := c.users[name]; !ok {
		return nil, trace.AccessDenied("user %q does not exist", name)
	}
	return context.WithValue(ctx, callerKey{}, name), nil
}

func (c *Cluster) authenticateUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, err := c.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (c *Cluster) authenticateStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, err := c.authenticate(stream.Context())
	if err != nil {
		return err
	}
	return handler(srv, &callerStream{ServerStream: stream, ctx: ctx})
}

// callerStream is a stream whose context names the caller.
type callerStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context names the caller.
func (s *callerStream) Context() context.Context { return s.ctx }
