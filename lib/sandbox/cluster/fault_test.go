package cluster_test

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/client"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"

	"teleport-plugins/lib/sandbox/cluster"
)

// reconnected waits until the client's connection is up again.
func reconnected(t *testing.T, clt *client.Client) {
	t.Helper()
	ctx := background(t)
	conn := clt.GetConnection()
	for {
		conn.Connect()
		state := conn.GetState()
		if state == connectivity.Ready {
			if _, err := clt.Ping(ctx); err == nil {
				return
			}
		}
		if !conn.WaitForStateChange(ctx, state) {
			t.Fatalf("the connection stays %v", state)
		}
	}
}

func TestRestartKeepsAddressAndData(t *testing.T) {
	c := start(t, cluster.Options{})
	id := create(t, c, cluster.CreateParams{})
	must(t, c.SetPluginData(id, "example", data{"k": "v"}))
	clt := connect(t, c, cluster.PluginUser)
	w := watch(t, clt, requestsOnly())
	confirmed(t, w)
	addr := c.Addr()

	must(t, c.Restart())
	if err := ended(t, w); !trace.IsConnectionProblem(err) {
		t.Errorf("the watch ended with %v, want a connection problem", err)
	}
	same(t, c.Addr(), addr)
	reconnected(t, clt)
	same(t, get(t, clt, types.AccessRequestFilter{}), []string{id})
	same(t, c.PluginData(id, "example"), data{"k": "v"})
}

func TestStoppedClusterIsUnreachableUntilItResumes(t *testing.T) {
	c := start(t, cluster.Options{})
	creds := client.LoadIdentityFile(identity(t, c, cluster.PluginUser, time.Hour))
	must(t, handshake(t, c, creds))
	c.Stop()
	c.Stop()
	if err := handshake(t, c, creds); err == nil {
		t.Error("a stopped cluster accepted a connection")
	}
	id := create(t, c, cluster.CreateParams{}) // the world goes on
	must(t, c.Resume())
	must(t, c.Resume())
	same(t, get(t, connect(t, c, cluster.PluginUser), types.AccessRequestFilter{}), []string{id})
}

func TestClosedClusterStaysClosed(t *testing.T) {
	c, err := cluster.Start(cluster.Options{})
	must(t, err)
	must(t, c.Close())
	must(t, c.Close())
	if err := c.Resume(); err == nil {
		t.Error("a closed cluster resumed")
	}
	if conn, err := net.Dial("tcp", c.Addr()); err == nil {
		conn.Close()
		t.Error("the port of a closed cluster is open")
	}
}

func TestCutStreams(t *testing.T) {
	for name, withError := range map[string]bool{"in good order": false, "with an error": true} {
		t.Run(name, func(t *testing.T) {
			c := start(t, cluster.Options{})
			clt := connect(t, c, cluster.PluginUser)
			w := watch(t, clt, requestsOnly())
			confirmed(t, w)
			c.CutStreams(withError)
			if err := ended(t, w); trace.IsConnectionProblem(err) != withError || trace.IsEOF(err) == withError {
				t.Errorf("the watch ended with %v", err)
			}
			_, err := clt.Ping(background(t)) // the connection is still good
			must(t, err)
			confirmed(t, watch(t, clt, requestsOnly()))
		})
	}
}

func TestCutConnections(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	w := watch(t, clt, requestsOnly())
	confirmed(t, w)
	c.CutConnections()
	if err := ended(t, w); !trace.IsConnectionProblem(err) {
		t.Errorf("the watch ended with %v", err)
	}
	reconnected(t, clt)
}

func TestRefuseConnections(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	creds := client.LoadIdentityFile(identity(t, c, cluster.PluginUser, time.Hour))
	c.RefuseConnections(true)
	if err := handshake(t, c, creds); err == nil {
		t.Error("a connection was accepted")
	}
	_, err := clt.Ping(background(t)) // open connections go on
	must(t, err)
	c.RefuseConnections(false)
	must(t, handshake(t, c, creds))
}

func TestBlackHole(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	w := watch(t, clt, requestsOnly())
	confirmed(t, w)

	c.BlackHole(true)
	id := create(t, c, cluster.CreateParams{})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := clt.Ping(ctx); err == nil {
		t.Error("a call was answered")
	}
	select {
	case <-w.Events():
		t.Error("an event got through")
	case <-w.Done():
		t.Error("the watch ended, but nobody can have told")
	default:
	}
	conn, err := net.Dial("tcp", c.Addr()) // accepted, and silent
	must(t, err)
	defer conn.Close()

	c.BlackHole(false)
	same(t, next(t, w).Resource.GetName(), id)
	_, err = clt.Ping(background(t))
	must(t, err)
}

func TestClosingASilentClusterDoesNotHang(t *testing.T) {
	c, err := cluster.Start(cluster.Options{})
	must(t, err)
	confirmed(t, watch(t, connect(t, c, cluster.PluginUser), requestsOnly()))
	c.BlackHole(true)
	must(t, c.Close())
}

func TestSlow(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	c.Slow(time.Hour)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := clt.Ping(ctx); err == nil {
		t.Error("a call that takes an hour was answered")
	}
	c.Slow(0)
	_, err := clt.Ping(background(t))
	must(t, err)
}

func TestFailCalls(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	ctx := background(t)
	c.FailCalls("Ping", codes.Unavailable, 2)
	for range 2 {
		_, err := clt.Ping(ctx)
		same(t, trace.IsConnectionProblem(err), true)
	}
	_, err := clt.Ping(ctx)
	must(t, err)

	c.FailCalls("WatchEvents", codes.PermissionDenied, 1)
	same(t, trace.IsAccessDenied(ended(t, watch(t, clt, requestsOnly()))), true)
}

func TestFailureAfterTheWorkIsDone(t *testing.T) {
	c := start(t, cluster.Options{})
	id := create(t, c, cluster.CreateParams{})
	clt := connect(t, c, cluster.PluginUser)
	c.AddFailure(cluster.Failure{Method: "UpdatePluginData", Code: codes.DeadlineExceeded, Times: 1, AfterWork: true})
	if err := update(background(t), clt, id, nil, data{"k": "v"}); err == nil {
		t.Error("the call was answered well")
	}
	same(t, c.PluginData(id, "example"), data{"k": "v"})
}

func TestConflictNextWrites(t *testing.T) {
	c := start(t, cluster.Options{})
	id := create(t, c, cluster.CreateParams{})
	clt := connect(t, c, cluster.PluginUser)
	ctx := background(t)
	c.ConflictNextWrites(2)
	for range 2 {
		same(t, trace.IsCompareFailed(update(ctx, clt, id, nil, data{"k": "v"})), true)
		same(t, c.PluginData(id, "example"), nil)
	}
	must(t, update(ctx, clt, id, nil, data{"k": "v"}))
}

func TestBeforeWriteLetsAnotherWriterWin(t *testing.T) {
	c := start(t, cluster.Options{})
	id := create(t, c, cluster.CreateParams{})
	c.BeforeWrite(func(resource, plugin string) {
		must(t, c.SetPluginData(resource, plugin, data{"k": "foreign"}))
	})
	err := update(background(t), connect(t, c, cluster.PluginUser), id, data{"k": ""}, data{"k": "own"})
	same(t, trace.IsCompareFailed(err), true)
	same(t, c.PluginData(id, "example"), data{"k": "foreign"})
}

func TestFaultsAsJSON(t *testing.T) {
	var f cluster.Faults
	must(t, json.Unmarshal([]byte(`{
		"black_hole": true, "refuse_connections": true, "slow_ms": 20, "conflict_next_writes": 3,
		"failures": [{"method": "Ping", "code": "UNAVAILABLE", "times": 1}]
	}`), &f))
	c := start(t, cluster.Options{})
	c.SetFaults(f)
	out, err := json.Marshal(c.Faults())
	must(t, err)
	var back cluster.Faults
	must(t, json.Unmarshal(out, &back))
	same(t, back, f)
	same(t, back.Failures[0].Code, codes.Unavailable)
	c.SetFaults(cluster.Faults{})
	same(t, c.Faults(), cluster.Faults{})
}

func TestCallsAreCounted(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	c.ResetCalls()
	for range 3 {
		_, err := clt.Ping(background(t))
		must(t, err)
	}
	_, err := clt.GetRole(background(t), "none") // failed calls count
	same(t, trace.IsNotFound(err), true)
	same(t, c.Calls(), map[string]int{"Ping": 3, "GetRole": 1})
	c.ResetCalls()
	same(t, c.Calls(), map[string]int{})
}

func TestFailuresAreObservedWithTheCall(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	id := create(t, c, cluster.CreateParams{Records: map[string]map[string]string{"example": {"messages": "C1/2.3"}}})
	same(t, c.PluginData(id, "example"), data{"messages": "C1/2.3"})

	var hits []string
	c.ObserveFailures(func(f cluster.Failure, content string) {
		if strings.Contains(content, id) {
			hits = append(hits, f.Method+" "+f.Code.String())
		}
	})
	update := func() error {
		return clt.UpdatePluginData(background(t), types.PluginDataUpdateParams{
			Kind: types.KindAccessRequest, Resource: id, Plugin: "example", Set: data{"k": "v"},
		})
	}
	c.FailCalls("", codes.Unavailable, 1)
	c.ConflictNextWrites(1)
	for range 2 {
		if update() == nil {
			t.Error("a write did not fail")
		}
	}
	must(t, update())
	c.FailCalls("", codes.Unavailable, 0)
	c.ConflictNextWrites(9)
	c.ClearFailures()
	must(t, update())
	same(t, hits, []string{"UpdatePluginData Unavailable", "UpdatePluginData Aborted"})
}
