package rules_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"

	"teleport-plugins/lib/rules"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/teleport"
)

func addResource(t *testing.T, c *cluster.Cluster, kind, name string, labels map[string]string) types.ResourceID {
	t.Helper()
	if err := c.AddResource(cluster.ResourceSpec{Kind: kind, Name: name, Labels: labels}); err != nil {
		t.Fatal(err)
	}
	return types.ResourceID{ClusterName: c.Name(), Kind: kind, Name: name}
}

func requestFor(t *testing.T, c *cluster.Cluster, ids ...types.ResourceID) string {
	t.Helper()
	id, err := c.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"editor"}, Resources: ids})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestResourceLabels(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	conn := connectTo(t, c, cluster.PluginUser)
	dev, prod := map[string]string{"env": "dev"}, map[string]string{"env": "prod", "team": "a b"}
	node := addResource(t, c, types.KindNode, "4f1c", dev)
	app := addResource(t, c, types.KindApp, "grafana", prod)
	db := addResource(t, c, types.KindDatabase, "orders", prod)
	kube := addResource(t, c, types.KindKubernetesCluster, "k", dev)
	leaf := types.ResourceID{ClusterName: "leaf", Kind: types.KindNode, Name: "4f1c"}
	gone := types.ResourceID{ClusterName: c.Name(), Kind: types.KindNode, Name: "gone"}
	odd := types.ResourceID{ClusterName: c.Name(), Kind: "odd", Name: "odd"}
	pod := types.ResourceID{ClusterName: c.Name(), Kind: types.KindKubePod, Name: "k", SubResourceName: "default/web"}
	var many []types.ResourceID
	for i := range 250 {
		many = append(many, addResource(t, c, types.KindNode, fmt.Sprint("node", i), dev))
	}
	for name, r := range map[string]struct {
		ids  []types.ResourceID
		want []map[string]string
	}{
		"none":                                {nil, []map[string]string{}},
		"each kind, in order":                 {[]types.ResourceID{db, node, kube, app}, []map[string]string{prod, dev, dev, prod}},
		"a pod has the labels of its cluster": {[]types.ResourceID{pod, kube}, []map[string]string{dev, dev}},
		"unknown ones have none":              {[]types.ResourceID{leaf, node, gone, odd}, []map[string]string{nil, dev, nil, nil}},
		"many":                                {many, slices.Repeat([]map[string]string{dev}, len(many))},
	} {
		got, err := conn.ResourceLabels(t.Context(), c.Name(), requestFor(t, c, r.ids...))
		if err != nil || !reflect.DeepEqual(got, r.want) {
			t.Errorf("%s: got %v, %v\nwant %v", name, got, err, r.want)
		}
	}
}

// A newer cluster shows the resources elsewhere when one of them is confined.
func TestResourceLabelsOfConfinedResources(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	dev, prod := map[string]string{"env": "dev"}, map[string]string{"env": "prod"}
	node, app := addResource(t, c, types.KindNode, "4f1c", dev), addResource(t, c, types.KindApp, "grafana", prod)
	id, err := c.CreateRequest(cluster.CreateParams{
		User: cluster.Alice, Roles: []string{"editor"},
		Resources: []types.ResourceID{app}, Confined: []cluster.Confined{{ID: node, Logins: []string{"root"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := connectTo(t, c, cluster.PluginUser).ResourceLabels(t.Context(), c.Name(), id)
	if want := []map[string]string{dev, prod}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestResourceLabelsFails(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	conn := connectTo(t, c, cluster.PluginUser)
	request := requestFor(t, c, addResource(t, c, types.KindNode, "4f1c", nil))
	if _, err := conn.ResourceLabels(t.Context(), c.Name(), "none"); err == nil || !strings.Contains(err.Error(), "it does not exist") {
		t.Errorf("got %v", err)
	}
	c.FailCalls("ListResources", codes.Internal, 1)
	if _, err := conn.ResourceLabels(t.Context(), c.Name(), request); err == nil || !strings.HasPrefix(err.Error(), `listing resources of kind "node": `) {
		t.Errorf("got %v", err)
	}
	c.Deny(cluster.PluginRole, types.KindNode)
	if _, err := conn.ResourceLabels(t.Context(), c.Name(), request); !teleport.IsDenied(err) {
		t.Errorf("got %v", err)
	}
	c.Stop()
	if _, err := conn.ResourceLabels(t.Context(), c.Name(), request); !trace.IsConnectionProblem(err) {
		t.Errorf("got %v", err)
	}
}

// The documented conditions on labels, for requests of a cluster.
func TestRoutingByLabels(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	dev := addResource(t, c, types.KindNode, "dev", map[string]string{"env": "dev"})
	prod := addResource(t, c, types.KindDatabase, "prod", map[string]string{"env": "prod"})
	leaf := types.ResourceID{ClusterName: "leaf", Kind: types.KindNode, Name: "dev"}
	put(t, c, "all-dev", "example", `access_request.spec.resource_labels_intersection["env"].contains("dev")`, "#dev")
	put(t, c, "any-prod", "example", `access_request.spec.resource_labels_union["env"].contains("prod")`, "#prod")
	p := newPlugin(t, c)
	p.Router = rules.New(rules.Options{
		Plugin: "example", Cluster: p.conn, Log: zap.NewNop(),
		Labels: func(ctx context.Context, request string) ([]map[string]string, error) {
			return p.conn.ResourceLabels(ctx, c.Name(), request)
		},
	})
	for _, r := range []struct {
		ids  []types.ResourceID
		want []string
	}{
		{nil, nil},
		{[]types.ResourceID{dev}, []string{"#dev"}},
		{[]types.ResourceID{prod}, []string{"#prod"}},
		{[]types.ResourceID{dev, prod}, []string{"#prod"}},
		{[]types.ResourceID{dev, leaf}, nil},
	} {
		if got := p.route(c, cluster.CreateParams{Roles: []string{"editor"}, Resources: r.ids}); !slices.Equal(got, r.want) {
			t.Errorf("%v: %q, want %q", r.ids, got, r.want)
		}
	}
}
