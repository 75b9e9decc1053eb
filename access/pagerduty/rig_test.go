package pagerduty

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/config/configtest"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const minimal = `
[teleport]
identity = "/id"
[pagerduty]
api_key = "` + pagerdutyapi.DefaultKey + `"
user_email = "teleport@example.com"
`

// load reads a config from its text.
func load(t testing.TB, text string) (*Config, config.Report, error) {
	t.Helper()
	c := Integration().New().(*Config)
	report, err := configtest.Load(t, "teleport-pagerduty.toml", text, c)
	return c, report, err
}

// rig is the integration, set up as from a config file, against the simulated
// account.
type rig struct {
	*service
	parts  plugin.Parts
	oncall *onCall
	api    *pagerdutyapi.Server
	traits map[string][]string
	denied error // of the traits
	logs   *observer.ObservedLogs
}

func newRig(t testing.TB, extra string) *rig {
	return newRigWith(t, extra, pagerdutyapi.Options{}, nil)
}

func newRigWith(t testing.TB, extra string, opts pagerdutyapi.Options, base http.RoundTripper) *rig {
	t.Helper()
	api := pagerdutyapi.New(opts)
	if err := api.Start(); err != nil {
		t.Fatal(err)
	}
	c, _, err := load(t, minimal+"api_endpoint = \""+api.URL()+"/\"\n"+extra)
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	r := &rig{api: api, logs: logs}
	transport := outbound.NewTransport(outbound.Options{Base: base})
	r.parts, err = c.Build(plugin.Deps{
		Log: zap.New(core), Transport: transport,
		Traits: func(context.Context, string) (map[string][]string, error) { return r.traits, r.denied },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.service, r.oncall = r.parts.Service.(*service), r.parts.Deciders[0].(*onCall)
	t.Cleanup(func() {
		transport.CloseIdle()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// fault makes calls fail.
func (r *rig) fault(f fault.Fault) { r.api.Faults().Add(f) }

// later makes it a time when no rate limit holds any more.
func (r *rig) later(t testing.TB) {
	t.Helper()
	r.transport = outbound.NewTransport(outbound.Options{})
	t.Cleanup(r.transport.CloseIdle)
	r.http = r.transport.Client()
}

// untilHit is a context whose time is over as soon as the one fault that is set
// has hit a call: a deadline that does not depend on how busy the machine is.
func (r *rig) untilHit(t testing.TB) context.Context {
	t.Helper()
	ctx := fault.NewHourglass()
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		if r.api.Wait(t.Context(), func() bool { return len(r.api.Faults().List()) == 0 }) == nil {
			close(ctx.Over)
		}
	}()
	t.Cleanup(func() { <-waited })
	return ctx
}

// within is the time for a call.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// pending is a request that asks for two roles.
func pending() request.View {
	return request.View{
		ID: "11111111-2222-4333-8444-555555555555", Cluster: "example.teleport.sh", User: "dana@example.com",
		Roles: []string{"dba", "prod-db"}, Reason: "the nightly backup is broken",
		Link:   "https://example.teleport.sh/web/requests/11111111-2222-4333-8444-555555555555",
		Status: request.Pending, Created: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Expires: time.Date(2026, 3, 4, 9, 6, 7, 0, time.UTC), AccessUntil: time.Date(2026, 3, 4, 13, 6, 7, 0, time.UTC),
		Annotations: map[string][]string{"pagerduty_notify_service": {"Access Approvals"}, "pagerduty_services": {"Payments"}},
	}
}

// ended is the request after a review and a decision.
func ended(s request.Status) request.View {
	v := pending()
	v.Status, v.ResolveReason = s, "as agreed"
	v.Reviews = []request.Review{{Author: "erin", State: request.Approved, Reason: "fine with me", Created: v.Created.Add(time.Minute)}}
	return v
}

// posted opens the incident of the pending request.
func (r *rig) posted(t testing.TB) plugindata.Message {
	t.Helper()
	m, err := r.tell(t.Context(), "PSAPPRV", pending())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tell announces a request on a service.
func (r *rig) tell(ctx context.Context, service string, v request.View) (plugindata.Message, error) {
	return r.Tell(ctx, integration.Place{Address: service}, announcement, v)
}

// below tells an effect below an incident.
func (r *rig) below(ctx context.Context, m plugindata.Message, e integration.Effect, v request.View) error {
	_, err := r.Tell(ctx, integration.Place{Address: m.Channel, Message: m}, e, v)
	return err
}

// found lists the ids of what Find finds.
func (r *rig) found(t testing.TB, m plugindata.Message, e integration.Effect, v request.View) []string {
	t.Helper()
	list, err := r.Find(t.Context(), integration.Place{Address: m.Channel, Message: m}, e, v)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	return ids
}

var (
	announcement = integration.Effect{Kind: integration.Announce}
	firstReview  = integration.Effect{Kind: integration.Review}
)

// end is the effect that tells the end of a request.
func end(v request.View) integration.Effect { return integration.Outcome(integration.End, v.Status) }

// another is the integration as a second process has it, which remembers nothing.
func (r *rig) another(t testing.TB) *rig {
	t.Helper()
	other := *r
	fresh := newService(r.Section, plugin.Deps{Log: r.log, Transport: r.transport})
	other.service, other.oncall = fresh, newOnCall(fresh, r.oncall.people)
	return &other
}

func (r *rig) incident(t testing.TB, m plugindata.Message) pagerdutyapi.Incident {
	t.Helper()
	in, ok := r.api.Incident(m.ID)
	if !ok {
		t.Fatalf("there is no incident %q", m.ID)
	}
	return in
}

// contents lists the notes of an incident, oldest first.
func contents(in pagerdutyapi.Incident) []string {
	var list []string
	for _, n := range in.Notes {
		list = append(list, n.Content)
	}
	return list
}

// wantRefusal fails unless the error is a refusal that reaches so far, and says
// what to do about it.
func wantRefusal(t testing.TB, err error, scope outbound.Scope) {
	t.Helper()
	wantKind(t, err, outbound.Refused)
	var e *outbound.Error
	if errors.As(err, &e) && (e.Scope != scope || e.Hint == "") {
		t.Errorf("scope %d, want %d, hint %q: %v", e.Scope, scope, e.Hint, err)
	}
}

// wantKind fails unless the error is of the kind and keeps the key secret.
func wantKind(t testing.TB, err error, want outbound.Kind) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one of the kind %s", want)
	}
	if got := outbound.KindOf(err); got != want {
		t.Errorf("kind %s, want %s: %v", got, want, err)
	}
	keepsSecrets(t, err.Error())
}

func keepsSecrets(t testing.TB, text string) {
	t.Helper()
	if strings.Contains(text, pagerdutyapi.DefaultKey) {
		t.Errorf("the key is shown: %s", text)
	}
}
