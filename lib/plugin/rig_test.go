package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/request"
	test "teleport-plugins/lib/sandbox/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds the wait for what must come; it only matters to broken code.
const patience = 30 * time.Second

// desk is a service in memory, which does what the test tells it to.
type desk struct {
	mu         sync.Mutex
	checks     int
	posts      []string // the desk's name in the config at the time, and the request
	views      []request.View
	shown      []request.View
	reminders  []string // owners, and the titles of their lists
	check      func(ctx context.Context) error
	post       func(ctx context.Context) error
	faults     []error                     // what the probe finds
	prove      func(context.Context) error // what is found of the recipient ops
	recipients []string                    // in place of ops
	show       func(plugindata.Message, request.View) error
}

func (d *desk) with(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *desk) checked() (n int) {
	d.with(func() { n = d.checks })
	return n
}

func (d *desk) reminded() (all []string) {
	d.with(func() { all = append(all, d.reminders...) })
	return all
}

// deskSettings is the config of a desk.
type deskSettings struct {
	Base
	Desk struct {
		Name string `toml:"name"`
		Note string `toml:"note"`
	} `toml:"desk"`
	Reminders Reminders `toml:"access_list_reminders"`

	desk *desk
	// instead is the service in place of the desk's, if it is set.
	instead integration.Service
}

// Build makes the service of a desk, unless its name is "broken".
func (s *deskSettings) Build(d Deps) (Parts, error) {
	if s.Desk.Name == "broken" {
		return Parts{}, errors.New("the desk has three legs")
	}
	if s.Desk.Note != "" {
		d.Note("desk", s.Desk.Note)
	}
	at := deskService{s.desk, s.Desk.Name}
	if s.instead != nil {
		return Parts{Service: s.instead, Router: at, Codec: plugindata.Messages{}, Reminders: &s.Reminders}, nil
	}
	return Parts{Service: at, Router: at, Codec: plugindata.Messages{}, Reminders: &s.Reminders}, nil
}

type deskService struct {
	*desk
	name string
}

func (s deskService) Recipients(context.Context, request.View) integration.Choices {
	if len(s.recipients) > 0 {
		return integration.Choose("they are listed", s.recipients...)
	}
	return integration.Choose("everybody hears of everything", "ops")
}

func (deskService) Tells(k integration.Kind) bool { return k == integration.Announce }

func (deskService) Resolve(_ context.Context, name string) (string, error) { return name, nil }

func (s deskService) Check(ctx context.Context) error {
	var check func(ctx context.Context) error
	s.with(func() {
		s.checks++
		check = s.check
	})
	if check == nil {
		return nil
	}
	return check(ctx)
}

func (s deskService) Tell(ctx context.Context, to integration.Place, _ integration.Effect, v request.View) (plugindata.Message, error) {
	s.mu.Lock()
	s.posts, s.views = append(s.posts, s.name+" "+v.ID), append(s.views, v)
	post, n := s.post, len(s.posts)
	s.mu.Unlock()
	if post != nil {
		if err := post(ctx); err != nil {
			return plugindata.Message{}, err
		}
	}
	return plugindata.Message{Channel: to.Address, ID: fmt.Sprint(n)}, nil
}

func (s deskService) Show(_ context.Context, m plugindata.Message, v request.View) error {
	if s.show != nil {
		return s.show(m, v)
	}
	s.with(func() { s.shown = append(s.shown, v) })
	return nil
}

func (deskService) Configured() []string { return []string{"ops"} }

func (s deskService) Probes() []check.Leg {
	return []check.Leg{{Name: "drawers", What: "drawers of the desk", Try: func(context.Context) (err error) {
		s.with(func() { err = check.Findings(s.faults) })
		return err
	}}}
}

func (s deskService) Prove(ctx context.Context, _ string) error {
	var prove func(context.Context) error
	s.with(func() { prove = s.prove })
	if prove == nil {
		return nil
	}
	return prove(ctx)
}

func (deskService) Person(_ context.Context, user string) string { return user }

func (s deskService) Remind(_ context.Context, address string, r remind.Reminder) error {
	s.with(func() {
		for _, l := range r.Lists {
			s.reminders = append(s.reminders, address+" "+l.Title)
		}
	})
	return nil
}

// refusedToken is what a service says to credentials that it does not accept.
func refusedToken() error {
	return &outbound.Error{
		Kind: outbound.Refused, Scope: outbound.TheToken, Op: "check", Code: "invalid_auth", Status: 401,
	}
}

// integrationOf is the plugin of a desk.
func integrationOf(d *desk) Integration {
	reminders := DefaultReminders()
	reminders.Enabled = false
	return Integration{
		Name: "desk", Title: "Desk", Example: "[desk]\n",
		New: func() Settings { return &deskSettings{Base: DefaultBase(), Reminders: reminders, desk: d} },
	}
}

// rig is a daemon at a cluster and a desk.
type rig struct {
	*testing.T
	desk    *desk
	cluster *test.Cluster
	config  string
	logFile string
	flags   flags
	daemon  *daemon
	signals chan os.Signal
	ended   chan error
}

func newRig(t *testing.T) *rig { return newRigAt(t, test.Options{}) }

func newRigAt(t *testing.T, o test.Options) *rig {
	t.Helper()
	r := &rig{T: t, desk: &desk{}, signals: make(chan os.Signal, 8), ended: make(chan error, 1)}
	var err error
	if r.cluster, err = test.Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cluster.Close() })
	dir := t.TempDir()
	r.config, r.logFile = filepath.Join(dir, "config.toml"), filepath.Join(dir, "log")
	r.flags.config = r.config
	r.identity(time.Hour)
	r.write("first")
	return r
}

// identity issues the plugin's identity, which holds for some time from now.
func (r *rig) identity(ttl time.Duration) {
	r.Helper()
	if err := r.cluster.IssueIdentity(r.beside("identity"), test.PluginUser, ttl); err != nil {
		r.Fatal(err)
	}
}

// beside is the path of a file beside the config.
func (r *rig) beside(name string) string { return filepath.Join(filepath.Dir(r.config), name) }

// write puts the config in place, with a name for the desk and further lines.
func (r *rig) write(name string, more ...string) {
	r.Helper()
	text := fmt.Sprintf("[teleport]\naddr = %q\nidentity = %q\n[delivery]\ncall_timeout = \"5s\"\nlease = \"10s\"\n[desk]\nname = %q\n",
		r.cluster.Addr(), r.beside("identity"), name)
	r.writeText(text + strings.Join(more, "\n") + "\n")
}

func (r *rig) writeText(text string) {
	r.Helper()
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

// make makes the daemon and reads the config, without starting anything.
func (r *rig) make() Settings {
	r.Helper()
	i := integrationOf(r.desk)
	log, err := diag.NewLogger(diag.LogOptions{Output: r.logFile}, true)
	if err != nil {
		r.Fatal(err)
	}
	settings, err := load(i, r.config, log.Logger)
	if err != nil {
		r.Fatal(err)
	}
	if r.daemon, err = newDaemon(i, r.flags, log); err != nil {
		r.Fatal(err)
	}
	return settings
}

// start begins the daemon; with ready it waits until all is well.
func (r *rig) start(ready bool) {
	r.Helper()
	settings := r.make()
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

// condition gives the state of a condition and its reason.
func (r *rig) condition(name string) (ok bool, reason string) {
	for _, c := range r.daemon.health.Status().Conditions {
		if c.Name == name {
			return c.OK, c.Reason
		}
	}
	return false, "there is no such condition"
}

func (r *rig) request() {
	r.Helper()
	if _, err := r.cluster.CreateRequest(test.CreateParams{User: test.Alice, Roles: []string{"demo-role"}}); err != nil {
		r.Fatal(err)
	}
}

// posted says under which names of the desk was posted.
func (r *rig) posted() (names []string) {
	r.desk.with(func() {
		for _, p := range r.desk.posts {
			name, _, _ := strings.Cut(p, " ")
			names = append(names, name)
		}
	})
	return names
}

// checking makes the desk's checks hang until they are let go or given up, and
// reports each.
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
