package plan_test

import (
	"maps"
	"slices"
	"testing"

	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// Whoever died may have found the announcement that was in doubt, or may have made it.
// What it would have told next in either case is in doubt.
func TestWhatADeadReplicaMayHaveTold(t *testing.T) {
	can := plan.Abilities{Reviews: true, Ends: true, Notices: true, Shows: true}
	announced := map[string]plugindata.Doubt{"announce.0": {Tries: 1}}
	for name, c := range map[string]struct {
		delivery plugindata.Delivery
		aim      request.Version
		want     []string
	}{
		"before the end":              {plugindata.Delivery{}, request.Version{Status: request.Pending, Reviews: 1}, []string{"announce.0", "review.0"}},
		"after the end":               {plugindata.Delivery{Requester: true}, request.Version{Status: request.Approved}, []string{"announce.0", "end.2"}},
		"an announcement in doubt":    {plugindata.Delivery{Requester: true, Doubt: announced}, request.Version{Status: request.Approved, Reviews: 1}, []string{"announce.0", "end.2", "notice.2", "review.0"}},
		"somebody else's":             {plugindata.Delivery{Doubt: announced}, request.Version{Status: request.Approved}, []string{"announce.0", "end.2"}},
		"one that stands":             {plugindata.Delivery{Requester: true, Posts: []plugindata.Post{{ID: "1"}}}, request.Version{Status: request.Approved}, []string{"end.2", "notice.2"}},
		"where all was told recently": {plugindata.Delivery{Requester: true, Noticed: request.Approved, Ended: request.Approved, Posts: []plugindata.Post{{ID: "1"}}}, request.Version{Status: request.Approved}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := c.delivery.Clone()
			can.At(c.aim).Suspect(&d, ledger.Claim{})
			if got := slices.Sorted(maps.Keys(d.Doubt)); !slices.Equal(got, c.want) {
				t.Errorf("in doubt are %q, want %q", got, c.want)
			}
		})
	}
}

// A requester who has removed every copy of the announcement hears of the decision.
func TestWhoRemovedTheirCopyIsNotified(t *testing.T) {
	w := plan.Abilities{Notices: true, Shows: true}.At(request.Version{Status: request.Denied})
	d := plugindata.Delivery{Requester: true, Generation: 2}
	if s, due := w.Next(&d); !due || s.String() != "tell notice.3" {
		t.Errorf("next is %v, %v", s, due)
	}
	d = plugindata.Delivery{Requester: true}
	if s, _ := w.Next(&d); s.String() != "tell announce.0" {
		t.Errorf("next is %v", s)
	}
}

// Of reviews that only their number is known of there is nothing to say.
func TestReviewsThatOnlyTheRecordKnowsAreNotTold(t *testing.T) {
	rec := &plugindata.Record{}
	rec.ReviewsCount, rec.Resolution = 500, request.Approved
	w := plan.Wants{View: plan.LastView("1", rec), Can: plan.Abilities{Reviews: true}}
	d := plugindata.Delivery{Posts: []plugindata.Post{{ID: "1", Shown: w.Version()}}}
	if s, due := w.Next(&d); due || len(w.Reviews) != 500 {
		t.Errorf("next is %v, of %d reviews", s, len(w.Reviews))
	}
}

// What others have written into a record is no state, and is told nobody.
func TestAGarbledResolutionIsNoState(t *testing.T) {
	for name, tc := range map[string]struct{ resolution, aim, want request.Status }{
		"decided":                 {request.Denied, "", request.Denied},
		"about to be told":        {"", request.Approved, request.Approved},
		"pending":                 {"", request.Pending, request.Expired},
		"nothing known":           {"", "", request.Expired},
		"garbled":                 {"[[[[", "", request.Expired},
		"garbled, and aimed at":   {"[[[[", request.Denied, request.Denied},
		"pending for good":        {request.Pending, request.Promoted, request.Promoted},
		"an aim that is no state": {"", "many", request.Expired},
	} {
		t.Run(name, func(t *testing.T) {
			rec := &plugindata.Record{}
			rec.Resolution, rec.Progress.Aim.Status = tc.resolution, tc.aim
			if got := plan.LastView("1", rec).Status; got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
