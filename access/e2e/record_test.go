package e2e_test

import (
	"strings"
	"testing"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/cluster"
)

// A record that Teleport's own plugin has written is continued: its message is
// kept true, and nobody is told again.
func TestRecordOfTeleportsOwnPlugin(t *testing.T) {
	for _, name := range harness.Services() {
		t.Run(name, func(t *testing.T) {
			w := start(t, harness.Options{Service: name, Halted: true})
			w.Cluster.Annotate(role, w.Annotations(w.channel()))
			id := w.request()
			data, err := w.Adopt(id, w.channel(), 1)
			w.must(err)
			data["user"], data["roles"], data["request_reason"] = cluster.Alice, role, "INC-204"
			w.must(w.Cluster.SetPluginData(id, name, data))
			w.must(w.StartReplicas())
			expected := harness.Expected{ID: id, Recipients: []string{w.channel()}}
			w.shows(expected)

			w.review(id, cluster.Bob, approve)
			w.review(id, cluster.Carol, approve)
			expected.Reviews, expected.Status = 2, request.Approved
			w.shows(expected)
			if got := w.Cluster.PluginData(id, name); !strings.EqualFold(got["resolution"], "approved") || got["reviews_count"] != "2" {
				t.Errorf("Teleport's own plugin would read %q", got)
			}
		})
	}
}
