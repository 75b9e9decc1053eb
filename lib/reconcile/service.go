package reconcile

import (
	"context"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
)

// Service is what an integration must be able to do. Errors are *outbound.Error,
// whose kind says what can be done about them; other errors are tried again.
// Each call has a deadline in its context and is made once: the reconciler
// alone repeats calls.
type Service interface {
	// Resolve turns a recipient, as it stands in the config or in the request,
	// into the address that the service knows it by.
	Resolve(ctx context.Context, recipient string) (address string, err error)
	// Post announces the request in the state that the view shows.
	Post(ctx context.Context, address string, v message.View) (plugindata.Message, error)
	// Edit makes a post show the view.
	Edit(ctx context.Context, m plugindata.Message, v message.View) error
	// Check says whether the service accepts our credentials.
	Check(ctx context.Context) error
}

// Replier is a Service that tells each review below the post.
type Replier interface {
	// Reply tells the review with the given index in the view.
	Reply(ctx context.Context, m plugindata.Message, v message.View, review int) error
}

// Finder is a Service that can look for what an earlier call, whose outcome is
// not known, may have left. What it cannot look up counts as not found.
type Finder interface {
	// CanFind says whether posts can be looked up at all. While they cannot,
	// messages are made one by one, each recorded before the next.
	CanFind() bool
	// Find looks for the announcement of the request.
	Find(ctx context.Context, address string, v message.View) (m plugindata.Message, found bool, err error)
	// FindReply looks for the reply that tells the review with the given index.
	FindReply(ctx context.Context, m plugindata.Message, v message.View, review int) (found bool, err error)
}

// RequesterTeller is a Service that can speak to the person who made a request.
type RequesterTeller interface {
	// Requester returns the recipient under which the requester is to be
	// reached, or an empty text.
	Requester(v message.View) string
	// Notice tells the requester, at the address, how the request ended.
	Notice(ctx context.Context, address string, v message.View) error
}

// Decider is a Service that may approve requests by rule.
type Decider interface {
	// Decide looks at a pending request once. It may leave notes on its posts.
	Decide(ctx context.Context, v message.View, posts []plugindata.Message) (Decision, error)
}

// Decision is the outcome of a rule.
type Decision struct {
	// Approve asks for an approving review.
	Approve bool
	// Reason is the text of the review.
	Reason string
	// Evidence says, for the record and the log, what the decision rests on.
	Evidence string
}

// Router chooses the recipients of a request, by the names in the config.
type Router interface {
	Recipients(ctx context.Context, v message.View) []string
}

// Cluster is what the reconciler asks of the Teleport cluster.
type Cluster interface {
	// GetRequest reads a request from the cluster's store; it returns nil and
	// no error when the cluster shows none.
	GetRequest(ctx context.Context, id string) (types.AccessRequest, error)
	// GetPluginData reads a record; it is empty when there is none.
	GetPluginData(ctx context.Context, kind, resource, plugin string) (map[string]string, error)
	// UpdatePluginData changes a record if it holds what is expected.
	UpdatePluginData(ctx context.Context, kind, resource, plugin string, set, expect map[string]string) error
	// SubmitReview approves a request.
	SubmitReview(ctx context.Context, id, author, reason string) error
}

// Faults sorts the errors of a Cluster.
type Faults struct {
	IsConflict func(error) bool // a compare-and-swap was refused
	IsDenied   func(error) bool // a permission is missing
	IsNotFound func(error) bool // the request of a record does not exist
}

// Decorator adds what is nice to know to a view: the logins that roles allow,
// the names of resources. What it cannot find out it leaves as it is.
type Decorator interface {
	Decorate(ctx context.Context, v *message.View, req types.AccessRequest)
}

// Health is told in which condition the plugin is.
type Health interface {
	// Set states a condition; a reason in words goes with a bad one.
	Set(condition string, ok bool, reason string)
}

// Observer counts what happens; metrics implement it.
type Observer interface {
	// Stepped counts a step (post, edit, reply, notice, find, resolve) and how
	// it ended: ok, or the kind of its failure, and how long it took.
	Stepped(step, outcome string, took time.Duration)
	// Recorded counts a write to a record; conflict says that it was refused.
	Recorded(conflict bool)
}
