package teleport

import (
	"context"

	"github.com/coreos/go-semver/semver"
	userspb "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protowire"
)

// OnBehalfVersion is the first release whose clusters take reviews in the name of
// others.
const OnBehalfVersion = "18.11.0"

// onBehalfField is submitted_on_behalf_of_author of types.AccessReview in the API of
// newer clusters.
const onBehalfField protowire.Number = 12

// OnBehalfOfAuthor marks a review as one that is submitted for its author by somebody
// else. A cluster that does not know the mark refuses a review whose author is not the
// caller.
func OnBehalfOfAuthor(r *types.AccessReview) {
	r.XXX_unrecognized = protowire.AppendTag(r.XXX_unrecognized, onBehalfField, protowire.VarintType)
	r.XXX_unrecognized = protowire.AppendVarint(r.XXX_unrecognized, 1)
}

// TakesReviewsOnBehalf reports whether a cluster of a version takes reviews in the name
// of others, as far as the version says. One that cannot be read is taken for new.
func TakesReviewsOnBehalf(version string) bool {
	v, err := semver.NewVersion(version)
	return err != nil || !v.LessThan(*semver.New(OnBehalfVersion))
}

// maxUserPages bounds how many pages of users are looked through.
const maxUserPages = 1000

// Users names the users whom match accepts.
func (c *Conn) Users(ctx context.Context, match func(name string, traits map[string][]string) bool) (names []string, err error) {
	req := userspb.ListUsersRequest{}
	for range maxUserPages {
		page, err := c.clt.ListUsers(ctx, &req)
		if err != nil {
			return nil, failed(err, "listing users")
		}
		for _, u := range page.Users {
			if match(u.GetName(), u.GetTraits()) {
				names = append(names, u.GetName())
			}
		}
		if page.NextPageToken == "" {
			return names, nil
		}
		if page.NextPageToken == req.PageToken {
			break
		}
		req.PageToken = page.NextPageToken
	}
	return nil, failed(errLoop, "listing users")
}

// UserRoles names the roles of a user.
func (c *Conn) UserRoles(ctx context.Context, user string) ([]string, error) {
	u, err := c.clt.GetUser(ctx, user, false)
	if err != nil {
		return nil, failed(err, "reading user %q", user)
	}
	return u.GetRoles(), nil
}

// Locked reports whether a lock is in force for a user or one of the roles.
func (c *Conn) Locked(ctx context.Context, user string, roles []string) (bool, error) {
	targets := []types.LockTarget{{User: user}}
	for _, role := range roles {
		targets = append(targets, types.LockTarget{Role: role})
	}
	locks, err := c.clt.GetLocks(ctx, true, targets...)
	if err != nil {
		return false, failed(err, "reading the locks of user %q", user)
	}
	return len(locks) > 0, nil
}
