package slack

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/access/slack/slackapi/contract"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

// Conversations and people of the simulated workspace.
const (
	general = "C0SANDBOX01" // #access-requests
	other   = "C0SANDBOX02" // #security
	alice   = "U0SANDBOX01"
)

// workspace is a simulated Slack and the service under test in front of it.
type workspace struct {
	*slackapi.Server
	*service
	t      testing.TB
	logged *observer.ObservedLogs
}

// inWorkspace starts a simulated Slack. At the end of the test every call that
// was made is held against Slack's published descriptions, where they are given.
func inWorkspace(t testing.TB, change ...func(*Config)) *workspace {
	t.Helper()
	server := slackapi.New(slackapi.Options{})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Close()
		contract.Keep(t, server.Requests())
	})
	w := &workspace{Server: server, t: t}
	w.service, w.logged = build(t, server.URL(), nil, change...)
	return w
}

// build makes the service as the program does, with calls carried out by base.
func build(t testing.TB, api string, base http.RoundTripper, change ...func(*Config)) (*service, *observer.ObservedLogs) {
	t.Helper()
	c := Integration().New().(*Config)
	c.Slack.Token, c.Slack.APIURL = config.NewSecret(slackapi.DefaultToken), api
	c.RoleToRecipients = recipient.Table{recipient.Anyone: {general}}
	for _, change := range change {
		change(c)
	}
	core, logged := observer.New(zap.DebugLevel)
	transport := outbound.NewTransport(outbound.Options{Base: base})
	t.Cleanup(transport.CloseIdle)
	parts, err := c.Build(plugin.Deps{Log: zap.New(core), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return parts.Service.(*service), logged
}

// direct carries out calls by a handler in the same process.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return w.Result(), nil
}

// The effects, as the engine asks for them.

func reviewOf(i int) integration.Effect {
	return integration.Effect{Kind: integration.Review, Index: i}
}

func announceAt(ctx context.Context, s *service, address string, v request.View) (plugindata.Message, error) {
	return s.Tell(ctx, integration.Place{Address: address}, announce, v)
}

func reply(ctx context.Context, s *service, m plugindata.Message, v request.View, review int) error {
	_, err := s.Tell(ctx, integration.Place{Message: m}, reviewOf(review), v)
	return err
}

func end(ctx context.Context, s *service, m plugindata.Message, v request.View) error {
	_, err := s.Tell(ctx, integration.Place{Message: m}, integration.Outcome(integration.End, v.Status), v)
	return err
}

func tellRequester(ctx context.Context, s *service, address string, v request.View) error {
	_, err := s.Tell(ctx, integration.Place{Address: address}, integration.Outcome(integration.Notice, v.Status), v)
	return err
}

func findAt(ctx context.Context, s *service, address string, v request.View) ([]plugindata.Message, error) {
	return s.Find(ctx, integration.Place{Address: address}, announce, v)
}

func findReply(ctx context.Context, s *service, m plugindata.Message, v request.View, review int) ([]plugindata.Message, error) {
	return s.Find(ctx, integration.Place{Address: m.Channel, Message: m}, reviewOf(review), v)
}

// announce announces a request in a channel and gives the message.
func (w *workspace) announce(v request.View) plugindata.Message {
	w.t.Helper()
	m, err := announceAt(w.t.(*testing.T).Context(), w.service, general, v)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// at gives a message as it stands in the workspace.
func (w *workspace) at(m plugindata.Message) slackapi.Message {
	w.t.Helper()
	got, ok := w.Message(m.Channel, m.ID)
	if !ok {
		w.t.Fatalf("there is no message %+v", m)
	}
	return got
}

func (w *workspace) fails(method string, f fault.Fault) {
	f.Method = method
	w.Faults().Add(f)
}

// wantKind fails the test unless the error has the kind; it never may show the
// token.
func wantKind(t testing.TB, err error, want outbound.Kind) *outbound.Error {
	t.Helper()
	var e *outbound.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a failure of the kind %s", err, want)
	}
	if e.Kind != want {
		t.Fatalf("got %s (%v), want %s", e.Kind, err, want)
	}
	if strings.Contains(err.Error(), slackapi.DefaultToken) {
		t.Fatalf("the error shows the token: %v", err)
	}
	return e
}

// wantRefused fails the test unless the error is a refusal that reaches as far as
// is said, and that says what a person can do about it.
func wantRefused(t testing.TB, err error, want outbound.Scope) *outbound.Error {
	t.Helper()
	e := wantKind(t, err, outbound.Refused)
	if e.Scope != want || e.Hint == "" {
		t.Errorf("%v: the scope is %d, want %d; the hint is %q", err, e.Scope, want, e.Hint)
	}
	return e
}

// hangs lets the next call of a method hang, and returns a context whose time runs
// out once Slack has it.
func (w *workspace) hangs(method string) context.Context {
	w.fails(method, fault.Fault{Effect: fault.Hang, Times: 1})
	ctx := fault.NewHourglass()
	go func() {
		for len(w.Faults().List()) > 0 {
			time.Sleep(time.Millisecond)
		}
		close(ctx.Over)
	}()
	return ctx
}
