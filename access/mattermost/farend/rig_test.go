package farend

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/farend"
)

// rig is the plugin's service beside a server.
type rig struct {
	*testing.T
	*Mattermost
	service interface {
		integration.Service
		integration.Shower
		integration.Finder
		integration.Requester
		plugin.Inspector
	}
	logged *observer.ObservedLogs
}

func newRig(t *testing.T, change ...func(w *world)) *rig {
	t.Helper()
	m := New(farend.Options{})
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	for _, f := range change {
		m.Change(func() { f(m.w) })
	}
	tree := m.Config()
	tree["teleport"] = map[string]any{"addr": "localhost:3025", "identity": "/nowhere/identity"}
	path := filepath.Join(t.TempDir(), "config.toml")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = toml.NewEncoder(file).Encode(tree)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	settings := Service().New()
	if _, err := config.Load(path, settings); err != nil {
		t.Fatal(err)
	}
	core, logged := observer.New(zap.DebugLevel)
	transport := outbound.NewTransport(outbound.Options{})
	t.Cleanup(transport.CloseIdle)
	parts, err := settings.Build(plugin.Deps{Log: zap.New(core), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, Mattermost: m, logged: logged}
	if r.service = parts.Service.(interface {
		integration.Service
		integration.Shower
		integration.Finder
		integration.Requester
		plugin.Inspector
	}); r.service.Check(t.Context()) != nil {
		t.Fatal("the service does not accept the token")
	}
	return r
}

var (
	first  = integration.Effect{Kind: integration.Announce}
	second = integration.Effect{Kind: integration.Announce, Index: 1}
	told   = integration.Effect{Kind: integration.Review}
)

func view(change ...func(*request.View)) request.View {
	v := request.View{
		ID: "0196fa32-5b6b-7d1e-8b0e-1f5a3c2d4e5f", Cluster: "example.com", User: "mia@example.com", Roles: []string{"editor"},
		Reason: "INC-204", Status: request.Pending, Created: time.Now().Add(-time.Minute), Expires: time.Now().Add(time.Hour),
		Reviews: []request.Review{{Author: "bob", State: request.Approved}},
	}
	for _, f := range change {
		f(&v)
	}
	return v
}

// announce announces a request in a channel.
func (r *rig) announce(channel string, v request.View) plugindata.Message {
	r.Helper()
	m, err := r.service.Tell(r.Context(), integration.Place{Address: r.Place("main/" + channel)}, first, v)
	if err != nil {
		r.Fatal(err)
	}
	return m
}

// channel is a channel of the server, to be changed.
func (r *rig) channel(name string) (s *space) {
	r.Look(func() { s = r.w.named(name) })
	return s
}

// entry is a post as it stands at the server.
func (r *rig) entry(m plugindata.Message) (e entry) {
	r.Look(func() {
		for _, s := range r.w.spaces {
			for _, one := range s.posts {
				if one.id == m.ID && s.id == m.Channel {
					e = *one
				}
			}
		}
	})
	return e
}

// say has an account post a text in a channel.
func (r *rig) say(channel *space, user, text string, props map[string]any) (id string) {
	r.Change(func() {
		id = r.w.put(channel, &entry{user: user, message: text, props: props}, r.Now()).id
	})
	return id
}

// fails makes sure of an error.
func (r *rig) fails(what string, err error, kind outbound.Kind, scope outbound.Scope) {
	r.Helper()
	if err == nil || outbound.KindOf(err) != kind || outbound.ScopeOf(err) != scope {
		r.Errorf("%s: %v (%s, scope %d), want %s, scope %d", what, err, outbound.KindOf(err), outbound.ScopeOf(err), kind, scope)
	}
}

func (r *rig) found(to integration.Place, e integration.Effect, v request.View) string {
	r.Helper()
	list, err := r.service.Find(r.Context(), to, e, v)
	return fmt.Sprint(list, err)
}
