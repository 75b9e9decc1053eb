package sandbox

import (
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox/panel"
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
	// Services are by their names, Order are these names in their order.
	Services map[string]Service `json:"services"`
	Order    []string           `json:"order"`
	// Plugins are the plugins that the sandbox runs itself.
	Plugins []Plugin `json:"plugins"`
	// Play is the scene that is played, or was last.
	Play Play `json:"play"`
	// Instance is another one for each sandbox, and Total how many requests there are.
	Instance string `json:"instance"`
	Total    int    `json:"total"`
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

// Service is a simulated service as the page shows it.
type Service struct {
	// Title is its name as people write it; Accent and Side are its colours.
	Title  string `json:"title"`
	Accent string `json:"accent"`
	Side   string `json:"side"`
	panel.Panel
}

// State is the sandbox at this moment, with the newest messages of each channel
// and the newest requests, at most limit of each; zero or less means all.
func (s *Sandbox) State(limit int) State {
	st := State{
		Version: s.changes.version.Load(), Cluster: s.cluster.Name(), Users: people, Roles: roles,
		Services: make(map[string]Service, len(s.services)), Order: s.Services(), Plugins: s.plugins.list(),
		Play: s.stage.now(), Instance: s.instance,
	}
	for _, r := range resources() {
		title := r.Name
		if r.Friendly != "" {
			title = r.Friendly
		}
		st.Resources = append(st.Resources, Resource{ID: r.Kind + "/" + r.Name, Title: r.Kind + " " + title})
	}
	requests := s.cluster.Requests()
	st.Requests, st.Total = requestViews(requests, limit), len(requests)
	for _, v := range s.services {
		shown := v.Panel(limit)
		for i := range shown.Channels {
			shown.Channels[i].Messages = append([]panel.Message{}, shown.Channels[i].Messages...)
		}
		st.Services[v.Name] = Service{Title: v.Title, Accent: v.Accent, Side: v.Side, Panel: shown}
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
