package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/teleport/api/types/accesslist"
	conv "github.com/gravitational/teleport/api/types/accesslist/convert/v1"
	"github.com/gravitational/teleport/api/types/header"
	"github.com/gravitational/trace"

	accesslistv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accesslist/v1"
)

// AccessList describes an access list that is to be reviewed.
type AccessList struct {
	// Name is the list's name, Title what people call it.
	Name, Title string
	// Owners are the users named in the list itself.
	Owners []string
	// InheritedOwners are owners by a nested list; only GetAccessListOwners
	// tells them.
	InheritedOwners []string
	// NextAudit is when the review is due.
	NextAudit time.Time
	// NotifyBefore is how long before that reminders start; two weeks when
	// zero.
	NotifyBefore time.Duration
}

// PutAccessList adds an access list, or replaces the one of the same name.
func (c *Cluster) PutAccessList(l AccessList) error {
	spec := accesslist.Spec{
		Title:  l.Title,
		Grants: accesslist.Grants{Roles: []string{"editor"}},
		Audit: accesslist.Audit{
			NextAuditDate: l.NextAudit,
			Notifications: accesslist.Notifications{Start: cmp.Or(l.NotifyBefore, 14*24*time.Hour)},
		},
	}
	for _, name := range l.Owners {
		spec.Owners = append(spec.Owners, listOwner(name))
	}
	made, err := accesslist.NewAccessList(header.Metadata{Name: l.Name}, spec)
	if err != nil {
		return fmt.Errorf("making access list %s: %w", l.Name, err)
	}
	var owners []*accesslistv1.AccessListOwner
	for _, name := range slices.Concat(l.Owners, l.InheritedOwners) {
		owners = append(owners, conv.ToOwnerProto(listOwner(name)))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists.put(l.Name, conv.ToProto(made))
	c.listOwners[l.Name] = owners
	c.changed()
	return nil
}

func listOwner(name string) accesslist.Owner {
	return accesslist.Owner{Name: name, MembershipKind: accesslist.MembershipKindUser}
}

// DeleteAccessList deletes an access list.
func (c *Cluster) DeleteAccessList(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lists.remove(name) {
		return listNotFound(name)
	}
	delete(c.listOwners, name)
	c.changed()
	return nil
}

func listNotFound(name string) error { return trace.NotFound("access list %q is not found", name) }

// listsService answers the calls of AccessListService.
type listsService struct {
	accesslistv1.UnimplementedAccessListServiceServer
	c *Cluster
}

// ListAccessLists returns a page of the access lists in the order of their
// names.
func (s *listsService) ListAccessLists(ctx context.Context, req *accesslistv1.ListAccessListsRequest) (*accesslistv1.ListAccessListsResponse, error) {
	if err := s.c.require(ctx, types.KindAccessList, types.VerbList, types.VerbRead); err != nil {
		return nil, err
	}
	s.c.mu.RLock()
	defer s.c.mu.RUnlock()
	page, next := s.c.lists.page(span{start: req.NextToken, limit: cmp.Or(int(req.PageSize), defaultPage)},
		func(*accesslistv1.AccessList) bool { return true })
	return &accesslistv1.ListAccessListsResponse{AccessLists: page, NextToken: next}, nil
}

// GetAccessList returns an access list.
func (s *listsService) GetAccessList(ctx context.Context, req *accesslistv1.GetAccessListRequest) (*accesslistv1.AccessList, error) {
	if err := s.c.require(ctx, types.KindAccessList, types.VerbRead); err != nil {
		return nil, err
	}
	s.c.mu.RLock()
	defer s.c.mu.RUnlock()
	l, ok := s.c.lists.get(req.Name)
	if !ok {
		return nil, listNotFound(req.Name)
	}
	return l, nil
}

// GetAccessListOwners returns the owners, inherited ones included.
func (s *listsService) GetAccessListOwners(ctx context.Context, req *accesslistv1.GetAccessListOwnersRequest) (*accesslistv1.GetAccessListOwnersResponse, error) {
	if err := s.c.require(ctx, types.KindAccessList, types.VerbRead); err != nil {
		return nil, err
	}
	s.c.mu.RLock()
	defer s.c.mu.RUnlock()
	if _, ok := s.c.lists.get(req.AccessList); !ok {
		return nil, listNotFound(req.AccessList)
	}
	return &accesslistv1.GetAccessListOwnersResponse{Owners: s.c.listOwners[req.AccessList]}, nil
}
