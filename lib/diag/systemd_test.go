package diag

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// manager listens where systemd would and gives a func that reads one message.
func manager(t *testing.T) func() string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return func() string {
		buf := make([]byte, 1024)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

func TestSystemdIsTold(t *testing.T) {
	read := manager(t)
	for _, c := range []struct {
		name string
		tell func() error
		want string
	}{
		{"ready", Systemd{}.Ready, "READY=1"},
		{"stopping", Systemd{}.Stopping, "STOPPING=1"},
		{"status", func() error { return Systemd{}.Status("not\nREADY=1") }, `STATUS=not\nREADY=1`},
	} {
		if err := c.tell(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := read(); got != c.want {
			t.Errorf("%s: got %q", c.name, got)
		}
	}
	if err := (Systemd{}).Reloading(); err != nil {
		t.Fatal(err)
	}
	first, usec, _ := strings.Cut(read(), "\n")
	number, isTime := strings.CutPrefix(usec, "MONOTONIC_USEC=")
	if _, err := strconv.ParseUint(number, 10, 64); first != "RELOADING=1" || !isTime || err != nil {
		t.Errorf("got %q and %q", first, usec)
	}
}

func TestSystemdIsNotThere(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	s := Systemd{}
	if err := errors.Join(s.Ready(), s.Reloading(), s.Stopping(), s.Status("x"), s.Watchdog(t.Context(), nil)); err != nil {
		t.Error(err)
	}
}

func TestSystemdDoesNotListen(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if err := (Systemd{}).Ready(); err == nil {
		t.Error("no error")
	}
}

func TestWatchdogReachesTheManager(t *testing.T) {
	read := manager(t)
	t.Setenv("WATCHDOG_USEC", "3600000000")
	t.Setenv("WATCHDOG_PID", "")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Systemd{}.Watchdog(ctx, nil) }()
	if got := read(); got != "WATCHDOG=1" {
		t.Errorf("got %q", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWatchdogRefusesNonsense(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "soon")
	if err := (Systemd{}).Watchdog(t.Context(), nil); err == nil {
		t.Error("no error")
	}
}

func TestWatchdogBeatsOnlyWhileAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var beats []time.Duration
		live := func() error {
			if age := time.Since(start); age >= 2*time.Second && age < 4*time.Second {
				return errors.New("hangs")
			}
			return nil
		}
		done := make(chan error, 1)
		go func() {
			done <- beat(ctx, time.Second, live, func() error {
				beats = append(beats, time.Since(start))
				return nil
			})
		}()
		time.Sleep(5500 * time.Millisecond) // virtual time
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []time.Duration{0, time.Second, 4 * time.Second, 5 * time.Second}
		if len(beats) != len(want) {
			t.Fatalf("got %v, want %v", beats, want)
		}
		for i := range want {
			if beats[i] != want[i] {
				t.Errorf("got %v, want %v", beats, want)
			}
		}
	})
}
