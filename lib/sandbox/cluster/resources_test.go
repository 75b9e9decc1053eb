package cluster_test

import (
	"testing"
	"time"

	"github.com/gravitational/teleport/api/accessrequest"
	"github.com/gravitational/teleport/api/client"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"

	"teleport-plugins/lib/sandbox/cluster"
)

func details(t *testing.T, c *cluster.Cluster, clt *client.Client, ids ...types.ResourceID) map[string]string {
	t.Helper()
	found, err := accessrequest.GetResourceDetails(background(t), c.Name(), clt, ids)
	must(t, err)
	names := map[string]string{}
	for id, d := range found {
		names[id] = d.FriendlyName
	}
	return names
}

func TestResourcesHaveFriendlyNames(t *testing.T) {
	c := start(t, cluster.Options{})
	must(t, c.AddResource(cluster.ResourceSpec{Kind: types.KindNode, Name: "n-1", Friendly: `db "one"`}))
	must(t, c.AddResource(cluster.ResourceSpec{Kind: types.KindUserGroup, Name: "g-1", Friendly: "Operators"}))
	node := types.ResourceID{ClusterName: c.Name(), Kind: types.KindNode, Name: "n-1"}
	group := types.ResourceID{ClusterName: c.Name(), Kind: types.KindUserGroup, Name: "g-1"}
	gone := types.ResourceID{ClusterName: c.Name(), Kind: types.KindNode, Name: "n-2"}
	clt := connect(t, c, cluster.PluginUser)
	same(t, details(t, c, clt, node, group, gone), map[string]string{
		types.ResourceIDToString(node): `db "one"`, types.ResourceIDToString(group): "Operators",
	})

	// Without access there is nothing to see; a deny rule is an error.
	same(t, details(t, c, connect(t, c, cluster.Alice), node), map[string]string{})
	c.Deny(cluster.PluginRole, types.KindNode)
	_, err := accessrequest.GetResourceDetails(background(t), c.Name(), clt, []types.ResourceID{node})
	same(t, trace.IsAccessDenied(err), true)
}

func TestEveryKindIsListed(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	for kind, name := range map[string]string{
		types.KindApp: "grafana", types.KindDatabase: "payments-db", types.KindKubernetesCluster: "prod-eu",
	} {
		found, err := accessrequest.GetResourcesByResourceIDs(background(t), clt, []types.ResourceID{{Kind: kind, Name: name}})
		must(t, err)
		same(t, len(found), 1)
		same(t, found[0].GetName(), name)
		same(t, found[0].GetAllLabels()["env"], "prod")
	}
}

func TestRules(t *testing.T) {
	c := start(t, cluster.Options{})
	must(t, c.PutRule(cluster.Rule{Name: "b", Condition: "true", Plugin: "example", Recipients: []string{"#b"}}))
	must(t, c.PutRule(cluster.Rule{Name: "a", Condition: "true", Plugin: "example", Recipients: []string{"#a"}}))
	must(t, c.PutRule(cluster.Rule{Name: "c", Condition: "true", Plugin: "another", Recipients: []string{"1"}}))
	if err := c.PutRule(cluster.Rule{Name: "no condition", Plugin: "example"}); err == nil {
		t.Error("a rule without a condition was stored")
	}
	rules := connect(t, c, cluster.PluginUser).AccessMonitoringRulesClient()
	ctx := background(t)

	var names []string
	for token := ""; ; {
		page, next, err := rules.ListAccessMonitoringRulesWithFilter(ctx, 1, token, []string{types.KindAccessRequest}, "example")
		must(t, err)
		for _, r := range page {
			names = append(names, r.GetMetadata().GetName())
		}
		if token = next; token == "" {
			break
		}
	}
	same(t, names, []string{"a", "b"})
	all, _, err := rules.ListAccessMonitoringRules(ctx, 0, "")
	must(t, err)
	same(t, len(all), 3)
	none, _, err := rules.ListAccessMonitoringRulesWithFilter(ctx, 0, "", []string{"session"}, "example")
	must(t, err)
	same(t, len(none), 0)
}

func TestRulesAreManagedOverTheWire(t *testing.T) {
	c := start(t, cluster.Options{})
	must(t, c.PutRule(cluster.Rule{Name: "a", Condition: "true", Plugin: "example"}))
	admin := connect(t, c, cluster.AdminUser).AccessMonitoringRulesClient()
	ctx := background(t)
	r, err := admin.GetAccessMonitoringRule(ctx, "a")
	must(t, err)
	_, err = admin.CreateAccessMonitoringRule(ctx, r)
	same(t, trace.IsAlreadyExists(err), true)
	_, err = admin.UpdateAccessMonitoringRule(ctx, r)
	must(t, err)
	must(t, admin.DeleteAccessMonitoringRule(ctx, "a"))
	_, err = admin.UpdateAccessMonitoringRule(ctx, r)
	same(t, trace.IsNotFound(err), true)
	_, err = admin.UpsertAccessMonitoringRule(ctx, r)
	must(t, err)
}

func TestAccessLists(t *testing.T) {
	c := start(t, cluster.Options{AdvancedWorkflows: true})
	due := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	must(t, c.PutAccessList(cluster.AccessList{
		Name: "payments", Title: "Payments team", Owners: []string{cluster.Alice},
		InheritedOwners: []string{cluster.Bob}, NextAudit: due,
	}))
	lists := connect(t, c, cluster.PluginUser).AccessListClient()
	ctx := background(t)
	all, next, err := lists.ListAccessLists(ctx, 10, "")
	must(t, err)
	same(t, next, "")
	same(t, all[0].GetName(), "payments")
	same(t, all[0].Spec.Title, "Payments team")
	same(t, all[0].Spec.Audit.NextAuditDate.UTC(), due)
	same(t, all[0].Spec.Audit.Notifications.Start, 14*24*time.Hour)
	same(t, len(all[0].Spec.Owners), 1)
	owners, err := lists.GetAccessListOwners(ctx, "payments")
	must(t, err)
	same(t, []string{owners[0].Name, owners[1].Name}, []string{cluster.Alice, cluster.Bob})
	must(t, c.DeleteAccessList("payments"))
	_, err = lists.GetAccessListOwners(ctx, "payments")
	same(t, trace.IsNotFound(err), true)
}

func TestAccessListsAreNotImplemented(t *testing.T) {
	for name, opts := range map[string]cluster.Options{
		"community": {}, "old": {Old: true, AdvancedWorkflows: true},
	} {
		t.Run(name, func(t *testing.T) {
			lists := connect(t, start(t, opts), cluster.PluginUser).AccessListClient()
			_, _, err := lists.ListAccessLists(background(t), 0, "")
			same(t, trace.IsNotImplemented(err), true)
			_, err = lists.GetAccessListOwners(background(t), "any")
			same(t, trace.IsNotImplemented(err), true)
		})
	}
}
