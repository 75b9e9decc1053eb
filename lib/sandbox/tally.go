package sandbox

import (
	"net/http"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox/tally"
)

// Tally is what is wrong at the services now, as it is seen there.
type Tally struct {
	// Version is that of the state that was counted, or of an earlier one.
	Version  uint64                 `json:"version"`
	Total    tally.Tally            `json:"total"`
	Services map[string]tally.Tally `json:"services"`
}

// Tally counts what is lost, doubled and stale at all services. Expected is a message
// at each place that the demonstration's config names for the request, one for each
// suggested reviewer and for the requester whom the service knows, and each review below
// them.
func (s *Sandbox) Tally() Tally {
	t := Tally{
		Version: s.changes.version.Load(), Total: tally.Tally{Details: []string{}},
		Services: make(map[string]tally.Tally, len(s.services)),
	}
	requests := s.cluster.Requests()
	for _, v := range s.services {
		one := tally.Count(v.expected(requests), v.Panel(0).Sights())
		t.Services[v.Name] = one
		t.Total.Add(one)
	}
	return t
}

// getTally counts once for each version of the state, for all who ask.
func (s *Sandbox) getTally(*http.Request) (int, any, error) {
	s.counting.Lock()
	defer s.counting.Unlock()
	if s.counted.Services == nil || s.counted.Version != s.changes.version.Load() {
		s.counted = s.Tally()
	}
	return http.StatusOK, s.counted, nil
}

// expected are the requests with the places at which a service must show them.
func (v service) expected(requests []*types.AccessRequestV3) []tally.Request {
	routes, known := v.demoRoutes(), make(map[string]tally.Place)
	place := func(recipient string) tally.Place {
		p, ok := known[recipient]
		if !ok {
			p = tally.Place{ID: v.Place(recipient), Threads: v.Threads(recipient)}
			known[recipient] = p
		}
		return p
	}
	out := make([]tally.Request, 0, len(requests))
	for _, r := range requests {
		one := tally.Request{ID: r.GetName(), State: r.GetState().String()}
		for _, review := range r.GetReviews() {
			one.Authors = append(one.Authors, review.Author)
		}
		for _, recipient := range v.recipients(r, routes) {
			one.Places = append(one.Places, place(recipient))
		}
		one.Places = tally.Once(one.Places)
		out = append(out, one)
	}
	return out
}

// recipients are those to whom a service must announce a request.
func (v service) recipients(r *types.AccessRequestV3, routes map[string][]string) (all []string) {
	if v.Annotation != "" {
		all = append(all, r.GetSystemAnnotations()[v.Annotation]...)
	} else {
		for _, role := range r.GetRoles() {
			names, ok := routes[role]
			if !ok {
				names = routes["*"]
			}
			all = append(all, names...)
		}
	}
	for _, user := range append([]string{r.GetUser()}, r.GetSuggestedReviewers()...) {
		if person := v.Person(user); person != "" {
			all = append(all, person)
		}
	}
	return all
}
