package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"teleport-plugins/access/services"
)

// Two of the services, by their names.
var first, second = services.All()[0].Name, services.All()[1].Name

// TestMain is the program itself when the tests start it as one.
func TestMain(m *testing.M) {
	if os.Getenv("SANDBOX_TEST_MAIN") == "true" {
		os.Unsetenv("SANDBOX_TEST_MAIN") //nolint:errcheck // cannot fail for a name like this
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// buffer is what a program writes, readable meanwhile.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// program starts the sandbox as a process of its own.
func program(t *testing.T, args ...string) (*exec.Cmd, *buffer) {
	t.Helper()
	out := &buffer{}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "SANDBOX_TEST_MAIN=true")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // an error where the test has waited already
	})
	return cmd, out
}

// await waits for a program to write something.
func await(t *testing.T, out *buffer, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if m := re.FindStringSubmatch(out.String()); m != nil {
			return m
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("it wrote %q, not %s", out, pattern)
		}
	}
}

// script writes a program that stands in for a plugin.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "teleport-"+first)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// The whole life: it starts, says where the page is, serves it, runs a plugin
// with the config that it wrote, and on a signal ends in good order.
func TestLife(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			plugin := script(t, "trap 'echo bye; exit 0' TERM\nhead -c 10 \"$3\" >/dev/null && echo \"config is there: $1 $2\"\nwhile :; do sleep 0.05; done\n")
			dir := t.TempDir()
			cmd, out := program(t, "start", "--addr", "127.0.0.1:0", "--dir", dir, "--plugin", plugin)
			address := await(t, out, `the page is at (http://\S+)`)[1]
			await(t, out, `\[`+first+`\] config is there: start -c`)
			if text := out.String(); strings.Contains(text, "try "+first+" with") || !strings.Contains(text, "try "+second+" with") {
				t.Errorf("it says how to run what runs already, or not how to run what does not: %s", text)
			}
			resp, err := http.Get(address + "/api/state")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				t.Errorf("the state is answered with %d", resp.StatusCode)
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
			for _, want := range []string{"[sandbox] stopping", "[" + first + "] bye", "[" + first + "] stopped"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is not in %q", want, out)
				}
			}
		})
	}
}

// A plugin that dies is started again, and the line that says so can be seen.
func TestPluginThatDies(t *testing.T) {
	cmd, out := program(t, "start", "--addr", "127.0.0.1:0", "--dir", t.TempDir(), "--plugin", second+"="+script(t, "exit 7\n"))
	await(t, out, `\[`+second+`\] ended \(exit status 7\); starting it again in 1s`)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestTwoReplicas(t *testing.T) {
	plugin := script(t, "exec sleep 60\n")
	cmd, out := program(t, "start", "--addr", "127.0.0.1:0", "--plugin", plugin, "--plugin", plugin)
	await(t, out, `\[`+first+`\] started with PID`)
	await(t, out, `\[`+first+`-2\] started with PID`)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// Commands that end by themselves: what they write and the exit code.
func TestCommands(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		args   []string
		code   int
		output string
	}{
		{"nothing", nil, 0, "start [<flags>]"},
		{"help", []string{"--help"}, 0, "start [<flags>]"},
		{"help of start", []string{"start", "--help"}, 0, "--plugin"},
		{"version", []string{"version"}, 0, "teleport-sandbox "},
		{"unknown command", []string{"dance"}, 1, "see teleport-sandbox --help"},
		{"unknown flag", []string{"start", "--fly"}, 1, "see teleport-sandbox --help"},
		{"taken port", []string{"start", "--addr", taken.Addr().String()}, 1, "teleport-sandbox: the address " + taken.Addr().String() + " is taken by another program; choose another with --addr\n"},
		{"no address", []string{"start", "--addr", "nowhere"}, 1, "listening for the page"},
		{"a directory that cannot be made", []string{"start", "--addr", "127.0.0.1:0", "--dir", filepath.Join(file, "x")}, 1, "making the directory"},
		{"a plugin of no service", []string{"start", "--addr", "127.0.0.1:0", "--plugin", "/bin/teleport-teams"}, 1, `no service "teams"`},
		{"a plugin that is not there", []string{"start", "--addr", "127.0.0.1:0", "--plugin", "/nonexistent/teleport-" + first}, 1, "no such file"},
		{"identities without life", []string{"start", "--addr", "127.0.0.1:0", "--identity-ttl", "-1s"}, 1, "identity"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd, out := program(t, test.args...)
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(out.String(), test.output) {
				t.Errorf("exit code %d with %q, want %d with %q", code, out, test.code, test.output)
			}
		})
	}
}

// Within a process nothing is left running after the end.
func TestRunLeavesNothingBehind(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &buffer{}
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"start", "--addr", "127.0.0.1:0"}, out, out) }()
	await(t, out, `the page is at`)
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	dir := regexp.MustCompile(`start -c (\S+)/teleport-` + first + `.toml`).FindStringSubmatch(out.String())[1]
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the temporary directory %s is still there: %v", dir, err)
	}
}

// A sandbox that is killed leaves no plugin behind: nobody would know of it.
func TestKilledWithItsPlugins(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a program with the one that started it")
	}
	plugin := script(t, "echo running as $$\nwhile :; do sleep 0.05; done\n")
	cmd, out := program(t, "start", "--addr", "127.0.0.1:0", "--dir", t.TempDir(), "--plugin", plugin)
	pid := await(t, out, `running as (\d+)`)[1]
	if !alive(pid) {
		t.Fatal("the plugin does not run")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	deadline := time.Now().Add(time.Minute)
	for tick := time.Tick(5 * time.Millisecond); alive(pid); <-tick {
		if time.Now().After(deadline) {
			t.Fatal("the plugin still runs")
		}
	}
}

// alive reports whether a process runs; one that has ended and is still listed does not.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
