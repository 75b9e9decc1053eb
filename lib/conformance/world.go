package conformance

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

// patience is how long the suite waits for what must come; it is a bound for
// broken code, not a measure of speed.
const patience = time.Minute

// world is a cluster, a service and the plugin between them.
type world struct {
	*testing.T
	service farend.Service
	far     farend.FarEnd
	two     []string // IDs of the two recipients
	cluster *cluster.Cluster
	config  string
	text    string // of the config, without further sections
	log     *zap.Logger
	logs    *observer.ObservedLogs
	plugins []*running
}

type running struct {
	stop  context.CancelFunc
	ended chan error
}

func newWorld(t *testing.T, s farend.Service, o Options) *world {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	w := &world{T: t, service: s, far: s.Simulate(o.FarEnd), log: zap.New(core), logs: logs}
	if err := w.far.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.far.Close()
		if o.After != nil {
			o.After(t, w.far)
		}
	})
	var err error
	if w.cluster, err = cluster.Start(cluster.Options{WebProxyAddr: "teleport.example.com:443", AdvancedWorkflows: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.cluster.Close() })
	t.Cleanup(w.stopAll)
	t.Cleanup(w.checkLogs)
	routes := w.routes()
	dir := t.TempDir()
	identity := filepath.Join(dir, "identity")
	if err := w.cluster.IssueIdentity(identity, cluster.PluginUser, time.Hour); err != nil {
		t.Fatal(err)
	}
	w.config = filepath.Join(dir, "config.toml")
	var text bytes.Buffer
	common := map[string]any{
		"teleport": map[string]any{"addr": w.cluster.Addr(), "identity": identity},
		"delivery": map[string]any{"call_timeout": "2s", "lease": "4s", "retry_max": "100ms"},
	}
	if err := toml.NewEncoder(&text).Encode(farend.Join(common, w.far.Config(), routes)); err != nil {
		t.Fatal(err)
	}
	w.text = text.String()
	w.configure(nil)
	return w
}

// configure writes the config, with further sections.
func (w *world) configure(more map[string]any) {
	w.Helper()
	var text bytes.Buffer
	text.WriteString(w.text)
	if err := toml.NewEncoder(&text).Encode(more); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(w.config, text.Bytes(), 0o600); err != nil {
		w.Fatal(err)
	}
}

// Roles that can be requested: the requests for one go to two recipients, those
// for the other to the first of them and to one that does not exist.
const (
	Role       = "editor"
	BrokenRole = "prod-admin"
)

// routes lets the requests go where they should, and returns what the config says
// of it.
func (w *world) routes() map[string]any {
	places := w.far.Places()[:2]
	for _, name := range places {
		w.two = append(w.two, w.far.Place(name))
	}
	broken := []string{places[0], farend.Nowhere}
	w.cluster.Annotate(Role, w.service.Annotations(places...))
	w.cluster.Annotate(BrokenRole, w.service.Annotations(broken...))
	return w.service.Routes(map[string][]string{"*": places, BrokenRole: broken})
}

// start begins a replica and waits until it watches the cluster.
func (w *world) start() *running {
	w.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{stop: stop, ended: make(chan error, 1)}
	before := w.cluster.Watchers()
	go func() { r.ended <- plugin.Serve(ctx, w.service.Integration, w.config, w.log) }()
	w.plugins = append(w.plugins, r)
	for deadline := time.Now().Add(patience); w.cluster.Watchers() == before; {
		select {
		case err := <-r.ended:
			r.ended <- err
			w.Fatalf("the plugin ended at its start: %v", err)
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			w.Fatalf("the plugin does not watch the cluster")
		}
	}
	return r
}

func (w *world) stopAll() {
	for _, r := range w.plugins {
		r.halt(w.T)
	}
	w.plugins = nil
}

// halt ends a replica as SIGTERM does.
func (r *running) halt(t *testing.T) {
	t.Helper()
	r.stop()
	select {
	case err := <-r.ended:
		r.ended <- nil
		if err != nil {
			t.Errorf("the plugin ended with: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the plugin does not stop")
	}
}

// checkLogs looks for secrets and for what only a bug can cause.
func (w *world) checkLogs() {
	for _, e := range w.logs.All() {
		line := fmt.Sprint(e.Message, " ", e.ContextMap())
		if strings.Contains(line, w.far.Token()) {
			w.Errorf("a secret in the log: %s", line)
		}
	}
	if w.Failed() {
		for _, e := range w.logs.All() {
			w.Logf("%s %s %v", e.Level, e.Message, e.ContextMap())
		}
	}
}

// request makes an access request.
func (w *world) request(p cluster.CreateParams) string {
	w.Helper()
	if p.User == "" {
		p.User = cluster.Alice
	}
	if p.Roles == nil {
		p.Roles = []string{Role}
	}
	id, err := w.cluster.CreateRequest(p)
	if err != nil {
		w.Fatal(err)
	}
	return id
}

func (w *world) review(id, author string, state types.RequestState, reason string) {
	w.Helper()
	if err := w.cluster.Review(id, author, state, reason); err != nil {
		w.Fatal(err)
	}
}

// posts are the announcements of a request that were not removed.
func (w *world) posts(request string) []panel.Sight {
	return slices.DeleteFunc(w.far.Panel(0).Sights(), func(s panel.Sight) bool { return s.Deleted || s.Request != request })
}

// places are the posts of a request in the two places that are looked at; the
// requester's own copy is none of them.
func (w *world) places(request string) map[string][]panel.Sight {
	found := make(map[string][]panel.Sight)
	for _, p := range w.posts(request) {
		if slices.Contains(w.two, p.Place) {
			found[p.Place] = append(found[p.Place], p)
		}
	}
	return found
}

// read is a post with what stands below it.
func read(p panel.Sight) string {
	all := p.Text
	for _, r := range p.Replies {
		all += "\n" + r.Text
	}
	return all
}

// until waits for something to become true at the service.
func (w *world) until(what string, done func() bool) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	if err := w.far.Wait(ctx, done); err != nil {
		w.Fatalf("%s: it did not come to that: %v", what, err)
	}
}

// untilShown waits until a request has one post in each of the places, each of
// which shows all of the texts.
func (w *world) untilShown(id string, places []string, texts ...string) {
	w.Helper()
	w.until(fmt.Sprintf("request %s shows %q in %q", id, texts, places), func() bool {
		found := w.places(id)
		for _, place := range places {
			if len(found[place]) == 0 || !shows(found[place][0], texts...) {
				return false
			}
		}
		return true
	})
	w.once(id, places)
}

// shows reports whether a post, with what stands below it, says all of the texts.
func shows(p panel.Sight, texts ...string) bool {
	all := strings.ToLower(read(p))
	for _, text := range texts {
		if !strings.Contains(all, strings.ToLower(text)) {
			return false
		}
	}
	return true
}

// once checks that a request has exactly one post in each of the places, and
// none in the other.
func (w *world) once(id string, places []string) {
	w.Helper()
	want := map[string]int{}
	for _, place := range places {
		want[place] = 1
	}
	for _, place := range w.two {
		if got := len(w.places(id)[place]); got != want[place] {
			w.Errorf("request %s has %d posts in %s, want %d", id, got, place, want[place])
		}
	}
}

// both are the two recipients.
func (w *world) both() []string {
	return w.two
}

// settled waits until the plugin has recorded all that it did for a request.
// The record says so when its claim was given up.
func (w *world) settled(id string) {
	w.Helper()
	for deadline := time.Now().Add(patience); !strings.HasPrefix(w.cluster.PluginData(id, w.service.Name)["claim"], "."); {
		if time.Now().After(deadline) {
			w.Fatalf("the record of %s is not complete: %q", id, w.cluster.PluginData(id, w.service.Name))
		}
		time.Sleep(time.Millisecond)
	}
}
