package teleport

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is an identity file with a watch on it, on virtual time and without
// file events.
type bench struct {
	t       *testing.T
	ca      *pki
	path    string
	first   *Identity
	changes []*Identity
	logs    *observer.ObservedLogs
	nudges  chan struct{}
}

// onBench runs a scenario against a watch with a polling interval of a minute
// on an identity that has just begun and holds for life.
func onBench(t *testing.T, life time.Duration, scenario func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, ca: newPKI(t, "example.com"), nudges: make(chan struct{}, 1)}
		b.path = put(t, filepath.Join(t.TempDir(), "identity"), b.ca.fresh(life))
		b.first = must(Load(Credentials{Identity: b.path}))(t)
		core, logs := observer.New(zap.DebugLevel)
		b.logs = logs
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			newWatch(b.first, time.Minute, func(id *Identity) { b.changes = append(b.changes, id) }, zap.New(core)).run(ctx, b.nudges)
		}()
		scenario(b)
		cancel()
		<-done
	})
}

// pass lets virtual time go by.
func (b *bench) pass(d time.Duration) {
	time.Sleep(d) // virtual: returns when all else is idle
	synctest.Wait()
}

// logged returns the messages at a level since the last call, and drops them.
func (b *bench) logged() []observer.LoggedEntry { return b.logs.TakeAll() }

func (b *bench) wantLog(parts ...string) {
	b.t.Helper()
	entries := b.logged()
	if len(entries) != len(parts) {
		b.t.Fatalf("%d log lines, want %d: %v", len(entries), len(parts), entries)
	}
	for i, e := range entries {
		line := e.Message
		for k, v := range e.ContextMap() {
			if s, ok := v.(string); ok {
				line += " " + k + "=" + s
			}
		}
		if !strings.Contains(line, parts[i]) {
			b.t.Errorf("log line %q, want it to contain %q", line, parts[i])
		}
	}
}

func (b *bench) wantChanges(n int) {
	b.t.Helper()
	if len(b.changes) != n {
		b.t.Fatalf("%d changes told, want %d", len(b.changes), n)
	}
}

func TestWatchTellsANewIdentityWithinTheInterval(t *testing.T) {
	onBench(t, 1000*time.Hour, func(b *bench) {
		b.pass(10 * time.Minute)
		b.wantChanges(0)
		replace(t, b.path, b.ca.fresh(2000*time.Hour))
		b.pass(66 * time.Second) // the interval and its jitter
		b.wantChanges(1)
		if b.changes[0].Hash == b.first.Hash || !b.changes[0].NotAfter.After(b.first.NotAfter) {
			t.Error("the identity told is not the new one")
		}
		b.wantLog("was renewed")
		b.pass(time.Hour)
		b.wantChanges(1)
		b.wantLog()
	})
}

func TestWatchTellsAtOnceWhatChangedBeforeItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newPKI(t, "example.com")
		path := put(t, filepath.Join(t.TempDir(), "identity"), ca.fresh(time.Hour))
		first := must(Load(Credentials{Identity: path}))(t)
		replace(t, path, ca.fresh(2*time.Hour))
		told := 0
		ctx, cancel := context.WithCancel(t.Context())
		newWatch(first, time.Hour, func(*Identity) { told++; cancel() }, zap.NewNop()).run(ctx, nil)
		if told != 1 {
			t.Fatalf("told %d times", told)
		}
	})
}

func TestWatchLooksSoonAfterAnEventAndOnceForABurst(t *testing.T) {
	onBench(t, 1000*time.Hour, func(b *bench) {
		b.pass(time.Second)
		for range 3 { // a writer that is slower than the first event
			put(t, b.path, b.ca.fresh(1000 * time.Hour)[:200])
			b.nudges <- struct{}{}
			b.pass(10 * time.Millisecond)
		}
		replace(t, b.path, b.ca.fresh(2000*time.Hour))
		b.pass(settle)
		b.wantChanges(1)
		b.wantLog("was renewed")
	})
}

func TestWatchKeepsTheCurrentIdentityWhenTheNewOneIsUnusable(t *testing.T) {
	day := 24 * time.Hour
	cases := []struct {
		name  string
		spoil func(b *bench) error
		want  string
	}{
		{"broken", func(b *bench) error { return os.WriteFile(b.path, []byte("oops"), 0o600) }, "is not an identity file"},
		{"gone", func(b *bench) error { return os.Remove(b.path) }, "does not exist"},
		{"expired", func(b *bench) error {
			return os.WriteFile(b.path, b.ca.encode(b.ca.issue(time.Now().Add(-day), time.Now().Add(-time.Hour))), 0o600)
		}, "expired at 1999-12-31T23:01:00Z (1 hour ago)"},
		{"of tomorrow", func(b *bench) error {
			return os.WriteFile(b.path, b.ca.encode(b.ca.issue(time.Now().Add(day), time.Now().Add(2*day))), 0o600)
		}, "is not valid before 2000-01-02T00:01:00Z"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			onBench(t, 1000*time.Hour, func(b *bench) {
				b.pass(time.Minute)
				original := must(os.ReadFile(b.path))(t)
				if err := tc.spoil(b); err != nil {
					t.Fatal(err)
				}
				b.pass(5 * time.Hour)
				b.wantChanges(0)
				if b.logs.FilterLevelExact(zap.WarnLevel).Len() != b.logs.Len() {
					t.Error("not a warning")
				}
				b.wantLog(tc.want)

				put(t, b.path, original)
				b.pass(2 * time.Minute)
				b.wantLog("is the current one again")
				replace(t, b.path, b.ca.fresh(2000*time.Hour))
				b.pass(2 * time.Minute)
				b.wantChanges(1)
				b.wantLog("was renewed")
			})
		})
	}
}

func TestWatchWarnsOncePerFault(t *testing.T) {
	onBench(t, 1000*time.Hour, func(b *bench) {
		put(t, b.path, []byte("oops"))
		b.pass(time.Hour)
		b.wantLog("it holds no keys")
		put(t, b.path, b.ca.fresh(time.Hour)[:150])
		b.pass(time.Hour)
		b.wantLog("it is cut short")
	})
}

func TestWatchDoesNotTellAFileThatWasOnlyHalfWritten(t *testing.T) {
	onBench(t, 1000*time.Hour, func(b *bench) {
		whole := b.ca.fresh(2000 * time.Hour)
		put(t, b.path, whole[:len(whole)/2])
		b.nudges <- struct{}{}
		b.pass(2 * settle) // seen as broken, not told yet
		put(t, b.path, whole)
		b.nudges <- struct{}{}
		b.pass(settle)
		b.wantChanges(1)
		b.wantLog("was renewed")
	})
}

func TestWatchWarnsOfAgeOncePerMark(t *testing.T) {
	onBench(t, 100*time.Hour, func(b *bench) {
		b.pass(49 * time.Hour)
		b.wantLog()
		b.pass(time.Hour)
		b.wantLog("left=2 days")
		b.pass(39 * time.Hour)
		b.wantLog()
		b.pass(2 * time.Hour)
		b.wantLog("left=10 hours")
		b.pass(8 * time.Hour)
		b.wantLog()
		b.pass(2 * time.Hour)
		b.wantLog("has expired")
		b.pass(10 * time.Hour)
		b.wantLog()
		b.wantChanges(0)
	})
}

func TestWatchWarnsOfTheAgeOfEachIdentityAnew(t *testing.T) {
	onBench(t, 10*time.Hour, func(b *bench) {
		b.pass(6 * time.Hour)
		b.wantLog("getting old")
		replace(t, b.path, b.ca.fresh(10*time.Hour))
		b.pass(time.Hour)
		b.wantLog("was renewed")
		b.pass(5 * time.Hour)
		b.wantLog("left=5 hours")
	})
}

func TestWatchThatBeginsLateTellsOnlyTheLastMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newPKI(t, "example.com")
		path := put(t, filepath.Join(t.TempDir(), "identity"), ca.fresh(100*time.Hour))
		first := must(Load(Credentials{Identity: path}))(t)
		time.Sleep(95 * time.Hour) // virtual
		core, logs := observer.New(zap.DebugLevel)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		newWatch(first, 0, nil, zap.New(core)).run(ctx, nil)
		if got := logs.All(); len(got) != 1 || got[0].ContextMap()["life_used_percent"] != int64(90) {
			t.Fatalf("logged %v", got)
		}
	})
}

func TestPollingIsSpread(t *testing.T) {
	w := newWatch(&Identity{}, time.Minute, nil, zap.NewNop())
	seen := make(map[time.Duration]bool)
	for range 100 {
		d := w.nextPoll()
		if d < 54*time.Second || d > 66*time.Second {
			t.Fatalf("polls after %s", d)
		}
		seen[d] = true
	}
	if len(seen) < 50 {
		t.Errorf("only %d different waits of 100", len(seen))
	}
}

// watchFor starts the real Watch, with an interval too long to matter, and
// returns its changes. It ends with the test.
func watchFor(t *testing.T, creds Credentials) <-chan *Identity {
	t.Helper()
	first := must(Load(creds))(t)
	changes := make(chan *Identity)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Watch(ctx, first, time.Hour, func(id *Identity) {
			select {
			case changes <- id:
			case <-ctx.Done():
			}
		}, zap.NewNop())
	}()
	t.Cleanup(func() { cancel(); <-done })
	return changes
}

func wantUser(t *testing.T, changes <-chan *Identity, after *Identity) *Identity {
	t.Helper()
	select {
	case id := <-changes:
		if after != nil && id.Hash == after.Hash {
			t.Fatal("told the same identity twice")
		}
		return id
	case <-time.After(30 * time.Second):
		t.Fatal("the change was not noticed")
		return nil
	}
}

func TestWatchNoticesFileEvents(t *testing.T) {
	ca := newPKI(t, "example.com")
	write := func(t *testing.T, path string, data []byte) { put(t, path, data) }
	for name, change := range map[string]func(*testing.T, string, []byte){"write": write, "rename": func(t *testing.T, path string, data []byte) { replace(t, path, data) }} {
		t.Run(name, func(t *testing.T) {
			path := put(t, filepath.Join(t.TempDir(), "identity"), ca.fresh(time.Hour))
			changes := watchFor(t, Credentials{Identity: path})
			change(t, path, ca.fresh(2*time.Hour))
			second := wantUser(t, changes, nil)
			change(t, path, ca.fresh(3*time.Hour))
			wantUser(t, changes, second)
		})
	}
}

func TestWatchNoticesTheSymlinkSwapOfAKubernetesVolume(t *testing.T) {
	ca := newPKI(t, "example.com")
	dir := t.TempDir()
	path := filepath.Join(dir, "identity")
	swap := func(version string, data []byte) {
		t.Helper()
		real := filepath.Join(dir, ".."+version)
		err := errors.Join(os.Mkdir(real, 0o700), os.WriteFile(filepath.Join(real, "identity"), data, 0o600),
			os.Symlink(".."+version, filepath.Join(dir, "..data_tmp")),
			os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
		if err != nil {
			t.Fatal(err)
		}
	}
	swap("2026_1", ca.fresh(time.Hour))
	if err := os.Symlink(filepath.Join("..data", "identity"), path); err != nil {
		t.Fatal(err)
	}
	changes := watchFor(t, Credentials{Identity: path})
	swap("2026_2", ca.fresh(2*time.Hour))
	second := wantUser(t, changes, nil)
	swap("2026_3", ca.fresh(3*time.Hour))
	wantUser(t, changes, second)
}

func TestWatchTakesThreeFilesAsOneChange(t *testing.T) {
	ca := newPKI(t, "example.com")
	dir := t.TempDir()
	c := Credentials{ClientKey: filepath.Join(dir, "auth.key"), ClientCert: filepath.Join(dir, "auth.crt"), RootCAs: filepath.Join(dir, "auth.cas")}
	write := func() {
		f := ca.issue(time.Now(), time.Now().Add(time.Hour))
		put(t, c.ClientKey, f.PrivateKey)
		put(t, c.ClientCert, f.Certs.TLS)
		put(t, c.RootCAs, f.CACerts.TLS[0])
	}
	write()
	changes := watchFor(t, c)
	write()
	id := wantUser(t, changes, nil)
	if fresh := must(Load(c))(t); fresh.Hash != id.Hash {
		t.Error("told a mixture of old and new files")
	}
}

func TestRelevantEvents(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "identity")
	if err := os.Symlink(filepath.Join("live", "identity"), path); err != nil {
		t.Fatal(err)
	}
	relevant := relevant(Credentials{Identity: path})
	for name, want := range map[string]bool{"identity": true, "live": true, "..data": true, "..2026_1": true, "db.sqlite": false, ".identity.123": false} {
		if got := relevant(filepath.Join(dir, name)); got != want {
			t.Errorf("relevant(%q) = %t", name, got)
		}
	}
}

func TestReadFaultKeepsTheCause(t *testing.T) {
	_, err := Load(Credentials{Identity: filepath.Join(t.TempDir(), "x")})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not match fs.ErrNotExist", err)
	}
}
