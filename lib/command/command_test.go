package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/command/commandtest"
	"teleport-plugins/lib/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const longest = 64 << 10

// run runs a program within a time.
func run(t *testing.T, p *Program, within time.Duration) (string, *observer.ObservedLogs, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	core, logs := observer.New(zapcore.DebugLevel)
	out, err := p.Run(ctx, []byte("the input"), []string{"CLUSTER=example"}, zap.New(core))
	return string(out), logs, err
}

func TestAProgramIsGivenItsInputAndLittleElse(t *testing.T) {
	t.Setenv("HUNTER", "2")
	t.Setenv("LANG", "de_DE.UTF-8")
	path := commandtest.Script(t, `echo "args: $*"; pwd; env | sort; cat`, `printf 'to the log\033[31m\nand more' >&2`)
	out, logs, err := run(t, New(path, []string{"--fast"}, 1, longest), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"args: --fast\n/\nCLUSTER=example\n", "\nLANG=de_DE.UTF-8\n", "\nPATH=", "the input"} {
		if !strings.Contains(out, want) {
			t.Errorf("the program saw %s", out)
		}
	}
	if strings.Contains(out, "HUNTER") {
		t.Error("the program has our environment")
	}
	logged := logs.FilterMessage("A program wrote to stderr").All()
	if len(logged) != 2 || strings.ContainsRune(fmt.Sprint(logged[0].ContextMap()), '\033') || logged[1].ContextMap()["line"] != "and more" {
		t.Errorf("logged %v", logged)
	}
}

func TestHowProgramsFail(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	loose, broken := commandtest.Script(t, "exit 0"), commandtest.Script(t, "exit 0")
	if err := os.Chmod(loose, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, []byte("#!/nowhere/python\n"), 0o700); err != nil { //nolint:gosec // is to be run
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ path, want string }{
		"missing":             {missing, "does not exist; put it there"},
		"not executable":      {loose, "is not executable; put it there"},
		"a folder":            {t.TempDir(), "is not executable; put it there"},
		"no interpreter":      {broken, "the program could not be started: no such file or directory; see that it begins with #!"},
		"fails":               {commandtest.Script(t, "cat >/dev/null; echo well; exit 3"), "the program failed: exit status 3; at severity debug"},
		"crashes":             {commandtest.Script(t, "kill -SEGV $$"), "the program failed: signal: "},
		"asks for time":       {commandtest.Script(t, "exit 75"), "asks to be started again later"},
		"hangs":               {commandtest.Script(t, "exec sleep 60"), "did not answer in time and was ended"},
		"hangs in a child":    {commandtest.Script(t, "sleep 60"), "did not answer in time and was ended"},
		"writes for ever":     {commandtest.Script(t, "exec cat /dev/zero"), "the answer is longer than 64 KiB; the program was ended"},
		"complains for ever":  {commandtest.Script(t, "exec cat /dev/zero >&2"), "did not answer in time and was ended"},
		"many complaints":     {commandtest.Script(t, "yes >&2"), "did not answer in time and was ended"},
		"hangs, though asked": {commandtest.Script(t, "trap '' TERM INT HUP", "while :; do sleep 1; done"), "did not answer in time and was ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			within, kind := 30*time.Second, outbound.Retry
			if strings.Contains(tc.want, "in time") {
				within, kind = 400*time.Millisecond, outbound.Unclear
			}
			began := time.Now()
			_, logs, err := run(t, New(tc.path, nil, 1, longest), within)
			if outbound.KindOf(err) != kind || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, of the kind %q", err, outbound.KindOf(err))
			}
			if took := time.Since(began); took > 40*time.Second { // the programs that hang take a minute
				t.Errorf("it took %v", took)
			}
			if n := logs.FilterMessage("A program wrote to stderr").Len(); n > maxLogLines {
				t.Errorf("%d lines are logged", n)
			}
		})
	}
}

// What a program leaves behind ends with it, in time or not.
func TestNothingIsLeftOfAProgram(t *testing.T) {
	for name, last := range map[string]string{"answers": "exit 0", "hangs": "sleep 60", "fails": "exit 1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pid := filepath.Join(t.TempDir(), "pid")
			path := commandtest.Script(t, "sleep 60 & echo $! >"+pid, last)
			if _, _, err := run(t, New(path, nil, 1, longest), 500*time.Millisecond); (err == nil) != (name == "answers") {
				t.Error(err)
			}
			text, _ := os.ReadFile(pid)
			child, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(20 * time.Second); alive(child); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the child lives on")
				}
			}
		})
	}
}

// alive reports whether a process runs; one that has ended and that nobody has waited
// for does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !os.IsNotExist(err)
	}
	return !strings.Contains(string(stat), ") Z ")
}

// No more of its runs go on at once than are good for the machine.
func TestRunsWaitForRoom(t *testing.T) {
	p := New(commandtest.Script(t, "exit 0"), nil, 2, longest)
	if !p.room.TryAcquire(2) {
		t.Fatal("there is no room")
	}
	if _, _, err := run(t, p, 300*time.Millisecond); err == nil || !strings.Contains(err.Error(), "other runs of the program took all the time") {
		t.Error(err)
	}
	p.room.Release(1)
	if _, _, err := run(t, p, time.Minute); err != nil {
		t.Error(err)
	}
}
