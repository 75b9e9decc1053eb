package teleport

import (
	"context"

	accesslistv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accesslist/v1"
)

// ListAccessLists calls fn with each access list. [IsUnimplemented] means that the
// cluster has none, being of an edition or a version without them, [IsDenied] that
// the identity may not read them. An error of fn ends the listing and is returned
// as it is.
func (c *Conn) ListAccessLists(ctx context.Context, fn func(*accesslistv1.AccessList) error) error {
	for token := ""; ; {
		page, err := c.lists.ListAccessLists(ctx, &accesslistv1.ListAccessListsRequest{PageSize: pageSize, NextToken: token})
		if err == nil && page.NextToken != "" && page.NextToken == token {
			err = errLoop
		}
		if err != nil {
			return failed(err, "listing access lists")
		}
		for _, l := range page.AccessLists {
			if err := fn(l); err != nil {
				return err
			}
		}
		if token = page.NextToken; token == "" {
			return nil
		}
	}
}

// AccessListOwners returns the names of the owners of an access list, those that it
// has through other lists included. A cluster that does not know of those answers
// with [IsUnimplemented].
func (c *Conn) AccessListOwners(ctx context.Context, list string) ([]string, error) {
	resp, err := c.lists.GetAccessListOwners(ctx, &accesslistv1.GetAccessListOwnersRequest{AccessList: list})
	if err != nil {
		return nil, failed(err, "reading the owners of access list %q", list)
	}
	var names []string
	for _, o := range resp.Owners {
		names = append(names, o.Name)
	}
	return names, nil
}
