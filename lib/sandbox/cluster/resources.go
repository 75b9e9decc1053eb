package cluster

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
)

// resource is one thing that access can be requested to, in the form in which
// ListResources sends it.
type resource struct {
	name    string
	labels  map[string]string
	message *proto.PaginatedResource
}

// ResourceSpec describes a resource of the cluster.
type ResourceSpec struct {
	// Kind is node, app, db, kube_cluster or user_group.
	Kind string
	// Name is the resource's name; of a node it is a UUID on a real cluster.
	Name string
	// Friendly is what people call it: the hostname of a node, the
	// description of a user group. Other kinds have none.
	Friendly string
	// Labels are the resource's labels.
	Labels map[string]string
}

// resourceKinds are the kinds that requests name.
func resourceKinds() []string {
	return []string{types.KindNode, types.KindApp, types.KindDatabase, types.KindKubernetesCluster, types.KindUserGroup}
}

// AddResource adds a resource, or replaces the one of the same kind and name.
func (c *Cluster) AddResource(spec ResourceSpec) error {
	message, err := spec.message()
	if err != nil {
		return fmt.Errorf("making %s %s: %w", spec.Kind, spec.Name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.resources[spec.Kind]
	if !ok {
		x = &index[resource]{}
		c.resources[spec.Kind] = x
	}
	x.put(spec.Name, resource{name: spec.Name, labels: spec.Labels, message: message})
	return nil
}

func (s ResourceSpec) message() (*proto.PaginatedResource, error) {
	switch s.Kind {
	case types.KindNode:
		return s.node()
	case types.KindApp:
		return s.app()
	case types.KindDatabase:
		return s.database()
	case types.KindKubernetesCluster:
		return s.kube()
	case types.KindUserGroup:
		return s.userGroup()
	}
	return nil, trace.BadParameter("resources of kind %q are not supported", s.Kind)
}

func (s ResourceSpec) meta() types.Metadata {
	return types.Metadata{Name: s.Name, Labels: s.Labels}
}

func (s ResourceSpec) node() (*proto.PaginatedResource, error) {
	n, err := types.NewServerWithLabels(s.Name, types.KindNode, types.ServerSpecV2{Hostname: s.Friendly}, s.Labels)
	if err != nil {
		return nil, trace.Wrap(err)
	}
	return &proto.PaginatedResource{Resource: &proto.PaginatedResource_Node{Node: n.(*types.ServerV2)}}, nil
}

func (s ResourceSpec) app() (*proto.PaginatedResource, error) {
	app, err := types.NewAppV3(s.meta(), types.AppSpecV3{URI: "http://localhost:8080", PublicAddr: s.Name + ".example.com"})
	if err != nil {
		return nil, trace.Wrap(err)
	}
	server, err := types.NewAppServerV3FromApp(app, "host", "host-id")
	if err != nil {
		return nil, trace.Wrap(err)
	}
	return &proto.PaginatedResource{Resource: &proto.PaginatedResource_AppServer{AppServer: server}}, nil
}

func (s ResourceSpec) database() (*proto.PaginatedResource, error) {
	db, err := types.NewDatabaseV3(s.meta(), types.DatabaseSpecV3{Protocol: "postgres", URI: "localhost:5432"})
	if err != nil {
		return nil, trace.Wrap(err)
	}
	server, err := types.NewDatabaseServerV3(types.Metadata{Name: s.Name}, types.DatabaseServerSpecV3{
		HostID: "host-id", Hostname: "host", Database: db,
	})
	if err != nil {
		return nil, trace.Wrap(err)
	}
	return &proto.PaginatedResource{Resource: &proto.PaginatedResource_DatabaseServer{DatabaseServer: server}}, nil
}

func (s ResourceSpec) kube() (*proto.PaginatedResource, error) {
	kube, err := types.NewKubernetesClusterV3(s.meta(), types.KubernetesClusterSpecV3{})
	if err != nil {
		return nil, trace.Wrap(err)
	}
	server, err := types.NewKubernetesServerV3FromCluster(kube, "host", "host-id")
	if err != nil {
		return nil, trace.Wrap(err)
	}
	return &proto.PaginatedResource{Resource: &proto.PaginatedResource_KubernetesServer{KubernetesServer: server}}, nil
}

// userGroup is one that came from Okta, since only those have a friendly name.
func (s ResourceSpec) userGroup() (*proto.PaginatedResource, error) {
	meta := s.meta()
	meta.Description = s.Friendly
	meta.Labels = map[string]string{types.OriginLabel: types.OriginOkta}
	for k, v := range s.Labels {
		meta.Labels[k] = v
	}
	group, err := types.NewUserGroup(meta, types.UserGroupSpecV1{})
	if err != nil {
		return nil, trace.Wrap(err)
	}
	return &proto.PaginatedResource{Resource: &proto.PaginatedResource_UserGroup{UserGroup: group.(*types.UserGroupV1)}}, nil
}

func (c *Cluster) addSampleResources() error {
	for _, spec := range []ResourceSpec{
		{types.KindNode, "6a1f0b0e-5d3c-4e7a-9c55-0d7c1f6a2b31", "web-1.prod", map[string]string{"env": "prod"}},
		{types.KindNode, "b7c2e9d4-1f48-4a06-8e3b-52a94f0c7d18", "web-2.staging", map[string]string{"env": "staging"}},
		{types.KindApp, "grafana", "", map[string]string{"env": "prod"}},
		{types.KindDatabase, "payments-db", "", map[string]string{"env": "prod", "team": "payments"}},
		{types.KindKubernetesCluster, "prod-eu", "", map[string]string{"env": "prod"}},
		{types.KindUserGroup, "00g1emaKYZTWRYYRRTSK", "Payments engineers", nil},
	} {
		if err := c.AddResource(spec); err != nil {
			return err
		}
	}
	return nil
}

// kindOfListed maps the kinds of ListResources, which for some are the servers
// that present the resource, to the kinds that requests and roles name.
func kindOfListed(listed string) string {
	switch listed {
	case types.KindAppServer:
		return types.KindApp
	case types.KindDatabaseServer:
		return types.KindDatabase
	case types.KindKubeServer:
		return types.KindKubernetesCluster
	}
	return listed
}

// ListResources returns a page of the resources of one kind that the caller can
// see. As on a real cluster a caller without access sees none; only a deny rule
// is an error. Search and preview roles count as the caller's own rights.
func (s *authService) ListResources(ctx context.Context, req *proto.ListResourcesRequest) (*proto.ListResourcesResponse, error) {
	kind, caller := kindOfListed(req.ResourceType), callerOf(ctx)
	if s.c.denied(caller, kind, types.VerbList) {
		return nil, trace.AccessDenied("user %q is denied to list %s", caller, kind)
	}
	if !s.c.may(caller, kind, types.VerbList) {
		return &proto.ListResourcesResponse{}, nil
	}
	names, err := namesOf(req.PredicateExpression)
	if err != nil {
		return nil, err
	}
	s.c.mu.RLock()
	defer s.c.mu.RUnlock()
	rsp := &proto.ListResourcesResponse{}
	x, ok := s.c.resources[kind]
	if !ok {
		return rsp, nil
	}
	page, next := x.page(span{start: req.StartKey, limit: cmp.Or(int(req.Limit), defaultPage)}, func(r resource) bool {
		return (names == nil || names[r.name]) && hasLabels(r.labels, req.Labels)
	})
	for _, r := range page {
		rsp.Resources = append(rsp.Resources, r.message)
	}
	rsp.NextKey = next
	return rsp, nil
}

func hasLabels(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

// namesOf reads a predicate of the form that looks resources up by name:
// resource.metadata.name == "a" || resource.metadata.name == "b". An empty one
// gives nil: all names.
func namesOf(expression string) (map[string]bool, error) {
	if expression == "" {
		return nil, nil
	}
	names := make(map[string]bool)
	for _, m := range nameTerm().FindAllStringSubmatch(expression, -1) {
		name, err := strconv.Unquote(m[1])
		if err != nil {
			return nil, trace.BadParameter("name %s in the predicate is not quoted well", m[1])
		}
		names[name] = true
	}
	if len(names) == 0 {
		return nil, trace.BadParameter("predicate %q is not supported", expression)
	}
	return names, nil
}

func nameTerm() *regexp.Regexp {
	return regexp.MustCompile(`(?:resource\.metadata\.)?name == ("(?:[^"\\]|\\.)*")`)
}
