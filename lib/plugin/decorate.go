package plugin

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/teleport"
)

const (
	// decorateTime bounds all looking up for one message: nobody waits for
	// what is merely nice to know.
	decorateTime = 2 * time.Second
	// roleAge is how long the logins of a role are remembered.
	roleAge = time.Minute
)

// decorator looks up the logins of roles and the names of resources. What the
// plugin's role does not allow is left out, told of once and asked for again
// after a while.
type decorator struct {
	s *session

	mu     sync.Mutex
	logins map[string]remembered
	denied map[string]time.Time // what was refused, and until when it is not asked for
}

type remembered struct {
	logins []string
	until  time.Time
}

func newDecorator(s *session) *decorator {
	return &decorator{s: s, logins: make(map[string]remembered), denied: make(map[string]time.Time)}
}

// Decorate adds logins and names to a view.
func (d *decorator) Decorate(ctx context.Context, v *message.View, req types.AccessRequest) {
	conn, err := d.s.current()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, decorateTime)
	defer cancel()
	var both sync.WaitGroup
	ids := req.GetRequestedResourceIDs()
	if len(ids) > 0 {
		both.Go(func() { v.Resources = d.resources(ctx, conn, ids) })
	}
	v.Logins = d.loginsOf(ctx, conn, v.Roles)
	both.Wait()
}

// loginsOf returns the logins of all roles, or none if one is not known.
func (d *decorator) loginsOf(ctx context.Context, conn *teleport.Conn, roles []string) map[string][]string {
	all := make(map[string][]string, len(roles))
	for _, role := range roles {
		logins, ok := d.roleLogins(ctx, conn, role)
		if !ok {
			return nil
		}
		all[role] = logins
	}
	return all
}

func (d *decorator) roleLogins(ctx context.Context, conn *teleport.Conn, role string) ([]string, bool) {
	d.mu.Lock()
	known, ok := d.logins[role]
	d.mu.Unlock()
	if ok && time.Now().Before(known.until) {
		return known.logins, true
	}
	if d.refused("logins") {
		return nil, false
	}
	logins, err := conn.RoleLogins(ctx, role)
	if err != nil {
		d.note("logins", "role: read", err)
		return nil, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.logins) > 1000 {
		clear(d.logins)
	}
	d.logins[role] = remembered{logins, time.Now().Add(roleAge)}
	return logins, true
}

// resources returns the most readable name of each resource.
func (d *decorator) resources(ctx context.Context, conn *teleport.Conn, ids []types.ResourceID) []string {
	var names map[string]string
	if !d.refused("resource names") {
		var err error
		if names, err = conn.FriendlyNames(ctx, d.s.info.Load().ClusterName, ids); err != nil {
			d.note("resource names", "list and read of node, app, db, kube_cluster and user_group (by review_requests.preview_as_roles)", err)
		}
	}
	var out []string
	for _, id := range ids {
		text := types.ResourceIDToString(id)
		if name := names[text]; name != "" {
			text = id.Kind + "/" + name
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func (d *decorator) refused(what string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.denied[what])
}

// note tells once that something cannot be looked up, and leaves it for a while.
func (d *decorator) note(what, rule string, err error) {
	if !teleport.IsDenied(err) {
		d.s.log.Debug("Messages go out without "+what, zap.Error(err))
		return
	}
	d.mu.Lock()
	_, told := d.denied[what]
	d.denied[what] = time.Now().Add(roleAge)
	d.mu.Unlock()
	if !told {
		d.s.log.Warn("Messages go out without "+what+", which the plugin's role may not read; to show them add the rule "+rule, zap.Error(err))
		d.s.health.Note(what, "not shown in messages; add the rule "+rule)
	}
}
