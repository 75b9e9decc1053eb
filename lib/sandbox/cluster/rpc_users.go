package cluster

import (
	"cmp"
	"context"
	"slices"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"

	usersv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
)

// usersService answers the calls of teleport.users.v1.UsersService.
type usersService struct {
	usersv1.UnimplementedUsersServiceServer
	c *Cluster
}

// GetUser returns a user; everyone may read themselves.
func (s *usersService) GetUser(ctx context.Context, req *usersv1.GetUserRequest) (*usersv1.GetUserResponse, error) {
	name := req.Name
	if name == "" && req.CurrentUser {
		name = callerOf(ctx)
	}
	u, err := s.c.getUser(ctx, name)
	if err != nil {
		return nil, err
	}
	return &usersv1.GetUserResponse{User: u}, nil
}

// GetUser is the call of older clients.
func (s *authService) GetUser(ctx context.Context, req *proto.GetUserRequest) (*types.UserV2, error) {
	return s.c.getUser(ctx, req.Name)
}

func (c *Cluster) getUser(ctx context.Context, name string) (*types.UserV2, error) {
	if name != callerOf(ctx) {
		if err := c.require(ctx, types.KindUser, types.VerbRead); err != nil {
			return nil, err
		}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	u, ok := c.users[name]
	if !ok {
		return nil, trace.NotFound("user %q not found", name)
	}
	return u.resource()
}

// ListUsers returns a page of the users in the order of their names.
func (s *usersService) ListUsers(ctx context.Context, req *usersv1.ListUsersRequest) (*usersv1.ListUsersResponse, error) {
	if err := s.c.require(ctx, types.KindUser, types.VerbList, types.VerbRead); err != nil {
		return nil, err
	}
	s.c.mu.RLock()
	defer s.c.mu.RUnlock()
	var all index[*types.UserV2]
	for name, u := range s.c.users {
		made, err := u.resource()
		if err != nil {
			return nil, err
		}
		all.put(name, made)
	}
	page, next := all.page(span{start: req.PageToken, limit: cmp.Or(int(req.PageSize), defaultPage)}, func(u *types.UserV2) bool {
		return req.Filter == nil || types.MatchSearch(slices.Concat([]string{u.GetName()}, u.GetRoles()), req.Filter.SearchKeywords, nil)
	})
	return &usersv1.ListUsersResponse{Users: page, NextPageToken: next}, nil
}

func (u *user) resource() (*types.UserV2, error) {
	made, err := types.NewUser(u.name)
	if err != nil {
		return nil, trace.Wrap(err)
	}
	made.SetRoles(u.roles)
	made.SetTraits(u.traits)
	return made.(*types.UserV2), nil
}

// GetLocks returns the locks on the targets: those that Revoke makes, all of users.
func (s *authService) GetLocks(ctx context.Context, req *proto.GetLocksRequest) (*proto.GetLocksResponse, error) {
	if err := s.c.require(ctx, types.KindLock, types.VerbList, types.VerbRead); err != nil {
		return nil, err
	}
	s.c.mu.RLock()
	defer s.c.mu.RUnlock()
	var answer proto.GetLocksResponse
	for _, target := range req.Targets {
		if !s.c.locked[target.User] {
			continue
		}
		made, err := types.NewLock(target.User, types.LockSpecV2{Target: types.LockTarget{User: target.User}})
		if err != nil {
			return nil, trace.Wrap(err)
		}
		answer.Locks = append(answer.Locks, made.(*types.LockV2)) //nolint:forcetypeassert // NewLock makes no other
	}
	return &answer, nil
}
