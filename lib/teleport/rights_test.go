package teleport

import (
	"errors"
	"strings"
	"testing"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"

	"teleport-plugins/lib/sandbox/cluster"
)

// A cluster shows an empty list to someone who may not list, and no error.
func TestMayListRequests(t *testing.T) {
	for name, r := range map[string]struct {
		change    func(*cluster.Cluster)
		may, sure bool
	}{
		"the documented role":    {func(*cluster.Cluster) {}, true, true},
		"no right to list":       {func(c *cluster.Cluster) { c.Deny(cluster.PluginRole, types.KindAccessRequest, types.VerbList) }, false, true},
		"no right to read":       {func(c *cluster.Cluster) { c.Deny(cluster.PluginRole, types.KindAccessRequest, types.VerbRead) }, false, true},
		"the role lost its role": {func(c *cluster.Cluster) { c.AddUser(cluster.PluginUser, []string{"requester"}, nil) }, false, false},
		"roles that are not handed out": {func(c *cluster.Cluster) {
			c.FailCalls("GetCurrentUserRoles", codes.Unimplemented, 1)
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, cluster.Options{})
			conn := connectTo(t, c, cluster.PluginUser)
			r.change(c)
			may, sure, err := conn.MayListRequests(t.Context())
			if may != r.may || sure != r.sure || err != nil {
				t.Errorf("got %t, %t, %v; want %t, %t", may, sure, err, r.may, r.sure)
			}
		})
	}
	t.Run("a cluster that cannot be asked", func(t *testing.T) {
		c := startCluster(t, cluster.Options{})
		conn := connectTo(t, c, cluster.PluginUser)
		c.FailCalls("GetCurrentUserRoles", codes.Unavailable, 1)
		if _, _, err := conn.MayListRequests(t.Context()); !isUnavailable(err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestRulesOfRoles(t *testing.T) {
	rule := func(kinds, verbs, where string) types.Rule {
		return types.Rule{Resources: strings.Split(kinds, ","), Verbs: strings.Split(verbs, ","), Where: where}
	}
	for name, r := range map[string]struct {
		allow, deny    []types.Rule
		allowed, known bool
	}{
		"none":                      {nil, nil, false, true},
		"by name":                   {[]types.Rule{rule("token,access_request", "read,list", "")}, nil, true, true},
		"by wildcards":              {[]types.Rule{rule("*", "*", "")}, nil, true, true},
		"another kind":              {[]types.Rule{rule("access_list", "list", "")}, nil, false, true},
		"another verb":              {[]types.Rule{rule("access_request", "read", "")}, nil, false, true},
		"on a condition":            {[]types.Rule{rule("access_request", "list", "false")}, nil, false, false},
		"with and without one":      {[]types.Rule{rule("access_request", "list", "false"), rule("access_request", "list", "")}, nil, true, true},
		"denied":                    {[]types.Rule{rule("access_request", "list", "")}, []types.Rule{rule("*", "list", "")}, false, true},
		"denied on a condition":     {[]types.Rule{rule("access_request", "list", "")}, []types.Rule{rule("*", "list", "x")}, false, false},
		"denied on one, not needed": {nil, []types.Rule{rule("*", "list", "x")}, false, true},
		"denied otherwise":          {[]types.Rule{rule("access_request", "list", "")}, []types.Rule{rule("token", "*", "")}, true, true},
	} {
		role := must(types.NewRole("r", types.RoleSpecV6{}))(t)
		role.SetRules(types.Allow, r.allow)
		role.SetRules(types.Deny, r.deny)
		other := must(types.NewRole("other", types.RoleSpecV6{}))(t)
		allowed, known := allows([]types.Role{other, role}, types.KindAccessRequest, types.VerbList)
		if allowed != r.allowed || known != r.known {
			t.Errorf("%s: got %t, %t; want %t, %t", name, allowed, known, r.allowed, r.known)
		}
	}
}

// A locked user lacks no permission: nobody is sent to add a rule.
func TestALockIsNamed(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	conn := connectTo(t, c, cluster.PluginUser)
	open := must(conn.NewWatcher(t.Context(), types.KindAccessRequest))(t)
	defer open.Close()
	nextEvent(t, open)
	c.Revoke(cluster.PluginUser)
	<-open.Done()
	late := must(conn.NewWatcher(t.Context(), types.KindAccessRequest))(t)
	defer late.Close()
	<-late.Done()
	_, probe := conn.Probe(t.Context())
	_, _, right := conn.MayListRequests(t.Context())
	_, request := conn.GetRequest(t.Context(), "id")
	dial := condense(DialOptions{Identity: identityFor(t, c, cluster.PluginUser)}, errors.New("all dials failed: access denied: lock targeting User:\"access-plugin\" is in force\n\tmore")).err
	for what, err := range map[string]error{
		"an open stream": open.Error(), "a new stream": late.Error(), "the probe": probe, "the roles": right, "a request": request, "dialing": dial,
	} {
		if !errors.Is(err, ErrLocked) || IsDenied(err) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		wantFault(t, err, ErrLocked, "the cluster has locked the plugin out \\(lock targeting User:\"access-plugin\" is in force\\); find the lock with `tctl get locks` and remove it with `tctl rm lock/<name>`")
	}
}

func TestAStreamOfNothingIsAMissingPermission(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	conn := connectTo(t, c, cluster.PluginUser)
	c.Deny(cluster.PluginRole, types.KindAccessRequest)
	w := must(conn.NewWatcher(t.Context(), types.KindAccessRequest))(t)
	defer w.Close()
	<-w.Done()
	if err := w.Error(); !IsDenied(err) || err.Error() != "watching access requests: none of the requested kinds can be watched" {
		t.Errorf("got %v", err)
	}
}
