package plugin

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/request"
	"teleport-plugins/lib/teleport"
)

const (
	// decorateTime bounds each look-up for a message: nobody waits for what is
	// merely nice to know.
	decorateTime = 2 * time.Second
	// lookupAge is how long an answer is remembered, a refusal included.
	lookupAge = time.Minute
)

// decorator looks up the logins of roles and the names of resources. What the
// plugin's role does not allow is left out, noted once, and asked for again after
// a while.
type decorator struct {
	s       *session
	lookups *lookups
	logins  memory[roleAnswer] // by role
	names   memory[string]     // by types.ResourceIDToString; empty for none
	denied  memory[struct{}]   // what was refused

	mu    sync.Mutex
	noted map[string]bool // what the notes say is missing
}

type roleAnswer struct {
	logins []string
	known  bool
}

func newDecorator(s *session) *decorator {
	return &decorator{s: s, lookups: newLookups(), noted: make(map[string]bool)}
}

// Decorate adds logins and names to a view.
func (d *decorator) Decorate(ctx context.Context, v *request.View, req types.AccessRequest) {
	conn, err := d.s.current()
	if err != nil {
		return
	}
	var both sync.WaitGroup
	if resources := teleport.Resources(req); len(resources) > 0 {
		both.Go(func() { v.Resources = teleport.ResourceTexts(resources, d.namesOf(ctx, conn, resources)) })
	}
	v.Logins = d.loginsOf(ctx, conn, v.Roles)
	both.Wait()
}

// loginsOf returns the logins of the roles that are known.
func (d *decorator) loginsOf(ctx context.Context, conn *teleport.Conn, roles []string) map[string][]string {
	end := time.Now().Add(decorateTime)
	all := make(map[string][]string, len(roles))
	for _, role := range roles {
		if time.Now().After(end) {
			break
		}
		if found := d.roleLogins(ctx, conn, role); found.known {
			all[role] = found.logins
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

func (d *decorator) roleLogins(ctx context.Context, conn *teleport.Conn, role string) roleAnswer {
	const what = "logins"
	found, ok := d.logins.get(role)
	if ok {
		return found
	}
	d.lookups.once(ctx, "role "+role, func(ctx context.Context) {
		if _, ok := d.logins.get(role); ok || d.refused(what) {
			return
		}
		logins, err := conn.RoleLogins(ctx, role)
		if answers(err) {
			d.logins.put(role, roleAnswer{logins, err == nil}, lookupAge)
		}
		d.note(what, "role: read", err)
	})
	found, _ = d.logins.get(role)
	return found
}

// namesOf returns the names of resources that have one.
func (d *decorator) namesOf(ctx context.Context, conn *teleport.Conn, resources []teleport.Resource) map[string]string {
	missing := make(map[string][]types.ResourceID) // by kind
	for _, r := range resources {
		if _, ok := d.names.get(types.ResourceIDToString(r.ID)); !ok {
			missing[r.ID.Kind] = append(missing[r.ID.Kind], r.ID)
		}
	}
	var all sync.WaitGroup
	for kind, ids := range missing {
		all.Go(func() { d.lookUpNames(ctx, conn, kind, ids) })
	}
	all.Wait()
	names := make(map[string]string)
	for _, r := range resources {
		id := types.ResourceIDToString(r.ID)
		if name, _ := d.names.get(id); name != "" {
			names[id] = name
		}
	}
	return names
}

func (d *decorator) lookUpNames(ctx context.Context, conn *teleport.Conn, kind string, ids []types.ResourceID) {
	var keys []string
	for _, id := range ids {
		keys = append(keys, types.ResourceIDToString(id))
	}
	slices.Sort(keys)
	what := "names of resources of kind " + kind
	d.lookups.once(ctx, strings.Join(keys, "\n"), func(ctx context.Context) {
		known := func(key string) bool { _, ok := d.names.get(key); return ok }
		if d.refused(what) || !slices.ContainsFunc(keys, func(key string) bool { return !known(key) }) {
			return
		}
		names, err := conn.FriendlyNames(ctx, d.s.info.Load().ClusterName, ids)
		for _, key := range keys {
			if name := names[key]; name != "" {
				d.names.put(key, name, lookupAge)
			} else if answers(err) {
				d.names.put(key, "", lookupAge)
			}
		}
		d.note(what, kind+": list, read (by review_requests.preview_as_roles)", err)
	})
}

// answers reports whether a look-up that ended so will end so again. Another
// failure passes: all who waited for it share it, and the next one asks anew.
func answers(err error) bool {
	return err == nil || teleport.IsDenied(err) || teleport.IsNotFound(err)
}

func (d *decorator) refused(what string) bool {
	_, ok := d.denied.get(what)
	return ok
}

// note says once that something may not be looked up and leaves it for a while,
// and takes that back when it may.
func (d *decorator) note(what, rule string, err error) {
	denied := teleport.IsDenied(err)
	if denied {
		d.denied.put(what, struct{}{}, lookupAge)
	} else if err != nil {
		d.s.log.Debug("Messages go out without "+what, zap.Error(err))
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.noted[what] == denied {
		return
	}
	d.noted[what] = denied
	if !denied {
		d.s.health.Note(what, "")
		return
	}
	d.s.log.Warn("Messages go out without "+what+", which the plugin's role may not read; to show them add the rule "+rule, zap.Error(err))
	d.s.health.Note(what, "not shown in messages; add the rule "+rule)
}
