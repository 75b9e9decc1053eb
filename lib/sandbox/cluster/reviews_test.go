package cluster_test

import (
	"strings"
	"testing"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"

	"teleport-plugins/lib/sandbox/cluster"
)

type vote struct {
	author string
	state  types.RequestState
}

func TestThresholds(t *testing.T) {
	const yes, no = types.RequestState_APPROVED, types.RequestState_DENIED
	tests := map[string]struct {
		roles []string
		votes []vote
		want  types.RequestState
	}{
		"one approval":                  {[]string{"editor"}, []vote{{cluster.Bob, yes}}, yes},
		"one denial":                    {[]string{"editor"}, []vote{{cluster.Bob, no}}, no},
		"one of two approvals":          {[]string{"prod-admin"}, []vote{{cluster.Bob, yes}}, types.RequestState_PENDING},
		"two of two approvals":          {[]string{"prod-admin"}, []vote{{cluster.Bob, yes}, {cluster.Carol, yes}}, yes},
		"a denial after an approval":    {[]string{"prod-admin"}, []vote{{cluster.Bob, yes}, {cluster.Carol, no}}, no},
		"the strictest of two roles":    {[]string{"editor", "prod-admin"}, []vote{{cluster.Bob, yes}}, types.RequestState_PENDING},
		"one of two denials":            {[]string{"hard-to-deny"}, []vote{{cluster.Bob, no}}, types.RequestState_PENDING},
		"a role that nobody has set up": {[]string{"unheard-of"}, []vote{{cluster.Bob, yes}}, yes},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := start(t, cluster.Options{})
			c.AddRole("hard-to-deny", cluster.RoleSpec{Deny: 2})
			id := create(t, c, cluster.CreateParams{Roles: test.roles})
			for _, v := range test.votes {
				must(t, c.Review(id, v.author, v.state, "because"))
			}
			r, _ := c.Request(id)
			same(t, r.GetState(), test.want)
			same(t, len(r.GetReviews()), len(test.votes))
			if !test.want.IsPending() {
				same(t, r.GetResolveReason(), "because")
			}
		})
	}
}

func submission(id, author string, state types.RequestState) types.AccessReviewSubmission {
	return types.AccessReviewSubmission{RequestID: id, Review: types.AccessReview{Author: author, ProposedState: state, Reason: "seen"}}
}

func TestSubmitAccessReview(t *testing.T) {
	c := start(t, cluster.Options{})
	id := create(t, c, cluster.CreateParams{})
	after, err := connect(t, c, cluster.Bob).SubmitAccessReview(background(t), submission(id, cluster.Bob, types.RequestState_APPROVED))
	must(t, err)
	same(t, after.GetState(), types.RequestState_APPROVED)
	same(t, after.GetReviews()[0].Author, cluster.Bob)
	same(t, after.GetReviews()[0].Reason, "seen")
	same(t, after.GetReviews()[0].Created.IsZero(), false)
}

func TestSubmitAccessReviewIsRefused(t *testing.T) {
	const yes = types.RequestState_APPROVED
	tests := map[string]struct {
		prepare func(t *testing.T, c *cluster.Cluster, id string)
		user    string
		change  func(*types.AccessReviewSubmission)
		refused func(error) bool
		text    string
	}{
		"second review": {
			prepare: func(t *testing.T, c *cluster.Cluster, id string) { must(t, c.Review(id, cluster.Bob, yes, "")) },
			refused: trace.IsAccessDenied, text: "has already reviewed this request",
		},
		"approved request": {
			prepare: func(t *testing.T, c *cluster.Cluster, id string) { must(t, c.Decide(id, yes, "")) },
			refused: trace.IsAccessDenied, text: "the access request has been already approved",
		},
		"denied request": {
			prepare: func(t *testing.T, c *cluster.Cluster, id string) {
				must(t, c.Decide(id, types.RequestState_DENIED, ""))
			},
			refused: trace.IsAccessDenied, text: "the access request has been already denied",
		},
		"promoted request": {
			prepare: func(t *testing.T, c *cluster.Cluster, id string) { must(t, c.Promote(id, "Payments team")) },
			refused: trace.IsAccessDenied, text: "the access request has been already promoted",
		},
		"request that is gone": {
			prepare: func(t *testing.T, c *cluster.Cluster, id string) { must(t, c.Delete(id)) },
			refused: trace.IsNotFound,
		},
		"own request":               {user: cluster.Alice, refused: trace.IsAccessDenied},
		"without the right":         {user: cluster.PluginUser, refused: trace.IsAccessDenied},
		"in another's name":         {change: func(s *types.AccessReviewSubmission) { s.Review.Author = cluster.Carol }, refused: trace.IsAccessDenied},
		"some of the roles":         {change: func(s *types.AccessReviewSubmission) { s.Review.Roles = []string{"prod-admin"} }, refused: trace.IsNotImplemented},
		"annotations":               {change: func(s *types.AccessReviewSubmission) { s.Review.Annotations = map[string][]string{"a": {"b"}} }, refused: trace.IsNotImplemented},
		"a proposal to promote":     {change: func(s *types.AccessReviewSubmission) { s.Review.ProposedState = types.RequestState_PROMOTED }, refused: trace.IsBadParameter},
		"a proposal of no decision": {change: func(s *types.AccessReviewSubmission) { s.Review.ProposedState = types.RequestState_PENDING }, refused: trace.IsBadParameter},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := start(t, cluster.Options{})
			id := create(t, c, cluster.CreateParams{Roles: []string{"prod-admin"}})
			if test.prepare != nil {
				test.prepare(t, c, id)
			}
			user := test.user
			if user == "" {
				user = cluster.Bob
			}
			s := submission(id, user, yes)
			if test.change != nil {
				test.change(&s)
			}
			_, err := connect(t, c, user).SubmitAccessReview(background(t), s)
			if !test.refused(err) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestReviewRightCanBeGivenToAPlugin(t *testing.T) {
	c := start(t, cluster.Options{})
	c.Allow(cluster.PluginRole, cluster.KindReviewRequests, cluster.VerbReview)
	id := create(t, c, cluster.CreateParams{})
	_, err := connect(t, c, cluster.PluginUser).SubmitAccessReview(background(t), submission(id, "", types.RequestState_APPROVED))
	// The client checks nothing; an empty author means the caller.
	must(t, err)
	r, _ := c.Request(id)
	same(t, r.GetReviews()[0].Author, cluster.PluginUser)
}

func TestPromote(t *testing.T) {
	c := start(t, cluster.Options{})
	id := create(t, c, cluster.CreateParams{})
	must(t, c.Promote(id, "Payments team"))
	r, _ := c.Request(id)
	same(t, r.GetState(), types.RequestState_PROMOTED)
	same(t, r.GetPromotedAccessListTitle(), "Payments team")
	if err := c.Promote(id, "Another"); err == nil {
		t.Error("a promoted request was promoted again")
	}
	if err := c.Decide(id, types.RequestState_DENIED, ""); err == nil {
		t.Error("a promoted request was denied")
	}
}

func TestSetAccessRequestState(t *testing.T) {
	c := start(t, cluster.Options{})
	admin := connect(t, c, cluster.AdminUser)
	id := create(t, c, cluster.CreateParams{Roles: []string{"editor", "prod-admin"}})
	ctx := background(t)
	must(t, admin.SetAccessRequestState(ctx, types.AccessRequestUpdate{
		RequestID: id, State: types.RequestState_APPROVED, Reason: "ok", Roles: []string{"editor"},
		Annotations: map[string][]string{"by": {"me"}},
	}))
	r, _ := c.Request(id)
	same(t, r.GetState(), types.RequestState_APPROVED)
	same(t, r.GetResolveReason(), "ok")
	same(t, r.GetRoles(), []string{"editor"})
	same(t, r.GetResolveAnnotations(), map[string][]string{"by": {"me"}})

	denied := connect(t, c, cluster.PluginUser).SetAccessRequestState(ctx, types.AccessRequestUpdate{RequestID: id, State: types.RequestState_DENIED})
	same(t, trace.IsAccessDenied(denied), true)
	missing := admin.SetAccessRequestState(ctx, types.AccessRequestUpdate{RequestID: "none", State: types.RequestState_DENIED})
	same(t, trace.IsNotFound(missing), true)
	other := admin.SetAccessRequestState(ctx, types.AccessRequestUpdate{RequestID: id, State: types.RequestState_APPROVED, Roles: []string{"root"}})
	same(t, trace.IsBadParameter(other), true)
}
