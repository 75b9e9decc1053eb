package farend_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
)

// binary is the path of the plugin, without which there is nothing to test.
func binary(t *testing.T) string {
	t.Helper()
	path, err := harness.Binary("slack")
	if errors.Is(err, harness.ErrNotBuilt) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A record in the oldest form of Teleport's own plugin names one message. That
// one is edited, and nobody is told again.
func TestOldestRecordOfTeleportsOwnPlugin(t *testing.T) {
	binary(t)
	w, err := harness.Start(harness.Options{Service: "slack", Halted: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	id, err := w.Cluster.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"editor"}})
	must(err)
	record, err := w.Adopt(id, "access-requests", 1)
	must(err)
	channel, ts, _ := strings.Cut(record["messages"], "/")
	must(w.Cluster.SetPluginData(id, "slack", map[string]string{"channel_id": channel, "timestamp": ts, "user": cluster.Alice, "roles": "editor"}))
	must(w.StartReplicas())
	must(w.Cluster.Decide(id, 2, "fine"))
	expected := harness.Expected{ID: id, Recipients: []string{"access-requests"}, Status: "APPROVED"}
	if v := w.Outcome(t.Context(), expected); !v.Good() {
		t.Error(v)
	}
	for _, seen := range w.Service().Panel(0).Sights() {
		if seen.ID == ts && !seen.Edited {
			t.Error("the old message was not edited")
		}
	}
}

// A config is told all of its faults at once, by file and line, and never what
// is secret in it.
func TestWrongConfig(t *testing.T) {
	const secret = "xapp-1-A111-222-secret"
	lines := []struct{ text, fault string }{
		{`[teleport]`, ""},
		{`refresh_identity = true`, "refresh_identity"},
		{`[slack]`, ""},
		{`token = "` + secret + `"`, "token"},
		{`api_url = "nowhere"`, "api_url"},
		{`[role_to_recipients]`, `"*"`},
		{`editor = "access-requests"`, ""},
		{`[log]`, ""},
		{`severity = "loud"`, "severity"},
		{`[delivery]`, ""},
		{`call_timeout = "1us"`, "call_timeout"},
	}
	path := filepath.Join(t.TempDir(), "wrong.toml")
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.text + "\n")
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary(t), "start", "-c", path)
	cmd.Stdout, cmd.Stderr = &stdout, &errs
	_ = cmd.Run() // its exit code tells
	stderr, code := errs.String(), cmd.ProcessState.ExitCode()
	if code != 1 || stdout.Len() > 0 {
		t.Errorf("exit code %d, output %q", code, stdout.String())
	}
	for i, l := range lines {
		told := regexp.MustCompile(fmt.Sprintf(`(?m)^ERROR .*%s:%d: .*%s`, regexp.QuoteMeta(path), i+1, regexp.QuoteMeta(l.fault)))
		if l.fault != "" && !told.MatchString(stderr) {
			t.Errorf("nothing is said of line %d, %s", i+1, l.text)
		}
	}
	for _, bad := range []string{secret, "goroutine ", "panic", ".go:0"} {
		if strings.Contains(stderr, bad) {
			t.Errorf("the errors hold %q", bad)
		}
	}
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "ERROR ") && !strings.HasPrefix(line, "WARN ") {
			t.Errorf("a line is no log line: %q", line)
		}
	}
	if t.Failed() {
		t.Log(stderr)
	}
}
