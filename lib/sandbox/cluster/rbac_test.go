package cluster_test

import (
	"slices"
	"testing"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"

	"teleport-plugins/lib/sandbox/cluster"
)

func TestWithoutRightsOnlyOwnRequestsAreSeen(t *testing.T) {
	all := types.AccessRequestFilter{}
	c := start(t, cluster.Options{})
	c.AddUser("erin", []string{"requester"}, nil)
	hers, other := create(t, c, cluster.CreateParams{User: "erin"}), create(t, c, cluster.CreateParams{User: cluster.Alice})
	both := slices.Sorted(slices.Values([]string{hers, other}))

	erin := connect(t, c, "erin")
	same(t, get(t, erin, all), []string{hers})
	same(t, get(t, erin, types.AccessRequestFilter{ID: other}), []string{})
	same(t, get(t, connect(t, c, cluster.Bob), all), both) // a reviewer sees what can be reviewed
	same(t, get(t, connect(t, c, cluster.PluginUser), all), both)
}

func TestListNeedsListAndRead(t *testing.T) {
	for _, verb := range []string{types.VerbList, types.VerbRead} {
		t.Run(verb, func(t *testing.T) {
			c := start(t, cluster.Options{})
			id := create(t, c, cluster.CreateParams{})
			clt := connect(t, c, cluster.PluginUser)
			c.Deny(cluster.PluginRole, types.KindAccessRequest, verb)
			same(t, get(t, clt, types.AccessRequestFilter{}), []string{})
			same(t, get(t, clt, types.AccessRequestFilter{ID: id}), []string{})
			c.Allow(cluster.PluginRole, types.KindAccessRequest, verb)
			same(t, get(t, clt, types.AccessRequestFilter{}), []string{id})
		})
	}
}

func TestDenyWinsOverEveryRole(t *testing.T) {
	c := start(t, cluster.Options{})
	c.AddUser("frank", []string{"editor", "muted"}, nil)
	frank := connect(t, c, "frank")
	_, err := frank.GetRole(background(t), "editor")
	must(t, err)
	c.Deny("muted", types.KindRole)
	_, err = frank.GetRole(background(t), "editor")
	same(t, trace.IsAccessDenied(err), true)
}

func TestCallsNeedTheirRights(t *testing.T) {
	ctx := background(t)
	c := start(t, cluster.Options{AdvancedWorkflows: true})
	id := create(t, c, cluster.CreateParams{})
	must(t, c.PutAccessList(cluster.AccessList{Name: "l", Title: "L", Owners: []string{cluster.Alice}}))
	clt := connect(t, c, cluster.PluginUser)
	ofRequest := types.PluginDataFilter{Kind: types.KindAccessRequest, Resource: id}

	tests := map[string]struct {
		lose []string // kind and verbs
		call func() error
	}{
		"role":       {[]string{types.KindRole, types.VerbRead}, func() error { _, err := clt.GetRole(ctx, "editor"); return err }},
		"user":       {[]string{types.KindUser, types.VerbRead}, func() error { _, err := clt.GetUser(ctx, cluster.Alice, false); return err }},
		"users":      {[]string{types.KindUser, types.VerbList}, func() error { _, err := clt.GetUsers(ctx, false); return err }},
		"write data": {[]string{types.KindAccessPluginData, types.VerbUpdate}, func() error { return update(ctx, clt, id, nil, data{"k": "v"}) }},
		"rules": {[]string{types.KindAccessMonitoringRule, types.VerbList}, func() error {
			_, _, err := clt.AccessMonitoringRulesClient().ListAccessMonitoringRulesWithFilter(ctx, 0, "", nil, "")
			return err
		}},
		"lists":  {[]string{types.KindAccessList, types.VerbList}, func() error { _, _, err := clt.AccessListClient().ListAccessLists(ctx, 0, ""); return err }},
		"owners": {[]string{types.KindAccessList, types.VerbRead}, func() error { _, err := clt.AccessListClient().GetAccessListOwners(ctx, "l"); return err }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			must(t, test.call())
			c.Deny(cluster.PluginRole, test.lose[0], test.lose[1:]...)
			defer c.Allow(cluster.PluginRole, test.lose[0], test.lose[1:]...)
			if err := test.call(); !trace.IsAccessDenied(err) {
				t.Errorf("got %v, want access denied", err)
			}
		})
	}

	t.Run("read data by either right", func(t *testing.T) {
		read := func() error { _, err := clt.GetPluginData(ctx, ofRequest); return err }
		c.Deny(cluster.PluginRole, types.KindAccessPluginData, types.VerbRead)
		must(t, read())
		c.Deny(cluster.PluginRole, types.KindAccessRequest, types.VerbRead)
		same(t, trace.IsAccessDenied(read()), true)
		c.Allow(cluster.PluginRole, types.KindAccessPluginData, types.VerbRead)
		must(t, read())
	})
}

func TestEveryoneReadsThemselves(t *testing.T) {
	c := start(t, cluster.Options{})
	alice := connect(t, c, cluster.Alice)
	u, err := alice.GetCurrentUser(background(t))
	must(t, err)
	same(t, u.GetName(), cluster.Alice)
	same(t, u.GetTraits()["team"], []string{"payments"})
	_, err = alice.GetUser(background(t), cluster.Bob, false)
	same(t, trace.IsAccessDenied(err), true)
}

func TestUsersAndRoles(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	ctx := background(t)
	users, err := clt.GetUsers(ctx, false)
	must(t, err)
	same(t, slices.ContainsFunc(users, func(u types.User) bool { return u.GetName() == cluster.Carol }), true)
	r, err := clt.GetRole(ctx, "demo-role")
	must(t, err)
	same(t, r.GetLogins(types.Allow), []string{"ubuntu", "ec2-user"})
	same(t, r.GetAccessRequestConditions(types.Allow).Annotations["services"], []string{"Payments"})
	_, err = clt.GetRole(ctx, "none")
	same(t, trace.IsNotFound(err), true)
	_, err = clt.GetUser(ctx, "none", false)
	same(t, trace.IsNotFound(err), true)
}
