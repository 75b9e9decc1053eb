package e2e_test

import (
	"os"
	"testing"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/access/e2e/timeline"
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
		for j, service := range harness.Services() {
			if !row.Runs(service) || all == "" && !chosen(row, i, j) || row.Heavy && all != "full" {
				continue
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

// chosen spreads the rows over the services.
func chosen(row timeline.Row, number, service int) bool {
	if row.On != nil {
		return harness.Services()[service] == row.On[0]
	}
	return number%len(harness.Services()) == service
}
