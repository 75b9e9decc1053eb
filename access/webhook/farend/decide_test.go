package farend_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
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

	"teleport-plugins/access/webhook/farend"
	"teleport-plugins/lib/document"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox/cluster"
	sandbox "teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/fault"
)

// patience bounds what must come.
const patience = time.Minute

// court is a cluster, endpoints that decide, and the plugin between them.
type court struct {
	*testing.T
	far     *farend.Receivers
	cluster *cluster.Cluster
	config  string
	logs    *observer.ObservedLogs
	log     *zap.Logger
}

// newCourt makes one in which requests go to the first two endpoints.
func newCourt(t *testing.T, change func(tree map[string]any), answer func(endpoint string, d document.Event) any) *court {
	t.Helper()
	far := farend.New(sandbox.Options{})
	far.Decide(answer)
	return courtOf(t, far, change)
}

// courtOf makes one of endpoints that are not served yet.
func courtOf(t *testing.T, far *farend.Receivers, change func(tree map[string]any)) *court {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	c := &court{T: t, far: far, logs: logs, log: zap.New(core)}
	if err := c.far.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.far.Close() })
	var err error
	if c.cluster, err = cluster.Start(cluster.Options{AdvancedWorkflows: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.cluster.Close() })
	t.Cleanup(func() {
		if t.Failed() {
			for _, e := range logs.All() {
				t.Logf("%s %s %v", e.Level, e.Message, e.ContextMap())
			}
		}
	})
	dir := t.TempDir()
	identity := filepath.Join(dir, "identity")
	if err := c.cluster.IssueIdentity(identity, cluster.PluginUser, time.Hour); err != nil {
		t.Fatal(err)
	}
	tree := map[string]any{
		"teleport":           map[string]any{"addr": c.cluster.Addr(), "identity": identity},
		"delivery":           map[string]any{"call_timeout": "2s", "lease": "4s", "retry_max": "100ms"},
		"role_to_recipients": map[string]any{"*": c.far.Places()[:2]},
	}
	maps.Copy(tree, c.far.Config())
	tree["decide"].(map[string]any)["roles"] = []string{"editor"}
	if change != nil {
		change(tree)
	}
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(tree); err != nil {
		t.Fatal(err)
	}
	c.config = filepath.Join(dir, "webhook.toml")
	if err := os.WriteFile(c.config, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	c.cluster.AddRole("editor", cluster.RoleSpec{Approve: 1, Deny: 1})
	c.cluster.Allow(cluster.PluginRole, cluster.KindReviewRequests, cluster.VerbReview)
	return c
}

// start starts a replica, and returns what stops it.
func (c *court) start() (stop func()) {
	c.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	before := c.cluster.Watchers()
	go func() { ended <- plugin.Serve(ctx, farend.Service().Integration, c.config, c.log) }()
	c.until("the plugin watches", func() bool { return c.cluster.Watchers() > before })
	halted := false
	stop = func() {
		if halted {
			return
		}
		halted = true
		before := c.cluster.Watchers()
		cancel()
		if err := <-ended; err != nil {
			c.Error(err)
		}
		c.until("it watches no more", func() bool { return c.cluster.Watchers() < before })
	}
	c.Cleanup(stop)
	return stop
}

func (c *court) until(what string, done func() bool) {
	c.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.Fatalf("it did not come to that: %s", what)
		}
	}
}

func (c *court) request(roles ...string) string {
	c.Helper()
	id, err := c.cluster.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: roles, Reason: "INC-204"})
	if err != nil {
		c.Fatal(err)
	}
	return id
}

func (c *court) state(id string) types.RequestState {
	req, ok := c.cluster.Request(id)
	if !ok {
		c.Fatalf("request %s is gone", id)
	}
	return req.GetState()
}

func (c *court) becomes(id string, state types.RequestState) {
	c.Helper()
	c.until(fmt.Sprintf("%s becomes %v", id, state), func() bool { return c.state(id) == state })
}

// reviews are those by the plugin.
func (c *court) reviews(id string) (all []types.AccessReview) {
	req, _ := c.cluster.Request(id)
	return slices.DeleteFunc(slices.Clone(req.GetReviews()), func(r types.AccessReview) bool { return r.Author != cluster.PluginUser })
}

// shows waits until both endpoints show a request in a state.
func (c *court) shows(id, state string) {
	c.Helper()
	c.until(fmt.Sprintf("%s is shown as %s", id, state), func() bool {
		n := 0
		for _, s := range c.far.Panel(0).Sights() {
			if s.Request == id && s.State == state {
				n++
			}
		}
		return n == 2
	})
}

// quiet waits until the plugin has nothing to do about a request.
func (c *court) quiet(id string) {
	c.Helper()
	c.until("the record is complete", func() bool { return strings.HasPrefix(c.cluster.PluginData(id, "webhook")["claim"], ".") })
}

func says(decision string) map[string]string {
	return map[string]string{"decision": decision, "reason": "by rule: " + decision}
}

// all answers alike.
func all(decision string) func(string, document.Event) any {
	return func(string, document.Event) any { return says(decision) }
}

func TestEndpointsDecide(t *testing.T) {
	for decision, want := range map[string]types.RequestState{"approve": types.RequestState_APPROVED, "deny": types.RequestState_DENIED} {
		t.Run(decision, func(t *testing.T) {
			t.Parallel()
			c := newCourt(t, nil, all(decision))
			c.start()
			c.start() // only one of them decides
			var ids []string
			for range 5 {
				ids = append(ids, c.request("editor"))
			}
			for _, id := range ids {
				c.becomes(id, want)
				c.shows(id, want.String())
				if r := c.reviews(id); len(r) != 1 || r[0].Reason != "by rule: "+decision {
					t.Errorf("the reviews are %v", r)
				}
			}
		})
	}
}

// Whatever goes wrong at one endpoint, nothing is approved by the other alone; and once
// it is well again, the request is decided.
func TestNothingIsDecidedWhileAnEndpointFails(t *testing.T) {
	for _, f := range []fault.Fault{
		{Effect: fault.Status, HTTPStatus: 500},
		{Effect: fault.Gateway, HTTPStatus: 302},
		{Effect: fault.Gateway, HTTPStatus: 200},
		{Effect: fault.Garbage},
		{Effect: fault.Cut},
		{Effect: fault.Hang},
		{Effect: fault.Refuse, Code: "not understood"},
		{Effect: fault.RateLimit, RetryAfterMS: 1000},
	} {
		t.Run(fmt.Sprint(f.Effect, f.HTTPStatus), func(t *testing.T) {
			t.Parallel()
			c := newCourt(t, nil, all("approve"))
			f.Target = c.far.Places()[1]
			c.far.Faults().Add(f)
			c.start()
			id := c.request("editor")
			c.until("the other has heard, and this one was tried", func() bool {
				return len(c.far.Panel(0).Sights()) == 1 && c.far.Calls("created") >= 2
			})
			if c.state(id) != types.RequestState_PENDING {
				t.Fatalf("the request is %v", c.state(id))
			}
			c.far.Faults().Clear()
			c.becomes(id, types.RequestState_APPROVED)
			c.shows(id, "APPROVED")
		})
	}
}

// An answer that is lost is given again, since the event has the same id.
func TestALostAnswerDoublesNothing(t *testing.T) {
	c := newCourt(t, nil, all("approve"))
	c.far.Faults().Add(fault.Fault{Method: "created", Effect: fault.DoneNotAnswered, Times: 2})
	c.start()
	id := c.request("editor")
	c.becomes(id, types.RequestState_APPROVED)
	c.shows(id, "APPROVED")
	if c.far.Repeats() == 0 {
		t.Error("no event was delivered twice")
	}
}

// Whoever was given the beginning is given the end as well, though no answer of theirs
// has arrived until then, and though they refuse it for a while after that.
func TestTheEndIsToldWhereTheBeginningMayHaveArrived(t *testing.T) {
	for name, f := range map[string]fault.Fault{
		"a lost answer": {Method: "created", Effect: fault.DoneNotAnswered},
		"a hang":        {Method: "created", Effect: fault.Hang},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCourt(t, nil, nil)
			c.far.Faults().Add(f)
			c.start()
			id := c.request("editor")
			c.until("both were called", func() bool { return c.far.Calls("created") >= 2 })
			if err := c.cluster.Expire(id); err != nil {
				t.Fatal(err)
			}
			c.until("the plugin knows", func() bool { return c.far.Calls("created") >= 4 })
			c.far.Faults().Clear()
			c.far.Faults().Add(fault.Fault{Method: "created", Effect: fault.Refuse, Code: "not understood", Times: 4})
			c.shows(id, "EXPIRED")
			c.quiet(id)
		})
	}
}

// What only people may decide is left to them, and delivered all the same.
func TestWhatIsOutsideIsLeftToPeople(t *testing.T) {
	c := newCourt(t, nil, all("approve"))
	c.start()
	outside, inside := c.request("editor", "prod-admin"), c.request("editor")
	c.becomes(inside, types.RequestState_APPROVED)
	c.shows(outside, "PENDING")
	c.quiet(outside)
	if c.state(outside) != types.RequestState_PENDING || len(c.reviews(outside)) > 0 {
		t.Errorf("it is %v", c.state(outside))
	}
}

// After a start that remembers no answer, endpoints are asked again, and what they say
// then counts, also after a review by a person.
func TestAnswersAreAskedForAgain(t *testing.T) {
	c := newCourt(t, nil, nil)
	c.cluster.AddRole("editor", cluster.RoleSpec{Approve: 2, Deny: 1})
	stop := c.start()
	id := c.request("editor")
	c.shows(id, "PENDING")
	c.quiet(id)
	stop()
	c.far.Decide(func(_ string, d document.Event) any {
		if len(d.Request.Reviews) == 0 {
			return nil
		}
		return says("approve")
	})
	stop = c.start()
	later := c.request("editor")
	c.shows(later, "PENDING")
	c.quiet(later)
	if err := c.cluster.Review(later, cluster.Bob, types.RequestState_APPROVED, "fine"); err != nil {
		t.Fatal(err)
	}
	c.becomes(later, types.RequestState_APPROVED) // without waiting for the minute
	stop()
	c.start()
	if err := c.cluster.Review(id, cluster.Bob, types.RequestState_APPROVED, "fine"); err != nil {
		t.Fatal(err)
	}
	c.until("the plugin reviews it", func() bool { return len(c.reviews(id)) == 1 })
}

// A review that the cluster refuses is told to the endpoints that wanted it.
func TestTheClusterRefuses(t *testing.T) {
	c := newCourt(t, nil, all("approve"))
	c.cluster.Deny(cluster.PluginRole, cluster.KindReviewRequests, cluster.VerbReview)
	c.start()
	id := c.request("editor")
	c.until("the endpoints hear of it", func() bool { return c.far.Calls("decision_refused") >= 2 })
	if c.state(id) != types.RequestState_PENDING {
		t.Errorf("it is %v", c.state(id))
	}
	c.until("it is logged", func() bool { return c.logs.FilterMessageSnippet("could not decide").Len() > 0 })
}
