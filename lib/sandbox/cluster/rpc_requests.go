package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Page sizes of ListAccessRequests on a real cluster.
const (
	defaultPage = 1000
	maxPage     = 16000
)

type emptyResponse = emptypb.Empty

// CreateAccessRequestV2 creates a request for the caller, or for somebody else
// with the right to create.
func (s *authService) CreateAccessRequestV2(ctx context.Context, r *types.AccessRequestV3) (*types.AccessRequestV3, error) {
	if r.GetUser() != callerOf(ctx) {
		if err := s.c.require(ctx, types.KindAccessRequest, types.VerbCreate); err != nil {
			return nil, err
		}
	}
	if !r.GetState().IsNone() && !r.GetState().IsPending() {
		return nil, trace.BadParameter("a new request is pending, not %s", r.GetState())
	}
	// What only the cluster decides.
	r.SetCreationTime(time.Time{})
	r.SetSystemAnnotations(nil)
	r.SetReviews(nil)
	return s.c.create(r, nil)
}

// SetAccessRequestState decides a request past its thresholds.
func (s *authService) SetAccessRequestState(ctx context.Context, p *proto.RequestStateSetter) (*emptyResponse, error) {
	if err := s.c.require(ctx, types.KindAccessRequest, types.VerbUpdate); err != nil {
		return nil, err
	}
	_, err := s.c.modify(p.ID, func(r *types.AccessRequestV3) error {
		if err := decide(r, p.State, p.Reason); err != nil {
			return err
		}
		if p.AssumeStartTime != nil {
			r.SetAssumeStartTime(*p.AssumeStartTime)
		}
		if len(p.Annotations) > 0 {
			r.SetResolveAnnotations(p.Annotations)
		}
		return overrideRoles(r, p.Roles)
	})
	if err != nil {
		return nil, err
	}
	return &emptyResponse{}, nil
}

// overrideRoles narrows an approval to some of the requested roles.
func overrideRoles(r *types.AccessRequestV3, roles []string) error {
	if len(roles) == 0 {
		return nil
	}
	for _, name := range roles {
		if !slices.Contains(r.GetRoles(), name) {
			return trace.BadParameter("role %q was not requested", name)
		}
	}
	r.SetRoles(roles)
	return nil
}

// SubmitAccessReview adds the caller's review.
func (s *authService) SubmitAccessReview(ctx context.Context, p *types.AccessReviewSubmission) (*types.AccessRequestV3, error) {
	caller := callerOf(ctx)
	if p.Review.Author == "" {
		p.Review.Author = caller
	}
	reviewer, err := s.c.reviewer(caller, &p.Review)
	if err != nil {
		return nil, err
	}
	if err := p.Check(); err != nil {
		return nil, trace.Wrap(err)
	}
	if !s.c.may(reviewer, KindReviewRequests, VerbReview) {
		return nil, trace.AccessDenied("user %q cannot review access requests", reviewer)
	}
	return s.c.review(p.RequestID, p.Review)
}

// DeleteAccessRequest deletes a request.
func (s *authService) DeleteAccessRequest(ctx context.Context, req *proto.RequestID) (*emptyResponse, error) {
	if err := s.c.require(ctx, types.KindAccessRequest, types.VerbDelete); err != nil {
		return nil, err
	}
	if err := s.c.Delete(req.ID); err != nil {
		return nil, err
	}
	return &emptyResponse{}, nil
}

// ListAccessRequests returns a page of the requests that the caller may see.
func (s *authService) ListAccessRequests(ctx context.Context, req *proto.ListAccessRequestsRequest) (*proto.ListAccessRequestsResponse, error) {
	if s.c.opts.Old {
		return nil, status.Error(codes.Unimplemented, "unknown method ListAccessRequests for service proto.AuthService")
	}
	q := query{descending: req.Descending, start: req.StartKey, sort: req.Sort, limit: int(req.Limit)}
	if req.Filter != nil {
		q.filter = *req.Filter
	}
	if q.limit > maxPage {
		return nil, trace.BadParameter("a page of %d requests is too large, the limit is %d", q.limit, maxPage)
	}
	if q.limit <= 0 {
		q.limit = defaultPage
	}
	page, next, err := s.c.list(ctx, q)
	if err != nil {
		return nil, err
	}
	return &proto.ListAccessRequestsResponse{AccessRequests: page, NextKey: next}, nil
}

// GetAccessRequestsV2 streams the requests that the caller may see; the only
// way on an old cluster.
func (s *authService) GetAccessRequestsV2(f *types.AccessRequestFilter, stream proto.AuthService_GetAccessRequestsV2Server) error {
	all, _, err := s.c.list(stream.Context(), query{filter: *f, limit: -1})
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := stream.Send(r); err != nil {
			return trace.Wrap(err)
		}
	}
	return nil
}

// query is one list call; a limit below zero means all.
type query struct {
	filter     types.AccessRequestFilter
	sort       proto.AccessRequestSort
	descending bool
	start      string
	limit      int
}

// list returns a page of what the caller may see. Without the right to list and
// read that is, silently, the caller's own requests and those the caller may
// review.
func (c *Cluster) list(ctx context.Context, q query) ([]*types.AccessRequestV3, string, error) {
	caller := callerOf(ctx)
	q.filter.Requester = caller
	seesAll := c.may(caller, types.KindAccessRequest, types.VerbList, types.VerbRead)
	reviews := c.may(caller, KindReviewRequests, VerbReview)
	match := func(rec *record) bool {
		r := rec.request
		return (seesAll || reviews || r.GetUser() == caller) && matches(q.filter, r)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if q.filter.ID != "" {
		rec, ok := c.requests.byID[q.filter.ID]
		if !ok || !match(rec) {
			return nil, "", nil
		}
		return []*types.AccessRequestV3{rec.request}, "", nil
	}
	from, prefix, err := c.requests.order(q)
	if err != nil {
		return nil, "", err
	}
	page, next := from.page(span{prefix: prefix, start: q.start, limit: q.limit, descending: q.descending}, match)
	out := make([]*types.AccessRequestV3, 0, len(page))
	for _, rec := range page {
		out = append(out, rec.request)
	}
	return out, next, nil
}

// order picks the index to read. One state in the default order is a stretch of
// the index by state, so that the pending ones are found at once among many.
func (s *requestStore) order(q query) (from *index[*record], prefix string, err error) {
	switch q.sort {
	case proto.AccessRequestSort_DEFAULT:
		if !q.filter.State.IsNone() {
			return &s.states, q.filter.State.String() + "/", nil
		}
		return &s.names, "", nil
	case proto.AccessRequestSort_CREATED:
		return &s.created, "", nil
	case proto.AccessRequestSort_STATE:
		return &s.states, "", nil // the filter drops the other states
	}
	return nil, "", trace.BadParameter("sort order %v is not supported", q.sort)
}

// matches looks at what is cheap before it lets the filter look at everything.
func matches(f types.AccessRequestFilter, r *types.AccessRequestV3) bool {
	if !f.State.IsNone() && f.State != r.GetState() || f.User != "" && f.User != r.GetUser() {
		return false
	}
	if len(f.SearchKeywords) == 0 && f.Scope == types.AccessRequestScope_DEFAULT {
		return true
	}
	return f.Match(r)
}
