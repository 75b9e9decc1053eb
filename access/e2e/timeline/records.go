package timeline

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/cluster"
)

// records are rows about what is stored in the cluster, and the right to it.
func records() []Row {
	return []Row{
		{
			Name:    "a foreign writer changes each record between our read and write",
			Promise: "0 doubled",
			Setup:   func(_ *World, o *harness.Options) { o.Replicas = 2 },
			Run:     foreignWriter,
		},
		{
			Name:    "record garbled by hand, then the request is approved",
			Promise: "the messages are corrected, and the log says what cannot be read",
			Places:  1,
			Run:     garbled,
		},
		{
			Name:    "role may not write plugin data for a while: 10,000 requests",
			Promise: "degraded and says what to add, at most 20 lines of log beside those of messages, recovers without a restart",
			Places:  1,
			Setup:   quietly,
			Run:     func(w *World) { denied(w, types.KindAccessPluginData, "access_plugin_data") },
		},
		{
			Name:    "role may not read access requests for a while: 10,000 requests",
			Promise: "as before",
			Places:  1,
			Setup:   quietly,
			Run:     func(w *World) { denied(w, types.KindAccessRequest, "access_request") },
		},
	}
}

// quietly keeps no log of calls, of which there are many.
func quietly(_ *World, o *harness.Options) { o.KeepNoCalls() }

func foreignWriter(w *World) {
	var writes atomic.Int64
	limit := int64(of(w, 60, 600))
	w.Cluster.BeforeWrite(func(id, plugin string) {
		if n := writes.Add(1); n <= limit && n%3 != 0 {
			_ = w.Cluster.SetPluginData(id, plugin, map[string]string{"foreign": fmt.Sprint(n)})
		}
	})
	w.Cluster.ConflictNextWrites(of(w, 10, 100))
	w.burst(of(w, 20, 200), 0)
	w.heal()
}

func garbled(w *World) {
	ids := w.create(of(w, 5, 50))
	w.settle()
	began := time.Now()
	for _, id := range ids {
		w.must(w.Cluster.SetPluginData(id, w.Plugin(), map[string]string{
			"progress": `{"deliveries":[{"recipient":`, "claim": "…", "reviews_count": "many",
		}))
		w.must(w.Cluster.Decide(id, approved, "fine"))
		w.expectation(id).Status = request.Approved
	}
	w.heal()
	w.logged(0, "cannot be read", began)
}

// denied takes the rights to a kind from the plugin's role while requests are
// made by a user whom the service does not know, and earlier ones are decided.
func denied(w *World, kind, rule string) {
	const robot = "deploy-robot"
	w.Cluster.AddUser(robot, []string{"requester"}, nil)
	earlier := w.create(3)
	w.settle()
	verbs := []string{types.VerbList, types.VerbRead, types.VerbUpdate}
	w.Cluster.Deny(cluster.PluginRole, kind, verbs...)
	began := time.Now()
	for range of(w, 200, 10_000) {
		w.request(cluster.CreateParams{User: robot})
	}
	for _, id := range earlier {
		w.must(w.Cluster.Decide(id, approved, "fine"))
		w.expectation(id).Status = request.Approved
	}
	w.says(false, rule)
	w.pass(of(w, time.Second, 20*time.Second))
	if w.failed() == nil {
		lines := 0
		for _, l := range w.Replica(0).Logs() {
			if !l.Time.Before(began) && !strings.Contains(l.Text, "request_state:") {
				lines++ // beside the one for each message
			}
		}
		w.promise(lines <= 20, "%d lines were logged", lines)
	}
	w.Cluster.Allow(cluster.PluginRole, kind, verbs...)
	w.heal()
}
