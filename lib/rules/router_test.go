package rules_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	headerv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/header/v1"
	"github.com/gravitational/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/encoding/protowire"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/rules"
)

// memory is a cluster that answers as it is told to.
type memory struct {
	mu        sync.Mutex
	rules     []*rulesv1.AccessMonitoringRule
	err       error
	traits    map[string][]string
	traitsErr error
	hang      bool // answers only when the caller gives up
	lists     int
	lookups   []string
}

func (m *memory) ListRules(ctx context.Context, plugin string, fn func(*rulesv1.AccessMonitoringRule) error) error {
	m.mu.Lock()
	m.lists++
	rules, err, hang := slices.Clone(m.rules), m.err, m.hang
	m.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, r := range rules {
		if r.GetSpec().GetNotification().GetName() != plugin {
			continue
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return err
}

func (m *memory) UserTraits(_ context.Context, user string) (map[string][]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lookups = append(m.lookups, user)
	return m.traits, m.traitsErr
}

// set replaces the rules and the error of the next listings.
func (m *memory) set(err error, rules ...*rulesv1.AccessMonitoringRule) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rules, m.err = rules, err
}

func (m *memory) listed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lists
}

func newRule(name, condition string, recipients ...string) *rulesv1.AccessMonitoringRule {
	return &rulesv1.AccessMonitoringRule{
		Metadata: &headerv1.Metadata{Name: name},
		Spec: &rulesv1.AccessMonitoringRuleSpec{
			Subjects: []string{"access_request"}, Condition: condition,
			Notification: &rulesv1.Notification{Name: "example", Recipients: recipients},
		},
	}
}

// rig is a router with its cluster, its log and its notes.
type rig struct {
	*rules.Router
	t       *testing.T
	cluster *memory
	log     *observer.ObservedLogs
	notes   map[string]string
}

func newRig(t *testing.T, labels func(context.Context, string) ([]map[string]string, error), list ...*rulesv1.AccessMonitoringRule) *rig {
	t.Helper()
	core, log := observer.New(zapcore.InfoLevel)
	r := &rig{t: t, cluster: &memory{rules: list}, log: log, notes: make(map[string]string)}
	r.Router = rules.New(rules.Options{
		Plugin: "example", Cluster: r.cluster, Labels: labels, Log: zap.New(core),
		Note: func(name, text string) { r.notes[name] = text },
	})
	return r
}

func (r *rig) reload() {
	r.t.Helper()
	if err := r.Reload(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

// example is the request that is routed.
func example() request.View {
	return request.View{
		ID: "1", User: "Alice@example.com", Roles: []string{"access", "editor"}, Reason: "disk full",
		Created:   time.Date(2026, 11, 20, 17, 30, 45, 0, time.UTC),
		Expires:   time.Date(2026, 11, 20, 18, 30, 45, 0, time.UTC),
		Resources: []string{"node/web1", "node/web2"},
	}
}

// wantRecipients routes the example.
func (r *rig) wantRecipients(want ...string) {
	r.t.Helper()
	if got := r.Recipients(r.t.Context(), example()).Recipients(); !slices.Equal(got, want) {
		r.t.Errorf("recipients %q, want %q", got, want)
	}
}

// wantLog takes the log so far, whose entries must contain these texts.
func (r *rig) wantLog(want ...string) {
	r.t.Helper()
	entries := r.log.TakeAll()
	if len(entries) != len(want) {
		r.t.Errorf("log %v, want %q", entries, want)
		return
	}
	for i, e := range entries {
		line := e.Level.String() + " " + e.Message
		for _, f := range e.Context {
			line += " " + f.Key + "=" + f.String
			if err, ok := f.Interface.(error); ok {
				line += err.Error()
			}
		}
		if !strings.Contains(line, want[i]) {
			r.t.Errorf("log %q, want %q", line, want[i])
		}
	}
}

const editors = `access_request.spec.roles.contains("editor")`

func TestRecipientsAreTheUnionInTheOrderOfNames(t *testing.T) {
	r := newRig(t, nil,
		newRule("c", `true`, "three", "one", ""),
		newRule("a", editors, "one", "two"),
		newRule("b", `access_request.spec.roles.contains("admin")`, "nobody"),
		newRule("d", `plugin.spec.name == "example"`, "two", "four"),
	)
	r.reload()
	for range 10 {
		r.wantRecipients("one", "two", "three", "four")
	}
	r.wantLog()
}

func TestTheConfigDecidesWhereNoRuleMatches(t *testing.T) {
	r := newRig(t, nil, newRule("a", editors, "by-rule"))
	r.reload()
	route := recipient.First{r, fixed{"by-config"}}
	for role, want := range map[string]string{"editor": "by-rule", "viewer": "by-config"} {
		if got := route.Recipients(t.Context(), request.View{Roles: []string{role}}).Recipients(); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", role, got, want)
		}
	}
}

type fixed []string

func (f fixed) Recipients(context.Context, request.View) integration.Choices {
	return integration.Choose("fixed", f...)
}

func TestRulesWithoutRecipientsAreForOthers(t *testing.T) {
	r := newRig(t, nil, newRule("review", `true`), newRule("odd", `is_odd(1)`), newRule("blank", `true`, ""))
	r.reload()
	r.wantRecipients()
	r.wantLog()
}

func TestARuleThatIsWrongIsToldOnceAndTheOthersGoOn(t *testing.T) {
	r := newRig(t, nil, newRule("wrong", "true &&\n  role == \"a\"", "x"), newRule("right", editors, "y"))
	r.reload()
	r.wantRecipients("y", "x")
	if note := r.notes["access monitoring rules"]; note != "not understood, so that their recipients are notified of every request: wrong; the log says what is wrong" {
		t.Errorf("noted %q", note)
	}
	const fault = `warn An access monitoring rule cannot be understood; its recipients are notified of every request rule=wrong error=line 2, column 3: the name role is unknown`
	r.wantLog(fault)
	r.reload()
	r.wantLog()
	r.cluster.set(nil, newRule("wrong", "rolls == \"a\"", "x"))
	r.reload()
	r.wantLog(`rule=wrong error=line 1, column 1: the name rolls`)
	r.cluster.set(nil)
	r.reload()
	r.cluster.set(nil, newRule("wrong", "true &&\n  role == \"a\"", "x"))
	r.reload()
	r.wantLog(fault)
}

func TestARuleThatFailsIsToldOnceAndTheOthersGoOn(t *testing.T) {
	r := newRig(t, nil, newRule("a", `email.local(access_request.spec.roles).contains("x")`, "x"), newRule("b", editors, "y"))
	r.reload()
	for range 3 {
		r.wantRecipients("x", "y")
	}
	r.wantLog(`warn An access monitoring rule cannot be applied to a request; its recipients are notified in any case rule=a request_id=1 error=email.local: "access" is not an e-mail address`)
}

// Rather too many hear of a request than too few.
func TestWhatCannotBeToldOfARuleTellsMore(t *testing.T) {
	wrong, failing := newRule("wrong", "role == \"a\"", "x"), newRule("failing", `email.local(access_request.spec.roles).contains("x")`, "z")
	for name, c := range map[string]struct {
		rules []*rulesv1.AccessMonitoringRule
		want  []string
	}{
		"no rule":                          {nil, nil},
		"none that matches":                {[]*rulesv1.AccessMonitoringRule{newRule("n", `false`, "y")}, nil},
		"one not understood":               {[]*rulesv1.AccessMonitoringRule{wrong}, []string{"x", "config"}},
		"one that fails":                   {[]*rulesv1.AccessMonitoringRule{failing}, []string{"z", "config"}},
		"both, and none that matches":      {[]*rulesv1.AccessMonitoringRule{failing, newRule("n", `false`, "y"), wrong}, []string{"z", "x", "config"}},
		"not understood, another matches":  {[]*rulesv1.AccessMonitoringRule{wrong, newRule("a", editors, "y")}, []string{"y", "x"}},
		"the config's, too, are told once": {[]*rulesv1.AccessMonitoringRule{newRule("wrong", "role", "config", "x")}, []string{"config", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, c.rules...)
			r.Otherwise = fixed{"config"}
			r.reload()
			r.wantRecipients(c.want...)
		})
	}
}

func TestAClusterWithoutRules(t *testing.T) {
	r := newRig(t, nil)
	r.cluster.set(trace.NotImplemented("unknown service"))
	for range 3 {
		r.reload()
		r.wantRecipients()
	}
	r.wantLog("info The cluster has no access monitoring rules; recipients are chosen by the config alone")
	if got := r.notes["access monitoring rules"]; got != "" {
		t.Errorf("note %q", got)
	}
}

func TestAMissingPermissionIsToldOnce(t *testing.T) {
	r := newRig(t, nil, newRule("a", editors, "y"))
	r.reload()
	r.wantRecipients("y")
	r.cluster.set(trace.AccessDenied("no"), newRule("a", editors, "y"))
	const fault = "To use them add the rule access_monitoring_rule: list, read error="
	for range 3 {
		r.reload()
		r.wantRecipients()
	}
	r.wantLog(fault)
	if got, want := r.notes["access monitoring rules"], "not used; add the rule access_monitoring_rule: list, read"; got != want {
		t.Errorf("note %q, want %q", got, want)
	}
	r.cluster.set(nil, newRule("a", editors, "y"))
	r.reload()
	r.wantRecipients("y")
	if got := r.notes["access monitoring rules"]; got != "" {
		t.Errorf("note %q", got)
	}
	r.cluster.set(trace.AccessDenied("no"))
	r.reload()
	r.wantLog(fault)
}

func TestEarlierRulesHoldWhileTheClusterFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, newRule("a", editors, "old"))
		r.reload()
		broken := errors.New("broken")
		// The listing breaks off after a part of the rules.
		r.cluster.set(broken, newRule("a", editors, "new"))
		if err := r.Reload(t.Context()); !errors.Is(err, broken) || !strings.Contains(err.Error(), "loading the access monitoring rules of example") {
			t.Errorf("got %v", err)
		}
		r.wantRecipients("old")
		r.wantLog()
		time.Sleep(10 * time.Second)
		r.wantRecipients("old") // tries again, in vain
		r.wantLog("warn Could not load the access monitoring rules")
		r.cluster.set(nil, newRule("a", editors, "new"))
		r.wantRecipients("old")
		time.Sleep(10 * time.Second)
		r.wantRecipients("new")
		lists := r.cluster.listed()
		r.wantRecipients("new")
		if got := r.cluster.listed(); got != lists {
			t.Errorf("read %d times more though all was well", got-lists)
		}
	})
}

func TestARequestRightAfterTheStartWaitsForTheRules(t *testing.T) {
	r := newRig(t, nil, newRule("a", editors, "y"))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { r.wantRecipients("y") })
	}
	all.Wait()
	if got := r.cluster.listed(); got != 1 {
		t.Errorf("the rules were read %d times", got)
	}
}

func TestAHangingClusterDoesNotHoldUpRequestsForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, newRule("a", editors, "y"))
		r.cluster.hang = true
		begin := time.Now()
		r.wantRecipients()
		if got := time.Since(begin); got != 5*time.Second {
			t.Errorf("waited %v for the cluster", got)
		}
		reload, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Reload(reload) }()
		synctest.Wait()
		begin = time.Now()
		r.wantRecipients()
		if got := time.Since(begin); got != 5*time.Second {
			t.Errorf("waited %v for the other reading", got)
		}
		waiting, giveUp := context.WithCancelCause(t.Context())
		giveUp(errors.New("given up"))
		if err := r.Reload(waiting); err == nil || err.Error() != "given up" {
			t.Errorf("got %v", err)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestTraitsAreReadOnlyIfMentioned(t *testing.T) {
	r := newRig(t, nil, newRule("a", editors, "x"))
	r.reload()
	r.wantRecipients("x")
	if len(r.cluster.lookups) != 0 {
		t.Errorf("looked up %q", r.cluster.lookups)
	}
	r.cluster.traits = map[string][]string{"team": {"dev"}}
	r.cluster.set(nil, newRule("a", editors, "x"), newRule("b", `user.traits.team.contains("dev")`, "y"), newRule("c", `user.traits.team.contains("ops")`, "z"))
	r.reload()
	r.wantRecipients("x", "y")
	if !slices.Equal(r.cluster.lookups, []string{"Alice@example.com"}) {
		t.Errorf("looked up %q", r.cluster.lookups)
	}
}

func TestTraitsThatMayNotBeReadAreEmpty(t *testing.T) {
	r := newRig(t, nil, newRule("a", editors, "x"), newRule("b", `user.traits.team.is_empty()`, "y"))
	r.cluster.traitsErr = trace.AccessDenied("no")
	for range 3 {
		r.reload()
		r.wantRecipients("x", "y")
	}
	const fault = "warn Access monitoring rules mention traits of users, which the plugin's role may not read; they see none. To change that add the rule user: read"
	r.wantLog(fault)
	r.cluster.traitsErr = nil
	r.wantRecipients("x", "y")
	r.cluster.traitsErr = trace.AccessDenied("no")
	r.wantRecipients("x", "y")
	r.wantLog(fault)
}

func TestTheConfigDecidesWhereTraitsCannotBeRead(t *testing.T) {
	r := newRig(t, nil, newRule("a", editors, "x"), newRule("b", `user.traits.team.is_empty()`, "y"))
	r.cluster.traitsErr = errors.New("broken")
	r.reload()
	r.wantRecipients()
	r.wantLog(`warn The access monitoring rules cannot be applied to a request; its recipients are chosen by the config request_id=1 error=looking up traits of users: broken`)
}

func TestLabels(t *testing.T) {
	var asked []string
	var answer error
	labels := func(_ context.Context, request string) ([]map[string]string, error) {
		asked = append(asked, request)
		return []map[string]string{{"env": "dev"}, {"env": "prod"}}, answer
	}
	inProd := newRule("a", `access_request.spec.resource_labels_union["env"].contains("prod")`, "x")
	r := newRig(t, labels, newRule("b", editors, "y"))
	r.reload()
	r.wantRecipients("y")
	if len(asked) != 0 {
		t.Errorf("asked for labels of %q", asked)
	}
	r.cluster.set(nil, inProd, newRule("b", editors, "y"))
	r.reload()
	r.wantRecipients("x", "y")
	if got := r.Recipients(t.Context(), request.View{ID: "2", Roles: []string{"editor"}}).Recipients(); !slices.Equal(got, []string{"y"}) {
		t.Errorf("without resources: %q", got)
	}
	if !slices.Equal(asked, []string{"1"}) {
		t.Errorf("asked for labels of %q", asked)
	}
	answer = trace.AccessDenied("no")
	r.wantRecipients("y")
	r.wantLog("warn Access monitoring rules mention labels of resources")
	answer = errors.New("broken")
	r.wantRecipients()
	r.wantLog("looking up labels of resources: broken")

	unknown := newRig(t, nil, inProd, newRule("b", editors, "y"))
	unknown.wantRecipients("y")
	unknown.wantLog()
}

func TestSettingsOfLaterVersionsAreToldOnce(t *testing.T) {
	field := func(number protowire.Number) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), "value")
	}
	review := newRule("review", editors, "x")
	review.Spec.ProtoReflect().SetUnknown(append(field(6), field(7)...))
	schedule := newRule("schedule", editors, "y")
	schedule.Spec.ProtoReflect().SetUnknown(append(field(6), field(9)...))
	r := newRig(t, nil, review, schedule)
	for range 2 {
		r.reload()
		r.wantRecipients("x", "y")
	}
	r.wantLog("rule=schedule error=field 9 of the rule's spec")
}

func TestRecipientsBelongToTheCaller(t *testing.T) {
	r := newRig(t, nil, newRule("a", editors, "x", "y"))
	first := r.Recipients(t.Context(), example())
	first[0].Recipient = "changed"
	if got := r.Recipients(t.Context(), example()).Recipients(); !reflect.DeepEqual(got, []string{"x", "y"}) {
		t.Errorf("got %q", got)
	}
}

// What is no name is left out of a rule, and who cannot be told by one is explained
// beside those whom the config names in its place.
func TestWhatRulesNameInVain(t *testing.T) {
	r := newRig(t, nil, newRule("padded", editors, " ", "\t", "#", "  ops "))
	r.reload()
	r.wantRecipients("ops")
	web := "https://hooks.example.com/SECRET"
	r.cluster.set(nil, newRule("web", editors, web))
	r.reload()
	route := recipient.First{recipient.Named{Router: r, Log: r.Log}, fixed{"by-config"}}
	got := route.Recipients(t.Context(), example())
	if len(got) != 2 || got[0].Recipient != "" || !strings.Contains(got[0].Why, "web address") || got[1].Recipient != "by-config" {
		t.Errorf("got %+v", got)
	}
	r.cluster.set(errors.New("away"))
	got = recipient.First{rules.New(r.Options), fixed{"by-config"}}.Recipients(t.Context(), example())
	if len(got) != 2 || !strings.Contains(got[0].Why, "cannot be read") || got[1].Recipient != "by-config" {
		t.Errorf("got %+v", got)
	}
}
