package conformance

import (
	"bytes"
	"encoding/json"
	"strings"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// checked runs the command check, which must find the recipient that does not exist
// and no other fault, and then has the plugin do what was passed.
func checked(w *world) {
	args := []string{"check", "-c", w.config, "--json", "--recipient", farend.Nowhere}
	for _, name := range w.far.Places()[:2] {
		args = append(args, "--recipient", name)
	}
	for _, args := range [][]string{args, append(args, "--send")} {
		var out bytes.Buffer
		plugin.Run(w.service.Integration, args, &out, &out)
		var report struct{ Checks []check.Line }
		if err := json.Unmarshal(out.Bytes(), &report); err != nil || len(report.Checks) < 10 {
			w.Fatalf("check prints %s (%v)", out.String(), err)
		}
		for _, line := range report.Checks {
			if !rightly(line) {
				w.Errorf("check says %s of %q", line.Result, line.Text)
			}
		}
		if strings.Contains(out.String(), w.far.Token()) {
			w.Error("check shows the token")
		}
	}
	w.start()
	id := w.request(cluster.CreateParams{})
	w.untilShown(id, w.both(), Role)
}

// rightly reports whether a line says what is so: only the recipient that does not exist
// is a fault, at the latest when a test message is to be posted there.
func rightly(line check.Line) bool {
	if !strings.Contains(line.Text, farend.Nowhere) {
		return line.Result == check.OK || line.Result == check.Noted
	}
	return line.Result != check.OK && (line.Name != "test-message" || line.Result == check.Failed)
}
