package e2e_test

import (
	"os"
	"slices"
	"testing"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/access/e2e/timeline"
	"teleport-plugins/lib/sandbox/farend"
)

// allVariable asks for every row with every service, with small numbers (quick)
// or with those of the promise (full); without it, each row runs with one
// service, with small numbers.
const allVariable = "FAULTS"

// Whatever happens to the cluster, the service or the plugin: nobody is
// forgotten, nobody is told twice, and what is told is true in the end.
func TestFaultTimelines(t *testing.T) {
	binary(t)
	all := os.Getenv(allVariable)
	for i, row := range timeline.Rows() {
		for _, service := range harness.Services() {
			if !row.Runs(service) || all == "" && !chosen(row, i, service) || row.Heavy && all != "full" {
				continue
			}
			if testing.Short() && i%3 > 0 {
				continue // with the race detector, each takes several times as long
			}
			t.Run(service+": "+row.Name, func(t *testing.T) {
				t.Parallel()
				r := row.Do(t.Context(), service, timeline.Settings{Full: all == "full", Seed: 1})
				if !r.Kept() {
					t.Errorf("the promise is missed: %s\n%+v\n%s", row.Promise, r, r.Log)
				}
			})
		}
	}
}

// A service at which people press is in the rows about that, or nobody would notice.
func TestEveryPresserIsInTheRows(t *testing.T) {
	for _, name := range harness.Services() {
		s, err := harness.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		far := s.Simulate(farend.Options{})
		_, presser := far.(farend.Presser)
		_, faults := far.(farend.PressFaults)
		if presser != faults {
			t.Errorf("%s: a Presser %v, with PressFaults %v", name, presser, faults)
		}
		for _, row := range timeline.Rows() {
			if row.Presses && row.Runs(name) && !presser {
				t.Errorf("%s, where nobody presses, is in the row %q", name, row.Name)
			}
		}
	}
}

// chosen spreads the rows over the services: over those that a row makes sense for.
func chosen(row timeline.Row, number int, service string) bool {
	fit := slices.DeleteFunc(harness.Services(), func(s string) bool { return !row.Runs(s) })
	return fit[number%len(fit)] == service
}
