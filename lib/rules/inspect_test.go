package rules_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gravitational/trace"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"

	"teleport-plugins/lib/rules"
)

func TestInspect(t *testing.T) {
	for name, c := range map[string]struct {
		rules      []*rulesv1.AccessMonitoringRule
		err        error
		recipients []string
		problem    string
		absent     string
		traits     bool
		fails      bool
	}{
		"none": {},
		"two rules": {
			rules:      []*rulesv1.AccessMonitoringRule{newRule("a", `true`, "ops", "dev"), newRule("b", `user.traits["team"].contains("x")`, "ops")},
			recipients: []string{"dev", "ops"}, traits: true,
		},
		"one that is not understood": {
			rules:      []*rulesv1.AccessMonitoringRule{newRule("odd", `nonsense(`, "ops"), newRule("b", `true`, "dev")},
			recipients: []string{"dev", "ops"}, problem: "(rule odd)",
		},
		"no right":         {err: trace.AccessDenied("no"), absent: "access_monitoring_rule: list, read"},
		"an older cluster": {err: trace.NotImplemented("no"), absent: "the cluster has none"},
		"a cluster away":   {err: errors.New("away"), fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rules.Inspect(t.Context(), &memory{rules: c.rules, err: c.err}, "example")
			if (err != nil) != c.fails || !slices.Equal(got.Recipients, c.recipients) || got.Traits != c.traits {
				t.Errorf("got %+v, %v", got, err)
			}
			if (c.problem != "") != (len(got.Problems) == 1) || !strings.Contains(strings.Join(got.Problems, ""), c.problem) {
				t.Errorf("problems %q", got.Problems)
			}
			if (c.absent != "") != (got.Absent != "") || !strings.Contains(got.Absent, c.absent) {
				t.Errorf("absent: %q", got.Absent)
			}
		})
	}
}
