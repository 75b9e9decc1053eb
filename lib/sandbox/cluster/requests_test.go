package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gravitational/teleport/api/client"
	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"google.golang.org/protobuf/encoding/protowire"

	"teleport-plugins/lib/sandbox/cluster"
)

func newRequest(t testing.TB, user string, roles ...string) *types.AccessRequestV3 {
	t.Helper()
	r, err := types.NewAccessRequest(uuid.NewString(), user, roles...)
	must(t, err)
	return r.(*types.AccessRequestV3)
}

func get(t testing.TB, clt *client.Client, f types.AccessRequestFilter) []string {
	t.Helper()
	all, err := clt.GetAccessRequests(background(t), f)
	must(t, err)
	ids := make([]string, 0, len(all))
	for _, r := range all {
		ids = append(ids, r.GetName())
	}
	return ids
}

func TestCreatedRequestIsCompletedByTheCluster(t *testing.T) {
	c := start(t, cluster.Options{})
	alice := connect(t, c, cluster.Alice)
	r := newRequest(t, cluster.Alice, "demo-role", "prod-admin")
	r.SetRequestReason("deploy")
	r.SetSuggestedReviewers([]string{cluster.Bob})
	made, err := alice.CreateAccessRequestV2(background(t), r)
	must(t, err)

	stored, ok := c.Request(made.GetName())
	same(t, ok, true)
	same(t, stored.GetState(), types.RequestState_PENDING)
	same(t, stored.GetRequestReason(), "deploy")
	same(t, stored.GetSuggestedReviewers(), []string{cluster.Bob})
	same(t, stored.GetSystemAnnotations()["services"], []string{"Payments"})
	same(t, len(stored.GetThresholds()), 2) // prod-admin needs two approvals
	for name, at := range map[string]time.Time{
		"creation": stored.GetCreationTime(), "expiry": stored.Expiry(), "access expiry": stored.GetAccessExpiry(),
		"max duration": stored.GetMaxDuration(), "session TTL": stored.GetSessionTLL(),
	} {
		if at.IsZero() {
			t.Errorf("the %s time is not set", name)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	tests := map[string]struct {
		change  func(*types.AccessRequestV3)
		refused func(error) bool
	}{
		"a long reason":        {func(r *types.AccessRequestV3) { r.SetRequestReason(strings.Repeat("x", cluster.MaxReason+1)) }, trace.IsBadParameter},
		"somebody else's name": {func(r *types.AccessRequestV3) { r.Spec.User = cluster.Bob }, trace.IsAccessDenied},
		"a decided request":    {func(r *types.AccessRequestV3) { r.Spec.State = types.RequestState_APPROVED }, trace.IsBadParameter},
		"no roles":             {func(r *types.AccessRequestV3) { r.Spec.Roles = nil }, trace.IsBadParameter},
		"an id that is taken":  {func(r *types.AccessRequestV3) { r.SetName("taken") }, trace.IsAlreadyExists},
		"a late start":         {func(r *types.AccessRequestV3) { r.SetAssumeStartTime(time.Now().Add(10000 * time.Hour)) }, trace.IsBadParameter},
	}
	c := start(t, cluster.Options{})
	create(t, c, cluster.CreateParams{ID: "taken"})
	alice := connect(t, c, cluster.Alice)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRequest(t, cluster.Alice, "editor")
			test.change(r)
			if _, err := alice.CreateAccessRequestV2(background(t), r); !test.refused(err) {
				t.Errorf("got %v", err)
			}
			same(t, len(c.Requests()), 1)
		})
	}
}

func TestLongestReasonIsAccepted(t *testing.T) {
	c := start(t, cluster.Options{})
	create(t, c, cluster.CreateParams{Reason: strings.Repeat("x", cluster.MaxReason)})
}

func TestDryRunStoresNothing(t *testing.T) {
	c := start(t, cluster.Options{})
	r := newRequest(t, cluster.Alice, "editor")
	r.SetDryRun(true)
	_, err := connect(t, c, cluster.Alice).CreateAccessRequestV2(background(t), r)
	must(t, err)
	same(t, len(c.Requests()), 0)
}

func TestCreateParams(t *testing.T) {
	c := start(t, cluster.Options{})
	created := time.Now().Add(-3 * time.Hour).UTC().Truncate(time.Second)
	begin := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	resource := types.ResourceID{ClusterName: c.Name(), Kind: types.KindNode, Name: "n1"}
	id := create(t, c, cluster.CreateParams{
		ID: "r1", Created: created, AssumeStart: &begin, Resources: []types.ResourceID{resource},
		Annotations: map[string][]string{"a": {"b"}}, LongTerm: true,
	})
	same(t, id, "r1")
	all, err := connect(t, c, cluster.PluginUser).GetAccessRequests(background(t), types.AccessRequestFilter{ID: "r1"})
	must(t, err)
	r := all[0].(*types.AccessRequestV3)
	same(t, r.GetCreationTime(), created)
	same(t, *r.GetAssumeStartTime(), begin)
	same(t, r.GetRequestedResourceIDs(), []types.ResourceID{resource})
	same(t, r.GetSystemAnnotations(), map[string][]string{"a": {"b"}})
	number, kind, _ := protowire.ConsumeTag(r.Spec.XXX_unrecognized)
	same(t, number, 24)
	same(t, kind, protowire.VarintType)
}

func TestListPages(t *testing.T) {
	c := start(t, cluster.Options{})
	base := time.Now().Add(-time.Minute)
	var byCreation, byName, pending, approved []string
	for i := range 25 {
		// The names run against the order of creation.
		id := create(t, c, cluster.CreateParams{ID: fmt.Sprintf("r%02d", 99-i), Created: base.Add(time.Duration(i) * time.Second)})
		byCreation = append(byCreation, id)
		if i%3 == 0 {
			must(t, c.Decide(id, types.RequestState_APPROVED, ""))
			approved = append(approved, id)
		} else {
			pending = append(pending, id)
		}
	}
	byName = slices.Sorted(slices.Values(byCreation))
	slices.Sort(pending)
	slices.Sort(approved)
	byState := slices.Concat(approved, pending)

	tests := map[string]struct {
		req  *proto.ListAccessRequestsRequest
		want []string
	}{
		"default":       {&proto.ListAccessRequestsRequest{}, byName},
		"created":       {&proto.ListAccessRequestsRequest{Sort: proto.AccessRequestSort_CREATED}, byCreation},
		"state":         {&proto.ListAccessRequestsRequest{Sort: proto.AccessRequestSort_STATE}, byState},
		"pending":       {&proto.ListAccessRequestsRequest{Filter: &types.AccessRequestFilter{State: types.RequestState_PENDING}}, pending},
		"nobody's":      {&proto.ListAccessRequestsRequest{Filter: &types.AccessRequestFilter{User: "nobody"}}, nil},
		"denied":        {&proto.ListAccessRequestsRequest{Filter: &types.AccessRequestFilter{State: types.RequestState_DENIED}}, nil},
		"search":        {&proto.ListAccessRequestsRequest{Filter: &types.AccessRequestFilter{SearchKeywords: []string{"r99"}}}, []string{"r99"}},
		"alice's":       {&proto.ListAccessRequestsRequest{Filter: &types.AccessRequestFilter{User: cluster.Alice}}, byName},
		"by id":         {&proto.ListAccessRequestsRequest{Filter: &types.AccessRequestFilter{ID: "r90"}}, []string{"r90"}},
		"by unknown id": {&proto.ListAccessRequestsRequest{Filter: &types.AccessRequestFilter{ID: "r00"}}, nil},
	}
	clt := connect(t, c, cluster.PluginUser)
	for name, test := range tests {
		for _, limit := range []int32{0, 1, 7, 25} {
			for _, descending := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s by %d, descending %v", name, limit, descending), func(t *testing.T) {
					want := slices.Clone(test.want)
					if descending {
						slices.Reverse(want)
					}
					req := *test.req
					req.Limit, req.Descending = limit, descending
					same(t, pages(t, clt, &req), want)
				})
			}
		}
	}
}

// pages reads all pages and fails when one is longer than asked for.
func pages(t *testing.T, clt *client.Client, req *proto.ListAccessRequestsRequest) (ids []string) {
	t.Helper()
	for {
		rsp, err := clt.ListAccessRequests(background(t), req)
		must(t, err)
		if req.Limit > 0 && len(rsp.AccessRequests) > int(req.Limit) {
			t.Fatalf("a page has %d requests", len(rsp.AccessRequests))
		}
		for _, r := range rsp.AccessRequests {
			ids = append(ids, r.GetName())
		}
		if rsp.NextKey == "" {
			return ids
		}
		req.StartKey = rsp.NextKey
	}
}

func TestPageLimit(t *testing.T) {
	c := start(t, cluster.Options{})
	_, err := connect(t, c, cluster.PluginUser).ListAccessRequests(background(t), &proto.ListAccessRequestsRequest{Limit: 16001})
	same(t, trace.IsBadParameter(err), true)
}

func TestOldClusterStreamsRequests(t *testing.T) {
	c := start(t, cluster.Options{Old: true})
	id := create(t, c, cluster.CreateParams{})
	clt := connect(t, c, cluster.PluginUser)
	pong, err := clt.Ping(background(t))
	must(t, err)
	same(t, pong.ServerVersion, cluster.OldVersion)
	_, err = clt.ListAccessRequests(background(t), &proto.ListAccessRequestsRequest{})
	same(t, trace.IsNotImplemented(err), true)
	// The client falls back by itself.
	same(t, get(t, clt, types.AccessRequestFilter{State: types.RequestState_PENDING}), []string{id})
	same(t, c.Calls()["GetAccessRequestsV2"], 1)
}

func TestRequestExpiresByItself(t *testing.T) {
	c := start(t, cluster.Options{})
	w := watch(t, connect(t, c, cluster.PluginUser), requestsOnly())
	confirmed(t, w)
	id := create(t, c, cluster.CreateParams{TTL: time.Millisecond})
	same(t, next(t, w).Type, types.OpPut)
	gone := next(t, w)
	same(t, gone.Type, types.OpDelete)
	same(t, gone.Resource.GetName(), id)
	_, ok := c.Request(id)
	same(t, ok, false)
}

func TestDecidedRequestLivesAsLongAsItsAccess(t *testing.T) {
	c := start(t, cluster.Options{})
	id := create(t, c, cluster.CreateParams{})
	before, _ := c.Request(id)
	must(t, c.Decide(id, types.RequestState_APPROVED, ""))
	after, _ := c.Request(id)
	same(t, after.Expiry(), before.GetAccessExpiry())
	same(t, before.GetState(), types.RequestState_PENDING) // what was read does not change
}

func TestDeleteAccessRequest(t *testing.T) {
	c := start(t, cluster.Options{})
	admin := connect(t, c, cluster.AdminUser)
	id := create(t, c, cluster.CreateParams{})
	must(t, admin.DeleteAccessRequest(background(t), id))
	same(t, trace.IsNotFound(admin.DeleteAccessRequest(background(t), id)), true)
	same(t, trace.IsAccessDenied(connect(t, c, cluster.PluginUser).DeleteAccessRequest(background(t), id)), true)
}
