package sandbox

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/types"
)

// State is all that the page shows.
type State struct {
	// Version grows with each change.
	Version uint64 `json:"version"`
	// Cluster is the cluster's name.
	Cluster string `json:"cluster"`
	// Users, Roles and Resources can be chosen for a request; a resource is
	// named kind/name.
	Users     []string   `json:"users"`
	Roles     []string   `json:"roles"`
	Resources []Resource `json:"resources"`
	// Requests are sorted by the time of their creation, the newest first.
	Requests []Request `json:"requests"`
	// Services holds a Chat for each service.
	Services map[string]any `json:"services"`
	// Plugins are the plugins that the sandbox runs itself.
	Plugins []Plugin `json:"plugins"`
}

// Resource is something that access can be requested to.
type Resource struct {
	// ID is kind/name, Title what people call it.
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Request is an access request.
type Request struct {
	ID    string   `json:"id"`
	User  string   `json:"user"`
	Roles []string `json:"roles"`
	// Reason is the requester's, ResolveReason that of the decision.
	Reason        string `json:"reason"`
	ResolveReason string `json:"resolve_reason"`
	// State is PENDING, APPROVED, DENIED or PROMOTED.
	State   string    `json:"state"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	// Reviews are in the order in which they were given.
	Reviews            []Review `json:"reviews"`
	SuggestedReviewers []string `json:"suggested_reviewers"`
	Resources          []string `json:"resources"`
	// Approvals is how many approvals decide the request.
	Approvals uint32 `json:"approvals"`
	// AccessList is the title of the list that the request was promoted to.
	AccessList  string              `json:"access_list,omitempty"`
	Annotations map[string][]string `json:"annotations,omitempty"`
}

// Review is one person's judgement of a request.
type Review struct {
	Author  string    `json:"author"`
	State   string    `json:"state"`
	Reason  string    `json:"reason"`
	Created time.Time `json:"created"`
}

// Chat is a service as channels with messages.
type Chat struct {
	// Users are the names of people by their IDs.
	Users    map[string]string `json:"users,omitempty"`
	Channels []Channel         `json:"channels"`
}

// Channel is a channel, a direct message, or a PagerDuty service.
type Channel struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind"`
	// User is who is at the other end of a direct message.
	User string `json:"user,omitempty"`
	// Messages are sorted by time, the oldest first.
	Messages []Message `json:"messages"`
}

// Message is a message, a reply in a thread, an incident or a note.
type Message struct {
	ID string `json:"id"`
	// Thread is the ID of the message that this one replies to.
	Thread  string    `json:"thread,omitempty"`
	Author  string    `json:"author"`
	Created time.Time `json:"created"`
	// Text is what a reader sees, as plain text.
	Text string `json:"text"`
	// Mentions are those who were pinged.
	Mentions []string `json:"mentions,omitempty"`
	// Status is that of an incident.
	Status  string `json:"status,omitempty"`
	Edited  bool   `json:"edited"`
	Deleted bool   `json:"deleted,omitempty"`
	// Raw is the message in the service's own form.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// State is the sandbox at this moment, with the newest messages of each channel
// and the newest requests, at most limit of each; zero or less means all.
func (s *Sandbox) State(limit int) State {
	st := State{
		Version: s.changes.version.Load(), Cluster: s.cluster.Name(), Users: people, Roles: roles,
		Services: make(map[string]any, len(s.services)), Plugins: s.plugins.list(),
	}
	for _, r := range resources() {
		title := r.Name
		if r.Friendly != "" {
			title = r.Friendly
		}
		st.Resources = append(st.Resources, Resource{ID: r.Kind + "/" + r.Name, Title: r.Kind + " " + title})
	}
	st.Requests = requestViews(s.cluster.Requests(), limit)
	for _, v := range s.services {
		st.Services[v.name] = v.state(limit)
	}
	return st
}

func requestViews(list []*types.AccessRequestV3, limit int) []Request {
	if limit <= 0 || limit > len(list) {
		limit = len(list)
	}
	out := make([]Request, 0, limit)
	for i := range limit {
		out = append(out, requestView(list[len(list)-1-i]))
	}
	return out
}

func requestView(r *types.AccessRequestV3) Request {
	v := Request{
		ID: r.GetName(), User: r.GetUser(), Roles: orEmpty(r.GetRoles()), Reason: r.GetRequestReason(),
		ResolveReason: r.GetResolveReason(), State: r.GetState().String(), Created: r.GetCreationTime(),
		Expires: r.Expiry(), SuggestedReviewers: orEmpty(r.GetSuggestedReviewers()), Resources: []string{},
		Reviews: []Review{}, AccessList: r.GetPromotedAccessListTitle(), Annotations: r.GetSystemAnnotations(),
	}
	for _, id := range r.GetRequestedResourceIDs() {
		v.Resources = append(v.Resources, id.Kind+"/"+id.Name)
	}
	for _, review := range r.GetReviews() {
		v.Reviews = append(v.Reviews, Review{
			Author: review.Author, State: review.ProposedState.String(), Reason: review.Reason, Created: review.Created,
		})
	}
	for _, t := range r.GetThresholds() {
		v.Approvals = max(v.Approvals, t.Approve)
	}
	return v
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// raw is v in JSON. What the services hold can always be encoded; should it
// not be, the message is shown without.
func raw(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return data
}

// slackTime reads the time that a message's ID tells.
func slackTime(ts string) time.Time {
	whole, micros, _ := strings.Cut(ts, ".")
	s, err1 := strconv.ParseInt(whole, 10, 64)
	us, err2 := strconv.ParseInt(micros, 10, 64)
	if err1 != nil || err2 != nil {
		return time.Time{}
	}
	return time.Unix(s, us*1000).UTC()
}
