package document

import "time"

// Version is that of the document. It changes when a receiver of the old one could
// misunderstand the new one; new fields alone do not change it.
const Version = 1

// Event is something that has happened to an access request, with the whole request. The
// schema says more of each field.
type Event struct {
	Version int    `json:"version"`
	Type    string `json:"type"`
	// ID is the same whenever the event is delivered.
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	// Again says that the event was delivered before, and that nothing but the answer
	// is asked for.
	Again   bool    `json:"again,omitempty"`
	Cluster Cluster `json:"cluster"`
	Request Request `json:"request"`
	// Review is the one that an event of the kind Reviewed is about.
	Review *Review `json:"review,omitempty"`
	// Refused is the decision that the cluster refused.
	Refused *Refusal `json:"refused,omitempty"`
	// Partial says that something is missing which may be known later.
	Partial bool `json:"-"`
}

// Cluster is where the request was made.
type Cluster struct {
	Name  string `json:"name"`
	Proxy string `json:"proxy,omitempty"`
}

// Request is an access request. What is null is not known.
type Request struct {
	ID                 string              `json:"id"`
	User               string              `json:"user"`
	Traits             map[string][]string `json:"traits"`
	Roles              []string            `json:"roles"`
	Logins             map[string][]string `json:"logins"`
	Resources          []Resource          `json:"resources"`
	Names              []string            `json:"resource_names"`
	Kind               string              `json:"kind"`
	Reason             string              `json:"reason"`
	State              string              `json:"state"`
	ResolveReason      string              `json:"resolve_reason,omitempty"`
	AccessList         string              `json:"access_list,omitempty"`
	Created            time.Time           `json:"created,omitzero"`
	Expires            time.Time           `json:"expires,omitzero"`
	Start              time.Time           `json:"start,omitzero"`
	AccessUntil        time.Time           `json:"access_until,omitzero"`
	DurationSeconds    int64               `json:"duration_seconds,omitempty"`
	SuggestedReviewers []string            `json:"suggested_reviewers"`
	Annotations        map[string][]string `json:"annotations"`
	Thresholds         []Threshold         `json:"thresholds"`
	Reviews            []Review            `json:"reviews"`
	Link               string              `json:"link,omitempty"`
}

// Resource is a requested resource.
type Resource struct {
	FriendlyName string            `json:"friendly_name,omitempty"`
	Cluster      string            `json:"cluster"`
	Kind         string            `json:"kind"`
	Name         string            `json:"name"`
	Sub          string            `json:"sub,omitempty"`
	Labels       map[string]string `json:"labels"`
	Logins       []string          `json:"logins,omitempty"`
	RoleARNs     []string          `json:"role_arns,omitempty"`
	Confined     bool              `json:"confined,omitempty"`
}

// Threshold is a number of reviews that decides the request.
type Threshold struct {
	Name    string `json:"name,omitempty"`
	Filter  string `json:"filter,omitempty"`
	Approve int    `json:"approve"`
	Deny    int    `json:"deny"`
}

// Review is a review of the request.
type Review struct {
	Author  string    `json:"author"`
	State   string    `json:"state"`
	Reason  string    `json:"reason"`
	Created time.Time `json:"created,omitzero"`
}

// Refusal is a decision that the cluster did not take.
type Refusal struct {
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
	Cause    string `json:"cause"`
}
