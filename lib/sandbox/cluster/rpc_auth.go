package cluster

import (
	"context"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"

	accesslistv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accesslist/v1"
	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
	usersv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
)

// authService answers the calls of proto.AuthService.
type authService struct {
	proto.UnimplementedAuthServiceServer
	c *Cluster
}

// register adds the services that a cluster of this age has.
func (c *Cluster) register(s *grpc.Server) {
	proto.RegisterAuthServiceServer(s, &authService{c: c})
	usersv1.RegisterUsersServiceServer(s, &usersService{c: c})
	if c.opts.Old {
		return
	}
	rulesv1.RegisterAccessMonitoringRulesServiceServer(s, &rulesService{c: c})
	if c.opts.AdvancedWorkflows {
		accesslistv1.RegisterAccessListServiceServer(s, &listsService{c: c})
	}
}

// Ping tells what the cluster is.
func (s *authService) Ping(ctx context.Context, _ *proto.PingRequest) (*proto.PingResponse, error) {
	rsp := &proto.PingResponse{
		ClusterName:     s.c.opts.Name,
		ServerVersion:   s.c.opts.ServerVersion,
		ServerFeatures:  &proto.Features{AdvancedAccessWorkflows: s.c.opts.AdvancedWorkflows},
		ProxyPublicAddr: s.c.opts.WebProxyAddr,
	}
	if p, ok := peer.FromContext(ctx); ok {
		rsp.RemoteAddr = p.Addr.String()
	}
	return rsp, nil
}

// GetRole returns a role with its logins and request annotations.
func (s *authService) GetRole(ctx context.Context, req *proto.GetRoleRequest) (*types.RoleV6, error) {
	if err := s.c.require(ctx, types.KindRole, types.VerbRead); err != nil {
		return nil, err
	}
	s.c.mu.RLock()
	defer s.c.mu.RUnlock()
	r, ok := s.c.roles[req.Name]
	if !ok {
		return nil, trace.NotFound("role %s is not found", req.Name)
	}
	return r.resource()
}

// GetCurrentUserRoles sends the roles of the caller, to which everyone has a right.
func (s *authService) GetCurrentUserRoles(_ *emptyResponse, stream proto.AuthService_GetCurrentUserRolesServer) error {
	roles, err := s.c.rolesOf(callerOf(stream.Context()))
	if err != nil {
		return err
	}
	for _, r := range roles {
		if err := stream.Send(r); err != nil {
			return trace.Wrap(err)
		}
	}
	return nil
}

func (c *Cluster) rolesOf(user string) ([]*types.RoleV6, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	u, ok := c.users[user]
	if !ok {
		return nil, trace.NotFound("user %s is not found", user)
	}
	var roles []*types.RoleV6
	for _, name := range u.roles {
		r, ok := c.roles[name]
		if !ok {
			continue // it gives no rights
		}
		made, err := r.resource()
		if err != nil {
			return nil, err
		}
		roles = append(roles, made)
	}
	return roles, nil
}

// ruleList writes rights as the rules of a role, without those that are not
// about a resource.
func ruleList(rights map[right]bool) []types.Rule {
	var rules []types.Rule
	for r := range rights {
		if r.kind != KindReviewRequests && r.verb != VerbReview {
			rules = append(rules, types.NewRule(r.kind, []string{r.verb}))
		}
	}
	return rules
}

func (r *role) resource() (*types.RoleV6, error) {
	made, err := types.NewRole(r.name, types.RoleSpecV6{})
	if err != nil {
		return nil, trace.Wrap(err)
	}
	made.SetRules(types.Allow, ruleList(r.allow))
	made.SetRules(types.Deny, ruleList(r.deny))
	made.SetLogins(types.Allow, r.spec.Logins)
	if len(r.spec.Annotations) > 0 {
		made.SetAccessRequestConditions(types.Allow, types.AccessRequestConditions{Annotations: r.spec.Annotations})
	}
	return made.(*types.RoleV6), nil
}

// GetPluginData returns records of one resource, or of all of a kind.
func (s *authService) GetPluginData(ctx context.Context, f *types.PluginDataFilter) (*proto.PluginDataSeq, error) {
	if err := checkDataKind(f.Kind); err != nil {
		return nil, err
	}
	caller := callerOf(ctx)
	if !s.c.may(caller, f.Kind, types.VerbList, types.VerbRead) && !s.c.may(caller, types.KindAccessPluginData, types.VerbRead) {
		return nil, trace.AccessDenied("user %q has no permission to read plugin data of %s", caller, f.Kind)
	}
	return &proto.PluginDataSeq{PluginData: s.c.readData(*f)}, nil
}

// UpdatePluginData writes a record by compare-and-swap.
func (s *authService) UpdatePluginData(ctx context.Context, p *types.PluginDataUpdateParams) (*emptyResponse, error) {
	if err := checkDataKind(p.Kind); err != nil {
		return nil, err
	}
	caller := callerOf(ctx)
	if !s.c.may(caller, p.Kind, types.VerbUpdate) && !s.c.may(caller, types.KindAccessPluginData, types.VerbUpdate) {
		return nil, trace.AccessDenied("user %q has no permission to update plugin data of %s", caller, p.Kind)
	}
	s.c.mu.RLock()
	hook := s.c.beforeWrite
	s.c.mu.RUnlock()
	if hook != nil {
		hook(p.Resource, p.Plugin)
	}
	if s.c.faults.takeConflict() {
		s.c.faults.observed(Failure{Method: "UpdatePluginData", Code: codes.Aborted}, p)
		return nil, trace.CompareFailed("simulated conflict with another writer")
	}
	if err := s.c.writeData(*p); err != nil {
		return nil, err
	}
	return &emptyResponse{}, nil
}

func checkDataKind(kind string) error {
	if kind != types.KindAccessRequest && kind != types.KindAccessList {
		return trace.BadParameter("plugin data of kind %q is not supported", kind)
	}
	return nil
}
