package rules_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/client"
	headerv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/header/v1"
	"github.com/gravitational/teleport/api/types"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"

	"teleport-plugins/lib/request"
	"teleport-plugins/lib/rules"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/teleport"
	"teleport-plugins/lib/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plugin is a router on a real connection to a cluster.
type plugin struct {
	*rig
	conn *teleport.Conn
}

func startCluster(t *testing.T, opts cluster.Options) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// dial connects as a user. The caller closes the connection.
func dial(ctx context.Context, c *cluster.Cluster, identity string) (*teleport.Conn, error) {
	clt, err := dialClient(ctx, c, identity)
	if err != nil {
		return nil, err
	}
	return teleport.NewConn(clt), nil
}

func dialClient(ctx context.Context, c *cluster.Cluster, identity string) (*client.Client, error) {
	id, err := teleport.Load(teleport.Credentials{Identity: identity})
	if err != nil {
		return nil, err
	}
	return teleport.Dial(ctx, teleport.DialOptions{Addr: c.Addr(), Identity: id})
}

func identityFor(t *testing.T, c *cluster.Cluster, user string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "identity")
	if err := c.IssueIdentity(file, user, time.Hour); err != nil {
		t.Fatal(err)
	}
	return file
}

func connectTo(t *testing.T, c *cluster.Cluster, user string) *teleport.Conn {
	t.Helper()
	conn, err := dial(t.Context(), c, identityFor(t, c, user))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func newPlugin(t *testing.T, c *cluster.Cluster) *plugin {
	t.Helper()
	core, log := observer.New(zap.InfoLevel)
	conn := connectTo(t, c, cluster.PluginUser+"-example")
	p := &plugin{rig: &rig{t: t, log: log, notes: make(map[string]string)}, conn: conn}
	p.Router = rules.New(rules.Options{
		Plugin: "example", Cluster: conn, Log: zap.New(core),
		Note: func(name, text string) { p.notes[name] = text },
	})
	return p
}

// route gives the recipients of a request that alice made, as the cluster
// shows it.
func (p *plugin) route(c *cluster.Cluster, params cluster.CreateParams) []string {
	p.t.Helper()
	params.User = cluster.Alice
	id, err := c.CreateRequest(params)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := p.conn.GetRequest(p.t.Context(), id)
	if err != nil || req == nil {
		p.t.Fatal(req, err)
	}
	return p.Recipients(p.t.Context(), teleport.View(req)).Recipients()
}

func put(t *testing.T, c *cluster.Cluster, name, plugin, condition string, recipients ...string) {
	t.Helper()
	if err := c.PutRule(cluster.Rule{Name: name, Condition: condition, Plugin: plugin, Recipients: recipients}); err != nil {
		t.Fatal(err)
	}
}

func TestRulesOfACluster(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	put(t, c, "b-team", "example", `user.traits["team"].contains("payments")`, "#payments", "#all")
	put(t, c, "a-role", "example", `contains_any(access_request.spec.roles, set("editor"))`, "#editors", "#all")
	put(t, c, "annotation", "example", `access_request.spec.system_annotations["services"].contains("Payments")`, "#on-call")
	put(t, c, "reason", "example", `access_request.spec.request_reason == "disk full" && access_request.spec.user == "alice@example.com"`, "#disks")
	put(t, c, "reviewer", "example", `access_request.spec.suggested_reviewers.contains("bob@example.com")`, "bob@example.com")
	put(t, c, "other-plugin", "other", `true`, "1234")
	put(t, c, "nobody", "example", `true`)
	put(t, c, "wrong", "example", `access_request.roles.contains("a")`, "#wrong")
	p := newPlugin(t, c)
	p.reload()
	for _, r := range []struct {
		request cluster.CreateParams
		want    []string
	}{
		{cluster.CreateParams{Roles: []string{"editor"}}, []string{"#editors", "#all", "#payments"}},
		{cluster.CreateParams{Roles: []string{"db-admin"}}, []string{"#payments", "#all"}},
		{cluster.CreateParams{Roles: []string{"demo-role"}}, []string{"#on-call", "#payments", "#all"}},
		{cluster.CreateParams{Roles: []string{"db-admin"}, Reason: "disk full", SuggestedReviewers: []string{"bob@example.com"}}, []string{"#payments", "#all", "#disks", "bob@example.com"}},
	} {
		// The rule that is wrong may hold for any request.
		if got, want := p.route(c, r.request), append(r.want, "#wrong"); !slices.Equal(got, want) {
			t.Errorf("%+v: %q, want %q", r.request, got, want)
		}
	}
	p.wantLog(`rule=wrong error=line 1, column 1: the name access_request.roles is unknown; did you mean access_request.spec.roles?`)
}

func TestTimesOfARequestOfACluster(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	put(t, c, "times", "example", `access_request.spec.creation_time != access_request.spec.expiry &&
		set("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday").contains(day(access_request.spec.creation_time)) &&
		clock_between(access_request.spec.expiry, "00:00", "23:59")`, "#all")
	if got := newPlugin(t, c).route(c, cluster.CreateParams{Roles: []string{"editor"}}); !slices.Equal(got, []string{"#all"}) {
		t.Errorf("got %q", got)
	}
}

func TestAnOldClusterHasNoRules(t *testing.T) {
	c := startCluster(t, cluster.Options{Old: true})
	put(t, c, "all", "example", `true`, "#all")
	p := newPlugin(t, c)
	p.reload()
	if got := p.route(c, cluster.CreateParams{Roles: []string{"editor"}}); got != nil {
		t.Errorf("got %q", got)
	}
	p.wantLog("info The cluster has no access monitoring rules")
}

func TestAClusterThatDoesNotLetThePluginReadRules(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	put(t, c, "all", "example", `true`, "#all")
	c.Deny(cluster.PluginRole, types.KindAccessMonitoringRule)
	p := newPlugin(t, c)
	p.reload()
	p.reload()
	if got := p.route(c, cluster.CreateParams{Roles: []string{"editor"}}); got != nil {
		t.Errorf("got %q", got)
	}
	p.wantLog("add the rule access_monitoring_rule: list, read")
	c.Allow(cluster.PluginRole, types.KindAccessMonitoringRule, types.VerbList, types.VerbRead)
	p.reload()
	if got := p.route(c, cluster.CreateParams{Roles: []string{"editor"}}); !slices.Equal(got, []string{"#all"}) {
		t.Errorf("got %q", got)
	}
}

func TestAClusterThatDoesNotLetThePluginReadUsers(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	put(t, c, "team", "example", `user.traits["team"].contains("payments")`, "#payments")
	put(t, c, "all", "example", `true`, "#all")
	c.Deny(cluster.PluginRole, types.KindUser)
	p := newPlugin(t, c)
	if got := p.route(c, cluster.CreateParams{Roles: []string{"editor"}}); !slices.Equal(got, []string{"#all"}) {
		t.Errorf("got %q", got)
	}
	p.wantLog("To change that add the rule user: read")
}

func TestAClusterThatFailsToTellTheUser(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	put(t, c, "team", "example", `user.traits["team"].contains("payments")`, "#payments")
	p := newPlugin(t, c)
	c.FailCalls("GetUser", codes.Internal, 1)
	if got := p.route(c, cluster.CreateParams{Roles: []string{"editor"}}); got != nil {
		t.Errorf("got %q", got)
	}
	p.wantLog("its recipients are chosen by the config")
	if got := p.route(c, cluster.CreateParams{Roles: []string{"editor"}}); !slices.Equal(got, []string{"#payments"}) {
		t.Errorf("got %q", got)
	}
}

// A later cluster sends fields that the client does not know; they survive
// the way over the wire.
func TestARuleOfALaterCluster(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	spec := &rulesv1.AccessMonitoringRuleSpec{
		Subjects: []string{types.KindAccessRequest}, Condition: `true`,
		Notification: &rulesv1.Notification{Name: "example", Recipients: []string{"#all"}},
	}
	spec.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 8, protowire.BytesType), "later"))
	admin, err := dialClient(t.Context(), c, identityFor(t, c, cluster.AdminUser))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	_, err = admin.AccessMonitoringRulesClient().CreateAccessMonitoringRule(t.Context(), &rulesv1.AccessMonitoringRule{
		Kind: types.KindAccessMonitoringRule, Version: types.V1, Metadata: &headerv1.Metadata{Name: "later"},
		Spec: proto.Clone(spec).(*rulesv1.AccessMonitoringRuleSpec),
	})
	if err != nil {
		t.Fatal(err)
	}
	p := newPlugin(t, c)
	if got := p.route(c, cluster.CreateParams{Roles: []string{"editor"}}); !slices.Equal(got, []string{"#all"}) {
		t.Errorf("got %q", got)
	}
	p.wantLog("rule=later error=field 8 of the rule's spec")
}

// watched is a router that says when it has read the rules.
type watched struct {
	*rules.Router
	read chan struct{}
}

func (w watched) Reload(ctx context.Context) error {
	err := w.Router.Reload(ctx)
	select {
	case w.read <- struct{}{}:
	case <-ctx.Done():
	}
	return err
}

// deaf takes what a watch says about requests, health and events.
type deaf struct{}

func (deaf) Changed(types.AccessRequest)       {}
func (deaf) Deleted(string)                    {}
func (deaf) List() watch.List                  { return deaf{} }
func (deaf) Record(string, map[string]string)  {}
func (deaf) Requests([]*types.AccessRequestV3) {}
func (deaf) End() int                          { return 0 }
func (deaf) Set(string, bool, string)          {}
func (deaf) Event(string)                      {}
func (deaf) Streaming(time.Time)               {}

// follow keeps the router up to date by watching the cluster, until the test
// ends.
func follow(t *testing.T, c *cluster.Cluster, w watched) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	identity := identityFor(t, c, cluster.PluginUser+"-example")
	go func() {
		done <- watch.Run(ctx, watch.Options{
			Plugin:  "example",
			Connect: func(ctx context.Context) (watch.Source, error) { return dial(ctx, c, identity) },
			Fatal:   func(error) bool { return false }, Refused: teleport.IsDenied,
			Sink: deaf{}, Rules: w, Health: deaf{}, Observer: deaf{}, Log: zap.NewNop(),
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestRulesThatChangeWhileThePluginRuns(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	put(t, c, "rule", "example", `true`, "#first")
	p := newPlugin(t, c)
	w := watched{p.Router, make(chan struct{})}
	follow(t, c, w)
	// becomes waits until the rules were read with this outcome. Each change is
	// told by an event, so there is a reading after it.
	becomes := func(want ...string) {
		t.Helper()
		for range w.read {
			if got := p.Recipients(t.Context(), request.View{Roles: []string{"editor"}}).Recipients(); slices.Equal(got, want) {
				return
			}
		}
	}
	becomes("#first")
	put(t, c, "rule", "example", `true`, "#second")
	becomes("#second")
	put(t, c, "more", "example", editors, "#third")
	becomes("#third", "#second")
	put(t, c, "rule", "example", `access_request.spec.roles.contains("admin")`, "#second")
	becomes("#third")
	put(t, c, "more", "other", editors, "#third")
	becomes()
	put(t, c, "more", "example", editors, "#third")
	becomes("#third")
	put(t, c, "more", "example", `editor`, "#fourth") // not understood, so told in any case
	becomes("#fourth")
	put(t, c, "more", "example", editors, "#third")
	becomes("#third")
	if err := c.DeleteRule("more"); err != nil {
		t.Fatal(err)
	}
	becomes()

	c.Stop()
	put(t, c, "rule", "example", `true`, "#changed-meanwhile")
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	becomes("#changed-meanwhile")
}
