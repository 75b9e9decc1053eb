package shiptest

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/cluster"
)

// patience is how long a program has for anything; it only has to be more than
// the slowest machine needs.
const patience = time.Minute

// need gives an environment variable that make sets, or skips the test.
func need(t *testing.T, name, target string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Skipf("nothing to test was built; run make %s", target)
	}
	return value
}

// services are the plugins under test.
func services() []string { return strings.Fields(os.Getenv("SERVICES")) }

// output runs a command that must succeed, and returns what it says.
func output(t *testing.T, command string, args ...string) string {
	t.Helper()
	out, err := exec.Command(command, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", command, args, err, out)
	}
	return string(out)
}

func startSandbox(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{Cluster: cluster.Options{AdvancedWorkflows: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

// deliver makes a request and waits until the service shows it.
func deliver(t *testing.T, sb *sandbox.Sandbox, service string) {
	t.Helper()
	id, err := sb.Cluster().CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"demo-role"}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, service+" shows the request", func() bool {
		seen, err := json.Marshal(sb.State(0).Services[service])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(seen), id)
	})
}

// eventually asks again and again whether something holds that another process
// brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("after %v it is not so that %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}
