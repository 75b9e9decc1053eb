package rules

import (
	"context"
	"fmt"
	"maps"
	"slices"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"

	"teleport-plugins/lib/teleport"
)

// Found is what Inspect has found in the rules of a plugin.
type Found struct {
	// Recipients are those that the rules name, each once, sorted.
	Recipients []string
	// Problems are what the authors of rules should know, a sentence each.
	Problems []string
	// Traits says that a condition mentions traits of users.
	Traits bool
	// Absent says why there are no rules to go by, or is empty.
	Absent string
}

// Inspect reads the rules of a plugin.
func Inspect(ctx context.Context, c Cluster, plugin string) (found Found, err error) {
	problems := make(map[string]problem)
	err = c.ListRules(ctx, plugin, func(m *rulesv1.AccessMonitoringRule) error {
		if rule, ok := read(m, problems); ok {
			found.Recipients = append(found.Recipients, rule.recipients...)
			found.Traits = found.Traits || rule.condition.UsesTraits()
		}
		return nil
	})
	switch {
	case teleport.IsUnimplemented(err):
		return Found{Absent: "the cluster has none; recipients are chosen by the config alone"}, nil
	case teleport.IsDenied(err):
		return Found{Absent: "not used, since the plugin's role may not read them; to use them add the rule " + permission}, nil
	case err != nil:
		return Found{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(problems)) {
		p := problems[key]
		found.Problems = append(found.Problems, fmt.Sprintf("%s (rule %s): %v", p.what, p.rule, p.err))
	}
	slices.Sort(found.Recipients)
	found.Recipients = slices.Compact(found.Recipients)
	return found, nil
}
