package teleport

import (
	"context"
	"slices"
	"strings"

	"github.com/gravitational/teleport/api/types"
)

// Annotations are those that the roles of a user put on the user's requests. Values
// that Teleport would fill in from the user's traits are left out.
func (c *Conn) Annotations(ctx context.Context, user string) (map[string][]string, error) {
	roles, err := c.UserRoles(ctx, user)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]string)
	for _, name := range roles {
		role, err := c.clt.GetRole(ctx, name)
		if err != nil {
			return nil, failed(err, "reading role %q", name)
		}
		for key, values := range role.GetAccessRequestConditions(types.Allow).Annotations {
			for _, value := range values {
				if !strings.Contains(value, "{{") && !slices.Contains(all[key], value) {
					all[key] = append(all[key], value)
				}
			}
		}
	}
	return all, nil
}
