package sandbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"teleport-plugins/lib/sandbox"
)

// notes are what plugins wrote.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) add(source, line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, source+": "+line)
}

func (n *notes) has(line string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(strings.Join(n.lines, "\n"), line)
}

// standIn writes a program that stands in for a plugin until it is stopped.
func standIn(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	text := "#!/bin/sh\ntrap 'echo done; exit 0' TERM\necho running $1 $2\nwhile :; do sleep 0.02; done\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// Plugins run with their configs, are seen in the state, survive being killed,
// and finish before the sandbox is gone.
func TestPluginsAreRun(t *testing.T) {
	var said notes
	dir := t.TempDir()
	sb := start(t, sandbox.Options{Output: said.add})
	path := standIn(t, "teleport-example")
	for _, plugin := range []string{path, "example=" + path, "another=" + path} {
		if err := sb.StartPlugin(plugin, dir); err != nil {
			t.Fatal(err)
		}
	}
	list := func() []sandbox.Plugin { return sb.State(1).Plugins }
	waitFor(t, sb, func() bool {
		l := list()
		return l[0].PID != 0 && l[1].PID != 0 && l[2].PID != 0
	})
	if l := list(); l[0].Name != "example" || l[1].Name != "example-2" || l[2].Name != "another" {
		t.Errorf("the plugins are %+v", l)
	}
	if err := sb.ChangeFaults(sandbox.FaultChange{Action: "kill_plugin", Plugin: "example-2"}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, sb, func() bool { return list()[1].Starts == 2 })
	poll(t, func() bool { return said.has("example: running start -c") && said.has("another: running start -c") })
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"example: done", "example: stopped", "example-2: ended (signal: killed)", "another: stopped"} {
		if !said.has(want) {
			t.Errorf("nobody said %q: %v", want, said.lines)
		}
	}
	if err := sb.StartPlugin(path, dir); err == nil {
		t.Error("a closed sandbox started a plugin")
	}
}

func TestStartPluginRefusesWhatItCannotRun(t *testing.T) {
	sb := start(t, sandbox.Options{})
	for plugin, want := range map[string]string{
		"/nonexistent/teleport-example":   "no such file",
		standIn(t, "teleport-teams"):      `no service "teams"`,
		"teams=" + standIn(t, "teleport"): `no service "teams"`,
	} {
		if err := sb.StartPlugin(plugin, t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", plugin, err, want)
		}
	}
}
