package plugin

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/diag"
)

// What is under way may finish for 15 seconds, is broken off then, and given up
// after 5 more.
func TestTheEndHasBounds(t *testing.T) {
	broken := errors.New("the session fails")
	for name, tc := range map[string]struct {
		finish  time.Duration // of the session by itself; 0 never
		obeys   bool          // the session ends when it is broken off
		result  error
		signals map[time.Duration]os.Signal
		want    error
		took    time.Duration
		asked   bool // at the end
		again   bool
	}{
		"in time":         {finish: 14 * time.Second, took: 14 * time.Second},
		"with an error":   {finish: time.Second, result: broken, want: broken, took: time.Second},
		"broken off":      {obeys: true, took: drainTime},
		"given up":        {want: errForced, took: drainTime + abortTime},
		"asked to end":    {finish: 9 * time.Second, signals: map[time.Duration]os.Signal{time.Second: syscall.SIGTERM}, took: 9 * time.Second, asked: true},
		"asked to reload": {finish: 9 * time.Second, signals: map[time.Duration]os.Signal{time.Second: syscall.SIGHUP}, took: 9 * time.Second, again: true},
		"another signal":  {finish: 9 * time.Second, signals: map[time.Duration]os.Signal{time.Second: syscall.SIGUSR1}, took: 9 * time.Second},
		"asked by an echo": {
			finish: 9 * time.Second, took: 9 * time.Second, asked: true,
			signals: map[time.Duration]os.Signal{time.Second: syscall.SIGTERM, 2*time.Second - 1: syscall.SIGTERM},
		},
		"asked again after a second": {
			signals: map[time.Duration]os.Signal{time.Second: syscall.SIGTERM, 2 * time.Second: syscall.SIGTERM},
			want:    errForced, took: 2 * time.Second, asked: true,
		},
		"asked twice to end": {
			signals: map[time.Duration]os.Signal{time.Second: syscall.SIGTERM, 3 * time.Second: syscall.SIGINT},
			want:    errForced, took: 3 * time.Second, asked: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &daemon{log: &diag.Logger{Logger: zap.NewNop()}}
				ended, signals := make(chan error, 1), make(chan os.Signal)
				if tc.finish > 0 {
					time.AfterFunc(tc.finish, func() { ended <- tc.result })
				}
				for after, sig := range tc.signals {
					time.AfterFunc(after, func() { signals <- sig })
				}
				start := time.Now()
				asked, err := d.drain(ended, func() {
					if tc.obeys {
						ended <- nil
					}
				}, signals, nil)
				if !errors.Is(err, tc.want) || asked != tc.asked || d.again != tc.again || time.Since(start) != tc.took {
					t.Errorf("after %v: %v, asked=%v, again=%v", time.Since(start), err, asked, d.again)
				}
			})
		})
	}
}

// The service manager hears of the start, a reload, and the end.
func TestTheServiceManagerIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	r := newRig(t)
	r.start(true)
	told := make(chan string, 64)
	go func() {
		defer close(told)
		buf := make([]byte, 1024)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			if word, _, _ := strings.Cut(string(buf[:n]), "\n"); !strings.HasPrefix(word, "STATUS=") {
				told <- word
			}
		}
	}()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-told:
			if got != want {
				t.Errorf("told %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("%s is not told", want)
		}
	}
	expect("READY=1")
	r.signals <- syscall.SIGHUP
	expect("RELOADING=1")
	expect("READY=1")
	r.signals <- syscall.SIGTERM
	expect("STOPPING=1")
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	_ = conn.Close()
	for range told { // until the reader has ended
	}
}

// A SIGHUP that comes before there is anything to reload is obeyed afterwards.
func TestAReloadDuringTheStart(t *testing.T) {
	r := newRig(t)
	begun, letGo := r.checking()
	r.start(false)
	<-begun
	r.write("second")
	r.signals <- syscall.SIGHUP
	r.until("the signal is seen", func() bool { return len(r.signals) == 0 })
	letGo()
	r.until("the config is reloaded", r.logged("The config was reloaded"))
	r.stop()
}

// A log file that was moved away is made anew by a reload.
func TestAReloadOpensTheLogAgain(t *testing.T) {
	r := newRig(t)
	r.start(true)
	if err := os.Rename(r.logFile, r.logFile+".1"); err != nil {
		t.Fatal(err)
	}
	r.signals <- syscall.SIGHUP
	r.until("the new file says so", r.logged("The config was reloaded"))
	r.stop()
}

// A log that cannot be opened is noted, and taken up by the next reload.
func TestAReloadOpensALogThatCouldNotBeOpened(t *testing.T) {
	r := newRig(t)
	if err := os.Mkdir(r.logFile+".d", 0o700); err != nil {
		t.Fatal(err)
	}
	r.start(true)
	aside := r.logFile + ".1"
	if err := errors.Join(os.Rename(r.logFile, aside), os.Rename(r.logFile+".d", r.logFile)); err != nil {
		t.Fatal(err)
	}
	noted := func() bool {
		return slices.ContainsFunc(r.daemon.health.Status().Notes, func(n diag.Note) bool {
			return n.Name == "log" && strings.HasPrefix(n.Text, "the log file is a folder, not a file, so that the log goes to stderr")
		})
	}
	r.signals <- syscall.SIGHUP
	r.until("the note says so", noted)
	if text, err := os.ReadFile(aside); err != nil || !strings.Contains(string(text), "The log file cannot be opened again") {
		t.Errorf("the old file says %s, %v", text, err)
	}
	if err := os.Remove(r.logFile); err != nil {
		t.Fatal(err)
	}
	r.signals <- syscall.SIGHUP
	r.until("the new file says so", r.logged("The config was reloaded"))
	if noted() {
		t.Error("the note stays")
	}
	r.stop()
}

// The end of what holds the daemon is its end too.
func TestTheDaemonEndsWithItsContext(t *testing.T) {
	r := newRig(t)
	settings := r.make()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { r.ended <- r.daemon.run(ctx, settings, r.signals) }()
	r.until("the daemon is ready", func() bool { return r.daemon.health.Status().Ready })
	cancel()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}
