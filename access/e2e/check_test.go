package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/fault"
	"teleport-plugins/lib/sandbox/panel"
)

// checkOf runs the command check of the plugin of a service.
func (w *world) checkOf(service string, args ...string) (out string, code int) {
	w.Helper()
	path, err := harness.Binary(service)
	w.must(err)
	var text bytes.Buffer
	cmd := exec.CommandContext(w.Context(), path, append([]string{"check", "-c", w.ConfigPath}, args...)...)
	cmd.Stdout, cmd.Stderr = &text, &text
	_ = cmd.Run() // its exit code tells
	return text.String(), cmd.ProcessState.ExitCode()
}

// everywhere runs a test with the plugin of each service, which is not started.
func everywhere(t *testing.T, test func(w *world, service string)) {
	t.Helper()
	for _, name := range harness.Services() {
		t.Run(name, func(t *testing.T) {
			w := start(t, harness.Options{Service: name, Halted: true})
			w.Cluster.Annotate(role, w.Annotations(w.channel()))
			test(w, name)
		})
	}
}

// What check passes, start and the first request can do. A test message is one message,
// which shows that it is over; the cluster does not know of it.
func TestWhatCheckPassesWorks(t *testing.T) {
	everywhere(t, func(w *world, service string) {
		for _, args := range [][]string{nil, {"--recipient", w.channel()}, {"--recipient", w.channel(), "--send"}} {
			if out, code := w.checkOf(service, args...); code != 0 || strings.Contains(out, "FAIL") {
				w.Errorf("%q: exit code %d\n%s", args, code, out)
			}
		}
		messages := slices.DeleteFunc(w.said(w.channel()), func(m panel.Message) bool { return m.Thread != "" }) // its end may be told below
		if len(messages) != 1 || !strings.Contains(messages[0].Text, "nobody asks for access") || messages[0].State == "" || messages[0].State == "PENDING" {
			w.Errorf("at the service are %+v", messages)
		}
		w.must(w.StartReplicas())
		id := w.request()
		told := []string{w.channel()}
		if person := w.Person(cluster.Alice); person != "" {
			told = append(told, person)
		}
		w.shows(harness.Expected{ID: id, Recipients: told})
	})
}

// A service that hangs takes no more than its own time, that of a call, and the cluster is
// not to blame.
func TestCheckOfAServiceThatHangs(t *testing.T) {
	everywhere(t, func(w *world, service string) {
		w.Service().Faults().Add(fault.Fault{Effect: fault.Slow, DelayMS: 60_000})
		began := time.Now()
		out, code := w.checkOf(service, "--timeout=5s")
		if took := time.Since(began); took > 40*time.Second {
			w.Errorf("took %v", took)
		}
		for _, want := range []string{`: no answer within [25]s\n`, `\nok    connection to Teleport at `, `\nok    write plugin data `} {
			if !regexp.MustCompile(want).MatchString(out) {
				w.Errorf("no %q", want)
			}
		}
		if code != 1 || strings.Count(out, "FAIL") != 1 || w.Failed() {
			w.Errorf("exit code %d\n%s", code, out)
		}
	})
}

// A recipient that does not exist is named, and nothing else.
func TestCheckOfARecipientThatDoesNotExist(t *testing.T) {
	everywhere(t, func(w *world, service string) {
		out, code := w.checkOf(service, "--json", "--recipient", farend.Nowhere)
		var got struct {
			OK     bool
			Checks []struct{ Name, Result, Text string }
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			w.Fatalf("%v: %s", err, out)
		}
		for _, c := range got.Checks {
			if failed := c.Result == "fail"; failed != strings.Contains(c.Text, farend.Nowhere) || failed && c.Name != "recipient" {
				w.Errorf("%+v", c)
			}
		}
		if code != 1 || got.OK {
			w.Errorf("exit code %d\n%s", code, out)
		}
	})
}

// Run by root, check says what the user of the service may not do.
func TestCheckAsTheUserOfTheService(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run a command as another user")
	}
	w := start(t, harness.Options{Halted: true})
	program := filepath.Join(t.TempDir(), "plugin") // where everybody may run it
	text, err := os.ReadFile(binary(t))
	w.must(err)
	w.must(os.WriteFile(program, text, 0o755))
	w.must(os.Chmod(filepath.Dir(filepath.Dir(program)), 0o755))
	as := func(user string) (out string, code int) {
		cmd := exec.CommandContext(t.Context(), program, "check", "-c", w.ConfigPath, "--run-as", user)
		text, _ := cmd.CombinedOutput() // its exit code tells
		return string(text), cmd.ProcessState.ExitCode()
	}
	for _, c := range []struct {
		user, want string
		code       int
		before     func()
	}{
		{"root", "ok    running as user root", 0, func() {}},
		{"nobody", "permission to read the file is denied", 1, func() {}},
		{"nobody", "FAIL  Teleport identity: ", 1, func() {
			w.must(os.Chmod(filepath.Dir(w.ConfigPath), 0o755))
			w.must(os.Chmod(w.ConfigPath, 0o644))
		}},
		{"nobody", "every user of this machine can read ", 0, func() { w.must(os.Chmod(w.Identity(), 0o644)) }},
		{"nobody-here", "this machine has no user nobody-here", 1, func() {}},
	} {
		c.before()
		if out, code := as(c.user); code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("as %s: exit code %d, want %q in\n%s", c.user, code, c.want, out)
		}
	}
}
