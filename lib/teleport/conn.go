package teleport

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/gravitational/teleport/api/accessrequest"
	"github.com/gravitational/teleport/api/client"
	"github.com/gravitational/teleport/api/client/proto"
	accesslistv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accesslist/v1"
	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
	userspb "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc"
)

const (
	// pageSize is the number of requests asked for at once. A request is a
	// kilobyte or more, so a page stays well below a megabyte.
	pageSize = 100
	// namesPerCall bounds the expression that selects resources by name.
	namesPerCall = 100
)

// errLoop says that a cluster's paging does not advance.
var errLoop = errors.New("the cluster answered with the page key it was asked for")

// Conn makes the calls the engine needs over one connection. It is safe for
// concurrent use. No call is retried; each error says what was being done and
// satisfies the predicates of this package.
type Conn struct {
	clt   calls
	auth  proto.AuthServiceClient
	lists accesslistv1.AccessListServiceClient
	grpc  grpc.ClientConnInterface
	roles []string // of the certificate

	// What this cluster does not know, learned from its answers.
	noRequestPages atomic.Bool
	noRuleFilter   atomic.Bool
}

// calls are the methods of the api client that are used. Were the client itself
// a field, the linker would have to keep all of its several hundred methods and
// what they need, which is a megabyte of every binary.
type calls struct {
	Close               func() error
	Ping                func(context.Context) (proto.PingResponse, error)
	NewWatcher          func(context.Context, types.Watch) (types.Watcher, error)
	ListAccessRequests  func(context.Context, *proto.ListAccessRequestsRequest) (*proto.ListAccessRequestsResponse, error)
	SubmitAccessReview  func(context.Context, types.AccessReviewSubmission) (types.AccessRequest, error)
	GetRole             func(context.Context, string) (types.Role, error)
	GetUser             func(context.Context, string, bool) (types.User, error)
	ListUsers           func(context.Context, *userspb.ListUsersRequest) (*userspb.ListUsersResponse, error)
	GetLocks            func(context.Context, bool, ...types.LockTarget) ([]types.Lock, error)
	GetCurrentUserRoles func(context.Context) ([]types.Role, error)
	GetPluginData       func(context.Context, types.PluginDataFilter) ([]types.PluginData, error)
	UpdatePluginData    func(context.Context, types.PluginDataUpdateParams) error
	ListResources       func(context.Context, proto.ListResourcesRequest) (*types.ListResourcesResponse, error)
	ListRulesWithFilter func(ctx context.Context, pageSize int, token string, subjects []string, notificationName string) ([]*rulesv1.AccessMonitoringRule, string, error)
	ListRules           func(ctx context.Context, pageSize int, token string) ([]*rulesv1.AccessMonitoringRule, string, error)
}

// NewConn wraps a connected client, which it then owns.
func NewConn(clt *client.Client) *Conn {
	rules := clt.AccessMonitoringRulesClient()
	conn := clt.GetConnection()
	return &Conn{grpc: conn, roles: certRoles(clt.Config()), auth: proto.NewAuthServiceClient(conn), lists: accesslistv1.NewAccessListServiceClient(conn), clt: calls{
		Close: clt.Close, Ping: clt.Ping, NewWatcher: clt.NewWatcher,
		ListAccessRequests: clt.ListAccessRequests, SubmitAccessReview: clt.SubmitAccessReview,
		GetRole: clt.GetRole, GetUser: clt.GetUser, ListUsers: clt.ListUsers, GetLocks: clt.GetLocks, GetCurrentUserRoles: clt.GetCurrentUserRoles,
		GetPluginData: clt.GetPluginData, UpdatePluginData: clt.UpdatePluginData,
		ListResources:       clt.ListResources,
		ListRulesWithFilter: rules.ListAccessMonitoringRulesWithFilter, ListRules: rules.ListAccessMonitoringRules,
	}}
}

// ListResources lists resources of one kind, a page at a time, as the api client
// does; helpers of the api module take the connection for this method.
func (c *Conn) ListResources(ctx context.Context, req proto.ListResourcesRequest) (*types.ListResourcesResponse, error) {
	return c.clt.ListResources(ctx, req)
}

// Close ends the connection, its watchers and its pending calls.
func (c *Conn) Close() error { return c.clt.Close() }

// Probe asks the cluster who it is; see [Probe].
func (c *Conn) Probe(ctx context.Context) (Info, error) { return Probe(ctx, pinger(c.clt.Ping)) }

type pinger func(context.Context) (proto.PingResponse, error)

func (p pinger) Ping(ctx context.Context) (proto.PingResponse, error) { return p(ctx) }

// Ping is a cheap authenticated call that shows whether the connection lives.
func (c *Conn) Ping(ctx context.Context) error {
	if _, err := c.clt.Ping(ctx); err != nil {
		return failed(err, "pinging the Teleport cluster")
	}
	return nil
}

// GetRequest reads one access request past the cluster's cache. It returns nil
// without an error when the cluster has no such request, or when the identity
// may not see it: a cluster does not tell the two apart.
func (c *Conn) GetRequest(ctx context.Context, id string) (types.AccessRequest, error) {
	var found types.AccessRequest
	err := c.listRequests(ctx, types.AccessRequestFilter{ID: id}, func(page []*types.AccessRequestV3) error {
		for _, r := range page {
			if r.GetName() == id {
				found = r
			}
		}
		return nil
	})
	if err != nil {
		return nil, failed(err, "reading access request %s", id)
	}
	return found, nil
}

// ListRequests calls fn with each page of at most 100 access requests of any
// state, from the cluster's cache: read a request again before acting on it.
// Nothing of a page is kept once fn returns. An error of fn ends the listing
// and is returned as it is.
func (c *Conn) ListRequests(ctx context.Context, fn func(page []*types.AccessRequestV3) error) error {
	var stopped error
	err := c.listRequests(ctx, types.AccessRequestFilter{}, func(page []*types.AccessRequestV3) error {
		stopped = fn(page)
		return stopped
	})
	switch {
	case stopped != nil:
		return stopped
	case err != nil:
		return failed(err, "listing access requests")
	}
	return nil
}

func (c *Conn) listRequests(ctx context.Context, filter types.AccessRequestFilter, fn func([]*types.AccessRequestV3) error) error {
	if c.noRequestPages.Load() {
		return c.streamRequests(ctx, filter, fn)
	}
	req := &proto.ListAccessRequestsRequest{Filter: &filter, Limit: pageSize}
	for {
		resp, err := c.clt.ListAccessRequests(ctx, req)
		if IsUnimplemented(err) && req.StartKey == "" {
			c.noRequestPages.Store(true)
			return c.streamRequests(ctx, filter, fn)
		}
		if err != nil {
			return err
		}
		if len(resp.AccessRequests) > 0 {
			if err := fn(resp.AccessRequests); err != nil {
				return err
			}
		}
		switch resp.NextKey {
		case "":
			return nil
		case req.StartKey:
			return errLoop
		}
		req.StartKey = resp.NextKey
	}
}

// streamRequests is the listing of clusters before 15: one stream of all that
// match, cut into pages here.
func (c *Conn) streamRequests(ctx context.Context, filter types.AccessRequestFilter, fn func([]*types.AccessRequestV3) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when fn stops early
	stream, err := c.auth.GetAccessRequestsV2(ctx, &filter)
	if err != nil {
		return err
	}
	var page []*types.AccessRequestV3
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if page = append(page, req); len(page) < pageSize {
			continue
		}
		if err := fn(page); err != nil {
			return err
		}
		page = nil
	}
	if len(page) == 0 {
		return nil
	}
	return fn(page)
}

// SubmitReview adds a review to a request and returns the request after it.
// The author must be empty or the identity's own user. Teleport refuses a
// second review, a review of a decided request and a forbidden one alike, with
// [IsDenied]: read the request to tell them apart.
func (c *Conn) SubmitReview(ctx context.Context, id string, review types.AccessReview) (types.AccessRequest, error) {
	req, err := c.clt.SubmitAccessReview(ctx, types.AccessReviewSubmission{RequestID: id, Review: review})
	if err != nil {
		return nil, failed(err, "reviewing access request %s", id)
	}
	return req, nil
}

// RoleLogins returns the logins that a role allows.
func (c *Conn) RoleLogins(ctx context.Context, role string) ([]string, error) {
	r, err := c.clt.GetRole(ctx, role)
	if err != nil {
		return nil, failed(err, "reading role %q", role)
	}
	return r.GetLogins(types.Allow), nil
}

// UserTraits returns the traits of a user.
func (c *Conn) UserTraits(ctx context.Context, user string) (map[string][]string, error) {
	u, err := c.clt.GetUser(ctx, user, false)
	if err != nil {
		return nil, failed(err, "reading user %q", user)
	}
	return u.GetTraits(), nil
}

// FriendlyNames looks up the display names of resources of the named cluster,
// the one connected to; ids of other clusters are left out, because their
// resources are not known here. The result is keyed by
// [types.ResourceIDToString] and holds only what has a name: nodes (host name),
// apps, user groups and Identity Center accounts.
//
// Each kind is looked up on its own. If some fail, the names of the others are
// returned together with the errors.
func (c *Conn) FriendlyNames(ctx context.Context, cluster string, ids []types.ResourceID) (map[string]string, error) {
	names := make(map[string]string)
	var errs []error
	for kind, batch := range byKind(cluster, ids) {
		for len(batch) > 0 {
			n := min(namesPerCall, len(batch))
			details, err := accessrequest.GetResourceDetails(ctx, cluster, c, batch[:n])
			if err != nil {
				errs = append(errs, failed(err, "looking up names of resources of kind %q", kind))
				break
			}
			for id, d := range details {
				names[id] = d.FriendlyName
			}
			batch = batch[n:]
		}
	}
	return names, errors.Join(errs...)
}

func byKind(cluster string, ids []types.ResourceID) map[string][]types.ResourceID {
	kinds := make(map[string][]types.ResourceID)
	for _, id := range ids {
		if id.ClusterName == cluster {
			kinds[id.Kind] = append(kinds[id.Kind], id)
		}
	}
	return kinds
}

// ListRules calls fn with each access monitoring rule that notifies the named
// plugin about access requests. A cluster that cannot filter sends all rules
// and the choice is made here. [IsUnimplemented] means that the cluster has no
// rules at all, [IsDenied] that the identity may not read them. An error of fn
// ends the listing and is returned as it is.
func (c *Conn) ListRules(ctx context.Context, plugin string, fn func(*rulesv1.AccessMonitoringRule) error) error {
	for token := ""; ; {
		rules, next, err := c.rulePage(ctx, plugin, token)
		if err == nil && next != "" && next == token {
			err = errLoop
		}
		if err != nil {
			return failed(err, "listing access monitoring rules")
		}
		for _, rule := range rules {
			if !RuleConcerns(rule, plugin) {
				continue
			}
			if err := fn(rule); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		token = next
	}
}

func (c *Conn) rulePage(ctx context.Context, plugin, token string) ([]*rulesv1.AccessMonitoringRule, string, error) {
	if !c.noRuleFilter.Load() {
		rules, next, err := c.clt.ListRulesWithFilter(ctx, pageSize, token, []string{types.KindAccessRequest}, plugin)
		if !IsUnimplemented(err) || token != "" {
			return rules, next, err
		}
		c.noRuleFilter.Store(true)
	}
	return c.clt.ListRules(ctx, pageSize, token)
}

// RuleConcerns reports that a rule notifies the named plugin about access
// requests.
func RuleConcerns(rule *rulesv1.AccessMonitoringRule, plugin string) bool {
	spec := rule.GetSpec()
	if spec.GetNotification().GetName() != plugin {
		return false
	}
	for _, subject := range spec.GetSubjects() {
		if subject == types.KindAccessRequest {
			return true
		}
	}
	return false
}
