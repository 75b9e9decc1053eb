package document

import (
	"context"
	"testing"
	"time"

	"github.com/gravitational/trace"

	"teleport-plugins/lib/request"
)

// That the role may not list the resources of one request, for they are of a kind that it
// may not see, says nothing of those of the next: an event that lacks their labels is not
// whole, and what is answered to it is no approval.
func TestADenialOfOneKindOfResourceSaysNothingOfOthers(t *testing.T) {
	l := NewLookup(Sources{Labels: func(_ context.Context, id string) ([]map[string]string, error) {
		if id == "desktop" {
			return nil, trace.AccessDenied("listing resources of kind windows_desktop")
		}
		return []map[string]string{{"env": "prod"}}, nil
	}})
	view := func(kind string) request.View {
		v := request.View{ID: kind, User: "mallory", Created: time.Unix(1_700_000_000, 0), Resources: []string{kind}}
		v.Wanted = append(v.Wanted, request.Resource{Cluster: "c", Kind: kind, Name: "x"})
		return v
	}
	_ = l.Of(t.Context(), view("desktop"))
	if f := l.Of(t.Context(), view("node")); len(f.Labels) == 0 && !f.Passing {
		t.Errorf("the labels of the node are missing, and the event passes for whole: %+v", f)
	}
}
