package request_test

import (
	"testing"

	"teleport-plugins/lib/request"
)

func TestVersionChangesWithEachReviewAndState(t *testing.T) {
	seen := map[request.Version]bool{}
	for _, v := range []request.View{
		{Status: request.Pending},
		{Status: request.Pending, Reviews: make([]request.Review, 1)},
		{Status: request.Approved, Reviews: make([]request.Review, 1)},
		{Status: request.Denied, Reviews: make([]request.Review, 1)},
	} {
		if seen[v.Version()] {
			t.Errorf("%v is the version of two states", v.Version())
		}
		seen[v.Version()] = true
	}
	if a, b := (request.View{ID: "1"}), (request.View{ID: "1", Logins: map[string][]string{"editor": {"root"}}}); a.Version() != b.Version() {
		t.Error("the version depends on what is looked up")
	}
}
