package conformance

import (
	"context"

	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/fault"
)

// FarEnd is a simulated service as people see it.
type FarEnd interface {
	// Config returns the TOML of the service's own sections: credentials, the
	// address of the service, and recipients such that a request for the role
	// Role goes to the two recipients that Recipients names, and one for the
	// role BrokenRole to the first of them and to one that does not exist.
	Config() string
	// Recipients names the two places, as Post.Place and fault.Fault.Target
	// name them.
	Recipients() [2]string
	// Posts returns what people see of a request: its announcements, not those
	// that were removed, in the order in which they were made.
	Posts(request string) []Post
	// Remove removes a post by hand; it reports false where that is impossible.
	Remove(p Post) bool
	// Methods names the calls that the faults are set on.
	Methods() Methods
	// Faults are the switches of the service.
	Faults() *fault.Set
	// RejectCredentials makes the service refuse our credentials, or take them
	// again.
	RejectCredentials(on bool)
	// Secret is what must never be seen in a log.
	Secret() string
	// Wait waits until done reports true, looking after each change.
	Wait(ctx context.Context, done func() bool) error
}

// Preparer is a FarEnd whose recipients come from what the cluster says of the
// roles.
type Preparer interface {
	// Prepare sets up the roles.
	Prepare(c *cluster.Cluster)
}

// Methods names calls of a service as its faults know them.
type Methods struct{ Post, Edit string }

// Post is an announcement.
type Post struct {
	// Place is where it stands, as Recipients names it.
	Place string
	// ID tells it from others in its place.
	ID string
	// Text is all that can be read in it now.
	Text string
	// Replies are what stands below it, in order.
	Replies []string
	// Pings are whom it calls by name: it should be nobody.
	Pings []string
}

// Roles that a FarEnd's config knows.
const (
	Role       = "editor"
	BrokenRole = "prod-admin"
)
