// Package request provides the access request as the plugins see it: its state, its
// reviews, and the version that says whether two of its states look the same.
package request

import (
	"slices"
	"time"
)

// Status is the state of a request as it is told to people.
type Status string

// The states a message can show. Their values are those that Teleport's own
// plugins store and print.
const (
	Pending  Status = "PENDING"
	Approved Status = "APPROVED"
	Denied   Status = "DENIED"
	Promoted Status = "PROMOTED"
	Expired  Status = "EXPIRED"
)

// Ended reports whether nothing more can happen to a request in this state.
func (s Status) Ended() bool { return s != Pending }

// Index is a small number that tells the states apart; 0 stands for every state
// that has no constant here.
func (s Status) Index() int { return slices.Index(statuses[:], s) + 1 }

var statuses = [...]Status{Pending, Approved, Denied, Promoted, Expired}

// Review is one reviewer's word on a request.
type Review struct {
	Author  string
	State   Status // Approved or Denied; another state is shown by its name
	Reason  string
	Created time.Time
}

// Resource is a requested resource.
type Resource struct {
	Cluster, Kind, Name string
	// Sub is the part of the resource that is asked for, such as the namespace and
	// the pod of a Kubernetes cluster; empty stands for all of it.
	Sub string
	// Logins and RoleARNs are the only ones that are asked for; both empty means all
	// that the roles allow.
	Logins, RoleARNs []string
	// Confined says that access is confined in a way that is not known here.
	Confined bool
}

// Threshold is a number of reviews that decides a request.
type Threshold struct {
	// Name may be empty; an empty Filter counts every review.
	Name, Filter string
	// Approve and Deny are the numbers of reviews; zero stands for never.
	Approve, Deny int
}

// View is all that a message can tell of one request. Texts are as the users
// wrote them: whoever renders them escapes them.
type View struct {
	ID      string
	Cluster string
	// User is the Teleport name of the requester.
	User string
	// Roles are sorted.
	Roles []string
	// Logins holds the logins that each requested role allows; nil when they
	// are not known.
	Logins map[string][]string
	// Resources are the requested resources by their most readable name, sorted,
	// each with what access to it is confined to: "node/web-1 (logins: root)".
	Resources []string
	// Wanted are the same resources by what identifies them, in the order of the
	// request; nil when they are not known.
	Wanted []Resource
	// LongTerm says that access is asked for that stays.
	LongTerm bool
	// OtherKind says that it is not understood of what kind the request is.
	OtherKind bool
	// Decidable says that people may decide about the request where the message is:
	// it has buttons then.
	Decidable bool
	Reason    string
	// Link leads to the request in Teleport's web UI; empty when the cluster
	// has no page for requests.
	Link string

	Status        Status
	ResolveReason string
	// AccessList is the title of the list that a promoted request led to.
	AccessList string
	// Reviews are in the order in which they were given.
	Reviews []Review
	// ApprovalsNeeded is how many approvals decide the request, or zero when
	// one number cannot say it.
	ApprovalsNeeded int
	// Thresholds say how many reviews decide the request, and whose.
	Thresholds []Threshold

	Created time.Time
	// Expires is when the request lapses if nobody decides it.
	Expires time.Time
	// Start is when the access begins, if the requester asked for a later time.
	Start time.Time
	// AccessUntil is when the granted access ends.
	AccessUntil time.Time
	// Now is the cluster's time when the view was made, where something depends on it.
	Now time.Time

	// SuggestedReviewers are named by the requester.
	SuggestedReviewers []string
	// Annotations are the system annotations that the requester's roles put on
	// the request.
	Annotations map[string][]string
}

// Count returns how many reviews propose the state.
func (v View) Count(s Status) int {
	n := 0
	for _, r := range v.Reviews {
		if r.State == s {
			n++
		}
	}
	return n
}

// Version names the state of a request that a message shows. Two views with the
// same version look the same; it changes with each review and each change of
// state, and with nothing that is looked up from elsewhere, so that every replica
// finds the same version. It is comparable; the zero value stands for a state
// that nobody knows.
type Version struct {
	Status  Status `json:"status,omitempty"`
	Reviews int    `json:"reviews,omitempty"`
}

// Version is that of the view.
func (v View) Version() Version { return Version{v.Status, len(v.Reviews)} }
