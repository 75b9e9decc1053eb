package teleport

import (
	"context"
	"fmt"
	"slices"

	"github.com/gravitational/teleport/api/accessrequest"
	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
)

// ResourceLabels reads the labels of each resource of a request from the named
// cluster, the one connected to. There is one entry for each
// resource. It is empty where the labels are not known, because the resource
// belongs to a leaf cluster, is gone, is of a kind that cannot be listed, or is
// not shown to the plugin: then a label cannot be said of all resources. Of an
// object within a Kubernetes cluster the labels are those of the cluster.
func (c *Conn) ResourceLabels(ctx context.Context, cluster, request string) ([]map[string]string, error) {
	req, err := c.GetRequest(ctx, request)
	if err != nil {
		return nil, err
	}
	if req == nil {
		return nil, fmt.Errorf("reading the resources of access request %s: it does not exist", request)
	}
	return c.LabelsOf(ctx, cluster, req)
}

// LabelsOf is ResourceLabels for a request that was read, or that does not exist.
func (c *Conn) LabelsOf(ctx context.Context, cluster string, req types.AccessRequest) ([]map[string]string, error) {
	var ids []types.ResourceID
	for _, r := range Resources(req) {
		ids = append(ids, r.ID)
	}
	found := make(map[string]map[string]string) // by types.ResourceIDToString
	for kind, names := range namesByKind(cluster, ids) {
		for batch := range slices.Chunk(names, namesPerCall) {
			if err := c.listLabels(ctx, cluster, kind, batch, found); err != nil {
				return nil, err
			}
		}
	}
	labels := make([]map[string]string, 0, len(ids))
	for _, id := range ids {
		labels = append(labels, found[types.ResourceIDToString(listed(id))])
	}
	return labels, nil
}

// listed is the id of the resource that carries the labels of another.
func listed(id types.ResourceID) types.ResourceID {
	if slices.Contains(types.KubernetesResourcesKinds, id.Kind) {
		id.Kind = types.KindKubernetesCluster
	}
	return types.ResourceID{ClusterName: id.ClusterName, Kind: id.Kind, Name: id.Name}
}

func namesByKind(cluster string, ids []types.ResourceID) map[string][]string {
	names := make(map[string][]string)
	for _, id := range ids {
		if id = listed(id); id.ClusterName == cluster && !slices.Contains(names[id.Kind], id.Name) {
			names[id.Kind] = append(names[id.Kind], id.Name)
		}
	}
	return names
}

// listLabels adds the labels of the named resources of one kind.
func (c *Conn) listLabels(ctx context.Context, cluster, kind string, names []string, found map[string]map[string]string) error {
	ids := make([]types.ResourceID, 0, len(names))
	for _, name := range names {
		ids = append(ids, types.ResourceID{ClusterName: cluster, Kind: kind, Name: name})
	}
	list, err := accessrequest.GetResourcesByResourceIDs(ctx, c, ids, func(r *proto.ListResourcesRequest) {
		// The rights to see what others may request, as the web page has them.
		r.UseSearchAsRoles, r.UsePreviewAsRoles = true, true
	})
	switch {
	case trace.IsBadParameter(err), trace.IsNotImplemented(err):
		return nil // a kind that this cluster does not list
	case err != nil:
		return fmt.Errorf("listing resources of kind %q: %w", kind, trace.Unwrap(err))
	}
	for _, r := range list {
		id := types.ResourceID{ClusterName: cluster, Kind: kind, Name: r.GetName()}
		found[types.ResourceIDToString(id)] = r.GetAllLabels()
	}
	return nil
}
