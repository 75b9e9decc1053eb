package email_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"go.uber.org/zap"

	"teleport-plugins/access/email"
	"teleport-plugins/access/email/farend"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	sim "teleport-plugins/lib/sandbox/farend"
)

// load reads a config, without the sections that are nil.
func load(t testing.TB, tree map[string]any) (*email.Config, config.Report, error) {
	t.Helper()
	var text bytes.Buffer
	whole := sim.Join(map[string]any{
		"teleport":           map[string]any{"addr": "localhost:3025", "identity": "/nowhere/identity"},
		"role_to_recipients": map[string]any{"*": "oncall@example.com"},
	}, tree)
	maps.DeleteFunc(whole, func(_ string, value any) bool { return value == nil })
	if err := toml.NewEncoder(&text).Encode(whole); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := email.Integration().New()
	report, err := config.Load(path, settings)
	return settings.(*email.Config), report, err
}

// build makes the parts of the plugin from a config.
func build(t testing.TB, tree map[string]any) plugin.Parts {
	t.Helper()
	settings, _, err := load(t, tree)
	if err != nil {
		t.Fatal(err)
	}
	transport := outbound.NewTransport(outbound.Options{})
	t.Cleanup(transport.CloseIdle)
	parts, err := settings.Build(plugin.Deps{Log: zap.NewNop(), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

// rig is the service before a mail server.
type rig struct {
	testing.TB
	far     *farend.Office
	service integration.Service
}

func newRig(t testing.TB, traits farend.Traits, smtp map[string]any) *rig {
	t.Helper()
	far := farend.New(sim.Options{}, traits)
	if err := far.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	return &rig{t, far, build(t, sim.Join(far.Config(), map[string]any{"smtp": smtp})).Service}
}

// pending is a request.
func pending() request.View {
	return request.View{
		ID: "01998a32-7d0a-7e1c-9c55-6f9e5c1b2a01", Cluster: "example.com", User: "alice@example.com", Roles: []string{"editor", "prod-admin"},
		Reason: "replica lag, INC-204", Link: "https://teleport.example.com/web/requests/01998a32-7d0a-7e1c-9c55-6f9e5c1b2a01",
		Status: request.Pending, Created: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC), Expires: time.Date(2026, 3, 2, 21, 30, 0, 0, time.UTC),
		AccessUntil: time.Date(2026, 3, 2, 17, 30, 0, 0, time.UTC), ApprovalsNeeded: 2,
	}
}

// reviewed is the request after a review.
func reviewed(v request.View) request.View {
	v.Reviews = append(v.Reviews, request.Review{Author: "bob@example.com", State: request.Approved, Reason: "fine by me", Created: v.Created.Add(time.Hour)})
	return v
}

var (
	announce = integration.Effect{Kind: integration.Announce}
	review   = integration.Effect{Kind: integration.Review}
)

// end is the effect that tells how a request ended.
func end(v request.View) integration.Effect { return integration.Outcome(integration.End, v.Status) }

const oncall = "oncall@example.com"

// tell sends a mail to somebody within two seconds.
func (r *rig) tell(to string, e integration.Effect, v request.View, below ...plugindata.Message) (plugindata.Message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	place := integration.Place{Address: to}
	if len(below) > 0 {
		place.Message = below[0]
	}
	return r.service.Tell(ctx, place, e, v)
}

// mails are how many somebody has.
func (r *rig) mails(of string) (n int) {
	for _, ch := range r.far.Panel(0).Channels {
		if ch.ID == of {
			n = len(ch.Messages)
		}
	}
	return n
}
