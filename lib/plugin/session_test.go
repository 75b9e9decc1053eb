package plugin

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/reconcile"
	test "teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/teleport"
	"teleport-plugins/lib/watch"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
)

// session makes a session that is not at work.
func (r *rig) session() *session {
	r.Helper()
	settings := r.make()
	s, err := r.daemon.prepare(r.Context(), settings)
	if err != nil {
		r.Fatal(err)
	}
	return s
}

// connected makes a session that is connected and does nothing else.
func (r *rig) connected() *session {
	r.Helper()
	s := r.session()
	src, err := s.connect(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = src.Close() })
	return s
}

// everyCall makes each call of the engine to the cluster, by its name.
func everyCall(ctx context.Context, s *session, id string) map[string]error {
	c, errs := cluster{s}, make(map[string]error)
	req, err := c.GetRequest(ctx, id)
	if errs["GetRequest"] = err; err == nil && (req == nil || req.GetUser() != test.Alice) {
		errs["GetRequest"] = errors.New("it is not the request")
	}
	_, errs["GetPluginData"] = c.GetPluginData(ctx, types.KindAccessRequest, id, "desk")
	errs["UpdatePluginData"] = c.UpdatePluginData(ctx, types.KindAccessRequest, id, "desk", map[string]string{"a": "b"}, nil)
	_, errs["SubmitReview"] = c.SubmitReview(ctx, id, types.AccessReview{ProposedState: types.RequestState_APPROVED})
	errs["ListRules"] = c.ListRules(ctx, "desk", func(*rulesv1.AccessMonitoringRule) error { return nil })
	_, errs["UserTraits"] = c.UserTraits(ctx, test.Alice)
	_, errs["AccessListOwners"] = c.AccessListOwners(ctx, "payments")
	_, errs["labels"] = s.labels(ctx, id)
	return errs
}

// Calls before there is a connection fail with a word for it, and work as soon as
// there is one.
func TestCallsUseTheConnectionOfTheMoment(t *testing.T) {
	r := newRigAt(t, test.Options{AdvancedWorkflows: true, WebProxyAddr: "proxy.example.com:443"})
	r.cluster.Allow(test.PluginRole, test.KindReviewRequests, test.VerbReview)
	list := test.AccessList{Name: "payments", Title: "Payments", NextAudit: time.Now().Add(time.Hour), Owners: []string{test.Bob}}
	if err := r.cluster.PutAccessList(list); err != nil {
		t.Fatal(err)
	}
	id, err := r.cluster.CreateRequest(test.CreateParams{User: test.Alice, Roles: []string{"demo-role"}})
	if err != nil {
		t.Fatal(err)
	}
	s := r.session()
	for name, err := range everyCall(t.Context(), s, id) {
		if !errors.Is(err, errNotConnected) {
			t.Errorf("%s without a connection: %v", name, err)
		}
	}
	if name, web := s.place(); name != "" || web != "" {
		t.Errorf("the place is %q, %q before it is known", name, web)
	}
	src, err := s.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for name, err := range everyCall(t.Context(), s, id) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if name, web := s.place(); name != test.DefaultName || web != "https://proxy.example.com" {
		t.Errorf("the place is %q, %q", name, web)
	}
	if got, _ := r.cluster.Request(id); got.GetState() != types.RequestState_APPROVED {
		t.Errorf("the review did not arrive: %v", got.GetState())
	}
	if got := r.cluster.PluginData(id, "desk")["a"]; got != "b" {
		t.Errorf("the record holds %q", got)
	}
}

// A connection that was replaced is closed when its calls have had their time, or
// with the session; the one in use is closed at once.
func TestAReplacedConnectionMayFinish(t *testing.T) {
	r := newRig(t)
	s := r.session()
	first, err := s.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Ping(t.Context()); err != nil {
		t.Errorf("the replaced connection is closed already: %v", err)
	}
	close(s.closing)
	s.retired.Wait()
	if err := first.Ping(t.Context()); err == nil {
		t.Error("the replaced connection is open after the end")
	}
	if err := second.Ping(t.Context()); err != nil {
		t.Errorf("the new connection: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Ping(t.Context()); err == nil {
		t.Error("the connection in use is open after its end")
	}
}

// An identity that is renewed is taken up over a new connection, the old one is
// given up, and nothing is said of a loss.
func TestARenewedIdentityIsTakenUp(t *testing.T) {
	r := newRig(t)
	r.start(true)
	before := r.cluster.Calls()["WatchEvents"]
	r.identity(2 * time.Hour)
	r.until("the new identity is in use", r.logged("Took up a new identity"))
	r.until("there is another stream", func() bool { return r.cluster.Calls()["WatchEvents"] > before && r.cluster.Watchers() == 1 })
	r.until("the daemon is ready", func() bool { return r.daemon.health.Status().Ready })
	r.stop()
	if strings.Contains(r.log(), "ERROR") {
		t.Errorf("a new identity is told as an error:\n%s", r.log())
	}
}

// stop ends the daemon as the service manager does.
func (r *rig) stop() {
	r.Helper()
	r.signals <- syscall.SIGTERM
	if err := r.wait(); err != nil {
		r.Errorf("the end: %v", err)
	}
}

// An outage of the cluster shows, and ends by itself.
func TestAnOutageOfTheClusterPasses(t *testing.T) {
	r := newRig(t)
	r.start(true)
	r.cluster.Stop()
	r.until("the outage shows", func() bool { ok, _ := r.condition(watch.Condition); return !ok })
	if err := r.cluster.Resume(); err != nil {
		t.Fatal(err)
	}
	r.until("the daemon is ready again", func() bool { return r.daemon.health.Status().Ready })
	r.until("that is logged", r.logged("Recovered: "+watch.Condition))
	r.stop()
}

func TestFailFastEndsWithTheConnection(t *testing.T) {
	r := newRig(t)
	r.flags.failFast = true
	r.start(true)
	r.cluster.Stop()
	if err := r.wait(); err == nil || !strings.Contains(err.Error(), failFastVariable) {
		t.Errorf("the end: %v", err)
	}
}

// What no reconnect can heal ends the start, with the reason.
func TestStartsThatCannotGoOn(t *testing.T) {
	for name, tc := range map[string]struct {
		options test.Options
		change  func(r *rig)
		want    error
		text    string
	}{
		"a cluster that is too old": {test.Options{ServerVersion: "5.0.0"}, nil, teleport.ErrServerTooOld, "5.0.0"},
		"no identity": {test.Options{}, func(r *rig) {
			r.writeText("[teleport]\naddr = \"127.0.0.1:1\"\nidentity = \"" + r.beside("nothing") + "\"\n")
		}, teleport.ErrMissing, "nothing"},
		"an identity that has expired": {test.Options{}, func(r *rig) { r.identity(-time.Minute) }, teleport.ErrExpired, "expired"},
		"an address that is none": {test.Options{}, func(r *rig) {
			r.writeText("[teleport]\naddr = \"teleport\"\nidentity = \"" + r.beside("identity") + "\"\n")
		}, teleport.ErrAddress, "teleport"},
		"a service that cannot be set up": {test.Options{}, func(r *rig) { r.write("broken") }, nil, "three legs"},
		"credentials that are refused": {test.Options{}, func(r *rig) {
			r.desk.check = func(context.Context) error { return refusedToken() }
		}, nil, "Desk does not accept the credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigAt(t, tc.options)
			if tc.change != nil {
				tc.change(r)
			}
			r.start(false)
			err := r.wait()
			if err == nil || !strings.Contains(err.Error(), tc.text) {
				t.Fatalf("the end: %v, want %q", err, tc.text)
			}
			if tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("the end: %v, want %v", err, tc.want)
			}
		})
	}
}

// A service that cannot be asked at the start is no reason not to start.
func TestAServiceThatDoesNotAnswerYet(t *testing.T) {
	r := newRig(t)
	r.desk.check = func(context.Context) error { return errors.New("no such host") }
	r.start(false)
	r.until("the plugin is connected", func() bool { ok, _ := r.condition(watch.Condition); return ok })
	if ok, reason := r.condition(reconcile.ConditionService); ok || !strings.Contains(reason, "no such host") {
		t.Errorf("the service is said to be ok=%v: %s", ok, reason)
	}
	r.stop()
}

// The service is asked now and then, more often while it does not know us, and
// its state shows.
func TestTheServiceIsAskedNowAndThen(t *testing.T) {
	r := newRig(t)
	synctest.Test(t, func(t *testing.T) {
		r.identity(time.Hour) // by the clock in here
		settings := r.make()
		defer r.daemon.log.Close()
		s, err := r.daemon.prepare(t.Context(), settings)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var looking sync.WaitGroup
		looking.Go(func() { s.look(ctx) })
		defer looking.Wait()
		defer cancel()
		time.Sleep(12 * time.Minute)
		calm := r.desk.checked()
		if calm < 3 || calm > 6 {
			t.Errorf("asked %d times in 12 minutes", calm)
		}
		if ok, reason := r.condition(conditionDelivering); !ok {
			t.Errorf("nothing waits, yet: %s", reason)
		}
		r.desk.with(func() { r.desk.check = func(context.Context) error { return overloaded() } })
		time.Sleep(6 * time.Minute)
		if ok, reason := r.condition(reconcile.ConditionService); !ok {
			t.Errorf("an overloaded service is taken for one that refuses us: %s", reason)
		}
		r.desk.with(func() { r.desk.check = func(context.Context) error { return heldBack() } })
		time.Sleep(6 * time.Minute)
		if ok, reason := r.condition(reconcile.ConditionService); !ok {
			t.Errorf("a service that was not asked is taken for one that does not answer: %s", reason)
		}
		r.desk.with(func() { r.desk.check = func(context.Context) error { return refusedToken() } })
		time.Sleep(6 * time.Minute)
		if ok, reason := r.condition(reconcile.ConditionService); ok || !strings.Contains(reason, "invalid_auth") {
			t.Errorf("the refusal does not show: ok=%v %s", ok, reason)
		}
		r.desk.with(func() { r.desk.check = nil })
		time.Sleep(20 * time.Minute)
		if ok, reason := r.condition(reconcile.ConditionService); !ok {
			t.Errorf("the recovery does not show: %s", reason)
		}
	})
}

// overloaded is an answer that says nothing of the credentials.
func overloaded() error {
	return &outbound.Error{Kind: outbound.Retry, Op: "check", Code: "internal_error", Status: 503}
}

// heldBack is that the service was not asked, since other calls go first.
func heldBack() error {
	return &outbound.Error{Kind: outbound.Wait, Op: "check", After: time.Second, Err: errors.New("other calls go first")}
}

func TestWhatInspectFindsIsLogged(t *testing.T) {
	r := newRig(t)
	r.desk.faults = []error{errors.New("the desk has none"), check.Lack("one is small")}
	r.desk.prove = func(context.Context) error { return overloaded() }
	r.start(true)
	r.until("the fault is logged", r.logged("Before the first request shows it: drawers of the desk: the desk has none"))
	r.until("the lack is logged", r.logged("What requests may show: drawers of the desk: one is small"))
	if strings.Contains(r.log(), "recipient ops") {
		t.Error("what passes by itself is logged")
	}
	r.stop()
}

func TestAClusterOfAnUntestedVersionIsWarnedOfOnce(t *testing.T) {
	r := newRigAt(t, test.Options{ServerVersion: "9.0.0"})
	r.start(true)
	streams := r.cluster.Calls()["WatchEvents"]
	r.cluster.CutConnections()
	r.until("the connection is back", func() bool { return r.cluster.Calls()["WatchEvents"] > streams && r.daemon.health.Status().Ready })
	r.stop()
	if n := strings.Count(r.log(), "runs version 9.0.0"); n != 1 {
		t.Errorf("warned %d times:\n%s", n, r.log())
	}
}

func TestAConnectionThatIsNotAllowedIsClosed(t *testing.T) {
	r := newRig(t)
	r.cluster.FailCalls("Ping", codes.PermissionDenied, 0)
	s := r.session()
	if src, err := s.connect(t.Context()); !errors.Is(err, teleport.ErrDenied) {
		t.Errorf("got %v, %v", src, err)
	}
	if _, err := s.current(); !errors.Is(err, errNotConnected) {
		t.Errorf("a connection that was refused is in use: %v", err)
	}
}
