// Package requesttest provides access requests for tests.
package requesttest

import (
	"time"

	"teleport-plugins/lib/request"
)

// Pending is a request that is pending, with all that a view can have, and with a reason
// that is hostile.
func Pending() request.View {
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	return request.View{
		ID: "0195f2a4-6f0e-7cc1-9d0b-1f8f3f0c2b11", Cluster: "example", User: "alice@example.com", Roles: []string{"dev-db", "dev-web"},
		Resources: []string{"node/web-1 (logins: root)"}, Reason: "INC-204 </script> \u202e \x00", Status: request.Pending,
		Wanted:          []request.Resource{{Cluster: "example", Kind: "node", Name: "4b6d8c1e", Logins: []string{"root"}}},
		Link:            "https://teleport.example.com/web/requests/0195f2a4",
		Thresholds:      []request.Threshold{{Approve: 2, Deny: 1, Filter: `contains(reviewer.roles, "lead")`}},
		ApprovalsNeeded: 2, Created: at, Expires: at.Add(time.Hour), AccessUntil: at.Add(8 * time.Hour),
		SuggestedReviewers: []string{"bob@example.com"}, Annotations: map[string][]string{"team": {"payments"}},
	}
}

// ReviewedBy is a request with an approval more.
func ReviewedBy(v request.View, author string) request.View {
	v.Reviews = append(v.Reviews[:len(v.Reviews):len(v.Reviews)], request.Review{
		Author: author, State: request.Approved, Reason: "fine", Created: v.Created.Add(time.Minute),
	})
	return v
}
