package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	test "teleport-plugins/lib/sandbox/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds the wait for what must come; it only matters to broken code.
const patience = 30 * time.Second

// desk is a service in memory, which does what the test tells it to.
type desk struct {
	mu     sync.Mutex
	checks int
	posts  []string // the desk's name in the config at the time, and the request
	check  func(ctx context.Context) error
	post   func(ctx context.Context) error
}

// deskSettings is the config of a desk.
type deskSettings struct {
	Base
	Desk struct {
		Name string `toml:"name"`
	} `toml:"desk"`

	desk *desk
}

func (s *deskSettings) Build(Deps) (Parts, error) {
	at := deskService{s.desk, s.Desk.Name}
	return Parts{Service: at, Router: at, Codec: plugindata.Messages{}}, nil
}

type deskService struct {
	*desk
	name string
}

func (deskService) Recipients(context.Context, message.View) []string { return []string{"ops"} }

func (deskService) Resolve(_ context.Context, name string) (string, error) { return name, nil }

func (s deskService) Check(ctx context.Context) error {
	s.mu.Lock()
	s.checks++
	check := s.check
	s.mu.Unlock()
	if check == nil {
		return nil
	}
	return check(ctx)
}

func (s deskService) Post(ctx context.Context, address string, v message.View) (plugindata.Message, error) {
	s.mu.Lock()
	s.posts = append(s.posts, s.name+" "+v.ID)
	post, n := s.post, len(s.posts)
	s.mu.Unlock()
	if post != nil {
		if err := post(ctx); err != nil {
			return plugindata.Message{}, err
		}
	}
	return plugindata.Message{Channel: address, ID: fmt.Sprint(n)}, nil
}

func (deskService) Edit(context.Context, plugindata.Message, message.View) error { return nil }

func (d *desk) with(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// rig is a daemon at a cluster and a desk.
type rig struct {
	*testing.T
	desk    *desk
	cluster *test.Cluster
	config  string
	logFile string
	daemon  *daemon
	signals chan os.Signal
	ended   chan error
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, desk: &desk{}, signals: make(chan os.Signal, 8), ended: make(chan error, 1)}
	var err error
	if r.cluster, err = test.Start(test.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cluster.Close() })
	dir := t.TempDir()
	r.config, r.logFile = filepath.Join(dir, "config.toml"), filepath.Join(dir, "log")
	if err := r.cluster.IssueIdentity(filepath.Join(dir, "identity"), test.PluginUser, time.Hour); err != nil {
		t.Fatal(err)
	}
	r.write("first")
	return r
}

// write puts the config in place, with a name for the desk.
func (r *rig) write(name string) {
	r.Helper()
	text := fmt.Sprintf("[teleport]\naddr = %q\nidentity = %q\n[delivery]\ncall_timeout = \"5s\"\nlease = \"10s\"\n[desk]\nname = %q\n",
		r.cluster.Addr(), filepath.Join(filepath.Dir(r.config), "identity"), name)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

// start begins the daemon; with ready it waits until all is well.
func (r *rig) start(ready bool) {
	r.Helper()
	i := Integration{Name: "desk", Title: "Desk", New: func() Settings { return &deskSettings{Base: DefaultBase(), desk: r.desk} }}
	log, err := diag.NewLogger(diag.LogOptions{Output: r.logFile}, true)
	if err != nil {
		r.Fatal(err)
	}
	settings, err := load(i, r.config, log.Logger)
	if err != nil {
		r.Fatal(err)
	}
	if r.daemon, err = newDaemon(i, flags{config: r.config}, log); err != nil {
		r.Fatal(err)
	}
	// The log stays open: after a second signal there may still be somebody at work.
	go func() { r.ended <- r.daemon.run(context.Background(), settings, r.signals) }()
	if ready {
		r.until("the daemon is ready", func() bool { return r.daemon.health.Status().Ready })
	}
}

func (r *rig) until(what string, done func() bool) {
	r.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("waited in vain until %s\n%s", what, r.log())
		}
	}
}

// wait gives the error with which the daemon ended.
func (r *rig) wait() error {
	r.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		r.Fatalf("the daemon does not end\n%s", r.log())
		return nil
	}
}

func (r *rig) log() string {
	text, _ := os.ReadFile(r.logFile)
	return string(text)
}

func (r *rig) logged(text string) func() bool {
	return func() bool { return strings.Contains(r.log(), text) }
}

func (r *rig) request() {
	r.Helper()
	if _, err := r.cluster.CreateRequest(test.CreateParams{User: test.Alice, Roles: []string{"demo-role"}}); err != nil {
		r.Fatal(err)
	}
}

// posted says under which names of the desk was posted.
func (r *rig) posted() (names []string) {
	r.desk.mu.Lock()
	defer r.desk.mu.Unlock()
	for _, p := range r.desk.posts {
		name, _, _ := strings.Cut(p, " ")
		names = append(names, name)
	}
	return names
}

// checking makes the desk's checks hang until they are let go or given up, and
// tells of each.
func (r *rig) checking() (begun <-chan struct{}, letGo func()) {
	told, free := make(chan struct{}, 8), make(chan struct{})
	r.desk.with(func() {
		r.desk.check = func(ctx context.Context) error {
			told <- struct{}{}
			select {
			case <-free:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return told, sync.OnceFunc(func() { close(free) })
}

// posting makes a request and returns while its post hangs, until it is let go.
func (r *rig) posting() (letGo func()) {
	r.Helper()
	begun, free := make(chan struct{}), make(chan struct{})
	r.desk.with(func() {
		r.desk.post = func(context.Context) error {
			close(begun)
			<-free
			return nil
		}
	})
	r.request()
	<-begun
	return func() { close(free) }
}

func TestASignalEndsTheStart(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			r := newRig(t)
			begun, _ := r.checking()
			r.start(false)
			<-begun
			r.signals <- sig
			if err := r.wait(); err != nil {
				t.Errorf("the end: %v", err)
			}
		})
	}
}

func TestAReloadTakesUpTheNewConfig(t *testing.T) {
	r := newRig(t)
	r.start(true)
	r.request()
	r.until("the first post is there", func() bool { return len(r.posted()) == 1 })
	r.write("second")
	r.signals <- syscall.SIGHUP
	r.until("the config is reloaded", r.logged("The config was reloaded"))
	r.request()
	r.until("the second post is there", func() bool { return len(r.posted()) == 2 })
	r.signals <- syscall.SIGTERM
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if got := r.posted(); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("posted by %q", got)
	}
}

// A config that is changed again while it is read is read again.
func TestNoReloadIsMissed(t *testing.T) {
	for name, during := range map[string]func(r *rig, reload func(name string)){
		"while the one before is prepared": func(r *rig, reload func(string)) {
			begun, letGo := r.checking()
			reload("second")
			<-begun
			reload("third")
			letGo()
		},
		"while the session before finishes": func(r *rig, reload func(string)) {
			letGo := r.posting()
			r.desk.with(func() { r.desk.post = nil })
			reload("second")
			r.until("the next session is prepared", func() bool { r.desk.mu.Lock(); defer r.desk.mu.Unlock(); return r.desk.checks == 2 })
			reload("third")
			letGo()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.start(true)
			during(r, func(name string) {
				r.write(name)
				r.signals <- syscall.SIGHUP
			})
			r.until("the config is reloaded twice", func() bool { return strings.Count(r.log(), "The config was reloaded") == 2 })
			r.request()
			r.until("the last config is in use", func() bool { return slices.Contains(r.posted(), "third") })
			r.signals <- syscall.SIGTERM
			if err := r.wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestABrokenConfigLeavesTheOldOneInForce(t *testing.T) {
	for name, breakIt := range map[string]func(r *rig){
		"no TOML": func(r *rig) {
			if err := os.WriteFile(r.config, []byte("[teleport\n"), 0o600); err != nil {
				r.Fatal(err)
			}
		},
		"refused credentials": func(r *rig) {
			r.write("second")
			r.desk.with(func() {
				r.desk.check = func(context.Context) error {
					return &outbound.Error{Kind: outbound.Credentials, Op: "check", Err: errors.New("no such key")}
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.start(true)
			breakIt(r)
			r.signals <- syscall.SIGHUP
			r.until("the old config stays", r.logged("The new config is not used; the old one stays in force"))
			if s := r.daemon.health.Status(); !s.Ready {
				t.Errorf("a config that is not used harms the state: %s", s)
			}
			r.request()
			r.until("the post is there", func() bool { return slices.Contains(r.posted(), "first") })
			r.signals <- syscall.SIGTERM
			if err := r.wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestASignalEndsAReload(t *testing.T) {
	r := newRig(t)
	r.start(true)
	begun, _ := r.checking()
	r.signals <- syscall.SIGHUP
	<-begun
	r.signals <- syscall.SIGTERM
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if strings.Contains(r.log(), "ERROR") {
		t.Errorf("the end of a reload is told as an error:\n%s", r.log())
	}
}

// What is under way may finish after the first signal, and not after the second.
func TestTheSecondSignalEndsAtOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		signals []os.Signal
		want    error
	}{
		"one":                 {[]os.Signal{syscall.SIGTERM}, nil},
		"two":                 {[]os.Signal{syscall.SIGTERM, syscall.SIGTERM}, errForced},
		"of another kind":     {[]os.Signal{syscall.SIGTERM, syscall.SIGINT}, errForced},
		"others do not count": {[]os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.start(true)
			letGo := r.posting()
			for _, sig := range tc.signals {
				r.signals <- sig
			}
			r.until("the signals are seen", func() bool { return len(r.signals) == 0 })
			if tc.want == nil {
				letGo()
			} else {
				defer letGo()
			}
			if err := r.wait(); !errors.Is(err, tc.want) {
				t.Errorf("the end: %v, want %v", err, tc.want)
			}
		})
	}
}
