package tally_test

import (
	"strings"
	"testing"

	"teleport-plugins/lib/sandbox/panel"
	"teleport-plugins/lib/sandbox/tally"
)

// post is an announcement at the place "here", with replies that tell reviews.
func post(request, state string, reviews ...string) panel.Sight {
	s := panel.Sight{Message: panel.Message{ID: "m", Request: request, State: state}, Place: "here"}
	for _, text := range reviews {
		s.Replies = append(s.Replies, panel.Message{Text: text, Review: true})
	}
	return s
}

func moved(s panel.Sight, place string) panel.Sight { s.Place = place; return s }

func removed(s panel.Sight) panel.Sight { s.Deleted = true; return s }

// What is seen, beside a request that is expected at one place or two, and the counters.
func TestCount(t *testing.T) {
	here, there := tally.Place{ID: "here", Threads: true}, tally.Place{ID: "there"}
	pending := tally.Request{ID: "r1", State: "PENDING", Places: []tally.Place{here}}
	approved := tally.Request{ID: "r1", State: "APPROVED", Authors: []string{"bob", "carol"}, Places: []tally.Place{here, there}}
	whole := []panel.Sight{post("r1", "APPROVED", "bob approved", "carol approved"), moved(post("r1", "APPROVED"), "there")}
	for name, test := range map[string]struct {
		request tally.Request
		sights  []panel.Sight
		want    tally.Tally
		says    string
	}{
		"nothing yet":                {pending, nil, tally.Tally{Expected: 1, Lost: 1}, "announcement of r1 is not at here"},
		"as it should be":            {pending, []panel.Sight{post("r1", "PENDING")}, tally.Tally{Expected: 1, InPlace: 1}, ""},
		"removed by hand":            {pending, []panel.Sight{removed(post("r1", "PENDING"))}, tally.Tally{Expected: 1, Lost: 1}, "not at here"},
		"twice":                      {pending, []panel.Sight{post("r1", "PENDING"), post("r1", "PENDING")}, tally.Tally{Expected: 1, InPlace: 1, Doubled: 1}, "2 times"},
		"behind the cluster":         {approved, []panel.Sight{post("r1", "PENDING", "bob approved", "carol approved"), whole[1]}, tally.Tally{Expected: 4, InPlace: 4, Stale: 1}, "shows PENDING, and is APPROVED"},
		"two, and one behind":        {pending, []panel.Sight{post("r1", "PENDING"), post("r1", "DENIED")}, tally.Tally{Expected: 1, InPlace: 1, Doubled: 1, Stale: 1}, "shows DENIED"},
		"at several places":          {approved, whole, tally.Tally{Expected: 4, InPlace: 4}, ""},
		"a review is missing":        {approved, []panel.Sight{post("r1", "APPROVED", "carol approved"), whole[1]}, tally.Tally{Expected: 4, InPlace: 3, Lost: 1}, "review of r1 by bob"},
		"a review is told twice":     {approved, []panel.Sight{post("r1", "APPROVED", "bob approved", "carol approved", "bob approved"), whole[1]}, tally.Tally{Expected: 4, InPlace: 4, Doubled: 1}, "review of r1 by bob"},
		"a reason names another":     {approved, []panel.Sight{post("r1", "APPROVED", "bob approved: carol asked me to", "carol approved"), whole[1]}, tally.Tally{Expected: 4, InPlace: 4}, ""},
		"the end is told twice":      {approved, []panel.Sight{post("r1", "APPROVED"+panel.Repeated, "bob approved", "carol approved"), whole[1]}, tally.Tally{Expected: 4, InPlace: 4, Doubled: 1}, "more than once"},
		"made anew, without replies": {approved, []panel.Sight{removed(whole[0]), post("r1", "APPROVED"), whole[1]}, tally.Tally{Expected: 2, InPlace: 2}, ""},
		"where nobody expects it":    {pending, []panel.Sight{post("r1", "PENDING"), moved(post("r1", "PENDING"), "elsewhere")}, tally.Tally{Expected: 1, InPlace: 1, Stray: 1}, "elsewhere"},
		"of a request that is gone":  {pending, []panel.Sight{post("r1", "PENDING"), post("r0", "PENDING"), post("r9", "EXPIRED")}, tally.Tally{Expected: 1, InPlace: 1, Stale: 1}, "the request is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tally.Count([]tally.Request{test.request}, test.sights)
			said := strings.Join(got.Details, "\n")
			if clean := test.says == ""; got.Clean() != clean || (said == "") != clean || !strings.Contains(said, test.says) {
				t.Errorf("clean: %v, details %q", got.Clean(), said)
			}
			if got.Details = nil; !equal(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func equal(a, b tally.Tally) bool {
	return a.Expected == b.Expected && a.InPlace == b.InPlace && a.Lost == b.Lost && a.Doubled == b.Doubled && a.Stale == b.Stale && a.Stray == b.Stray
}

func TestSumsKeepAFewDetails(t *testing.T) {
	var sum tally.Tally
	for range 30 {
		sum.Add(tally.Count([]tally.Request{{ID: "r1", State: "PENDING", Places: []tally.Place{{ID: "here"}}}}, nil))
	}
	if sum.Lost != 30 || sum.Expected != 30 || len(sum.Details) != 20 {
		t.Errorf("the sum is %+v", sum)
	}
}

func TestPlacesAreCountedOnce(t *testing.T) {
	if got := tally.Once([]tally.Place{{ID: "a"}, {ID: "b"}, {ID: "a", Threads: true}}); len(got) != 2 {
		t.Errorf("the places are %v", got)
	}
}
