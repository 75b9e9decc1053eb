package cluster_test

import (
	"fmt"
	"testing"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox/cluster"
)

// populated is a cluster with n requests, all but the last ten decided.
func populated(b *testing.B, n int) *cluster.Cluster {
	b.Helper()
	c := start(b, cluster.Options{})
	for i := range n {
		id := create(b, c, cluster.CreateParams{})
		if i < n-10 {
			must(b, c.Decide(id, types.RequestState_APPROVED, ""))
		}
	}
	return c
}

func BenchmarkPendingAmong(b *testing.B) {
	for _, n := range []int{1000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			clt := connect(b, populated(b, n), cluster.PluginUser)
			ctx := b.Context()
			req := &proto.ListAccessRequestsRequest{Limit: 100, Filter: &types.AccessRequestFilter{State: types.RequestState_PENDING}}
			for b.Loop() {
				rsp, err := clt.ListAccessRequests(ctx, req)
				must(b, err)
				same(b, len(rsp.AccessRequests), 10)
			}
		})
	}
}

func BenchmarkUpdatePluginData(b *testing.B) {
	c := start(b, cluster.Options{})
	id := create(b, c, cluster.CreateParams{})
	clt := connect(b, c, cluster.PluginUser)
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := update(ctx, clt, id, nil, data{"k": "v"}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkCreateWithWatcher(b *testing.B) {
	c := start(b, cluster.Options{})
	w := watch(b, connect(b, c, cluster.PluginUser), requestsOnly())
	confirmed(b, w)
	b.ReportAllocs()
	for b.Loop() {
		create(b, c, cluster.CreateParams{})
		next(b, w)
	}
}
