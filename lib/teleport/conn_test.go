package teleport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	accesslistv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accesslist/v1"
	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
	"github.com/gravitational/teleport/api/types"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"teleport-plugins/lib/sandbox/cluster"
)

// startCluster runs a cluster until the test ends.
func startCluster(t *testing.T, opts cluster.Options) *cluster.Cluster {
	t.Helper()
	c := must(cluster.Start(opts))(t)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// identityFor returns a fresh identity of a user in a file of the test.
func identityFor(t *testing.T, c *cluster.Cluster, user string) *Identity {
	t.Helper()
	path := filepath.Join(t.TempDir(), "identity")
	if err := c.IssueIdentity(path, user, time.Hour); err != nil {
		t.Fatal(err)
	}
	return must(Load(Credentials{Identity: path}))(t)
}

// connectTo connects as a user until the test ends.
func connectTo(t *testing.T, c *cluster.Cluster, user string) *Conn {
	t.Helper()
	conn := NewConn(must(Dial(t.Context(), DialOptions{Addr: c.Addr(), Identity: identityFor(t, c, user)}))(t))
	t.Cleanup(func() { conn.Close() })
	return conn
}

// addRequests creates n requests of alice and returns their ids, sorted.
func addRequests(t *testing.T, c *cluster.Cluster, n int) []string {
	t.Helper()
	var ids []string
	for range n {
		id := must(c.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"demo-role"}}))(t)
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// eachAge runs a test against a current and an old cluster.
func eachAge(t *testing.T, test func(t *testing.T, c *cluster.Cluster)) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("old=%t", old), func(t *testing.T) {
			test(t, startCluster(t, cluster.Options{Old: old}))
		})
	}
}

func TestDialConnectsWithAnIdentityFileAndAKeyPair(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	id := identityFor(t, c, cluster.PluginUser)
	if id.User != cluster.PluginUser || id.Cluster != c.Name() {
		t.Errorf("identity of %q at %q", id.User, id.Cluster)
	}
	dir := t.TempDir()
	if err := c.IssueKeyPair(dir, cluster.PluginUser, time.Hour); err != nil {
		t.Fatal(err)
	}
	pair := Credentials{ClientKey: filepath.Join(dir, "auth.key"), ClientCert: filepath.Join(dir, "auth.crt"), RootCAs: filepath.Join(dir, "auth.cas")}
	for name, id := range map[string]*Identity{"file": id, "pair": must(Load(pair))(t)} {
		conn := NewConn(must(Dial(t.Context(), DialOptions{Addr: c.Addr(), Identity: id}))(t))
		if err := conn.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		conn.Close()
	}
}

func TestDialLeavesNothingBehind(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	id := identityFor(t, c, cluster.PluginUser)
	before := goleak.IgnoreCurrent()
	clt := must(Dial(t.Context(), DialOptions{Addr: c.Addr(), Identity: id}))(t)
	if err := clt.Close(); err != nil {
		t.Fatal(err)
	}
	c.BlackHole(true)
	if _, err := Dial(t.Context(), DialOptions{Addr: c.Addr(), Identity: id, Timeout: 400 * time.Millisecond}); !errors.Is(err, ErrTimeout) {
		t.Fatalf("got %v", err)
	}
	c.BlackHole(false)
	c.CutConnections() // the sandbox's own ends of them
	goleak.VerifyNone(t, before)
}

func TestRotationOfTheAuthorityNeedsANewIdentity(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	id := identityFor(t, c, cluster.PluginUser)
	open := NewConn(must(Dial(t.Context(), DialOptions{Addr: c.Addr(), Identity: id}))(t))
	defer open.Close()
	if err := c.RotateCA(); err != nil {
		t.Fatal(err)
	}
	_, err := Dial(t.Context(), DialOptions{Addr: c.Addr(), Identity: id, Timeout: time.Minute})
	wantFault(t, err, ErrUntrusted, `the server certificate at .* is not signed by an authority in .* \(cluster ".*"\): .* was rotated; issue a new identity`)
	if err := open.Ping(t.Context()); err != nil {
		t.Errorf("the open connection ended: %v", err)
	}

	changes := watchFor(t, id.Source())
	if err := c.IssueIdentity(id.Source().Identity, cluster.PluginUser, time.Hour); err != nil {
		t.Fatal(err)
	}
	renewed := NewConn(must(Dial(t.Context(), DialOptions{Addr: c.Addr(), Identity: wantUser(t, changes, id)}))(t))
	defer renewed.Close()
	if err := renewed.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConnHealsWhenTheClusterIsBack(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	conn := connectTo(t, c, cluster.PluginUser)
	c.Stop()
	for range 20 { // enough to trip a circuit breaker
		if err := conn.Ping(t.Context()); !isUnavailable(err) {
			t.Fatalf("got %v", err)
		}
	}
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for conn.Ping(ctx) != nil { // the connection is retried within two seconds
		if ctx.Err() != nil {
			t.Fatal("the connection did not come back")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestProbeTellsWhoTheClusterIs(t *testing.T) {
	c := startCluster(t, cluster.Options{Name: "root.example.com", WebProxyAddr: "proxy.example.com:443", AdvancedWorkflows: true, ServerVersion: "17.2.0"})
	got := must(connectTo(t, c, cluster.PluginUser).Probe(t.Context()))(t)
	want := Info{ClusterName: "root.example.com", ServerVersion: "17.2.0", AdvancedAccessWorkflows: true, WebProxyAddr: "https://proxy.example.com"}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestListRequestsPagesOnEveryAge(t *testing.T) {
	eachAge(t, func(t *testing.T, c *cluster.Cluster) {
		want := addRequests(t, c, 250)
		conn := connectTo(t, c, cluster.PluginUser)
		for range 2 {
			var got []string
			var sizes []int
			err := conn.ListRequests(t.Context(), func(page []*types.AccessRequestV3) error {
				sizes = append(sizes, len(page))
				for _, r := range page {
					got = append(got, r.GetName())
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) || !slices.Equal(sizes, []int{100, 100, 50}) {
				t.Errorf("%d requests in pages of %v", len(got), sizes)
			}
		}
	})
}

func TestListRequestsAsksAnOldClusterOnlyOnceForPages(t *testing.T) {
	c := startCluster(t, cluster.Options{Old: true})
	id := addRequests(t, c, 1)[0]
	conn := connectTo(t, c, cluster.PluginUser)
	for range 3 {
		if err := conn.ListRequests(t.Context(), func([]*types.AccessRequestV3) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if r := must(conn.GetRequest(t.Context(), id))(t); r == nil {
			t.Fatal("the request was not found")
		}
	}
	calls := c.Calls()
	if calls["ListAccessRequests"] != 1 || calls["GetAccessRequestsV2"] != 6 {
		t.Errorf("calls: %v", calls)
	}
}

func TestListRequestsOfNoneCallsNobody(t *testing.T) {
	eachAge(t, func(t *testing.T, c *cluster.Cluster) {
		err := connectTo(t, c, cluster.PluginUser).ListRequests(t.Context(), func([]*types.AccessRequestV3) error {
			t.Error("called")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestListRequestsStopsWhenAsked(t *testing.T) {
	stop := errors.New("enough")
	eachAge(t, func(t *testing.T, c *cluster.Cluster) {
		addRequests(t, c, 150)
		calls := 0
		err := connectTo(t, c, cluster.PluginUser).ListRequests(t.Context(), func([]*types.AccessRequestV3) error { calls++; return stop })
		if err != stop || calls != 1 {
			t.Errorf("got %v after %d calls", err, calls)
		}
	})
}

func TestGetRequest(t *testing.T) {
	eachAge(t, func(t *testing.T, c *cluster.Cluster) {
		ids := addRequests(t, c, 3)
		conn := connectTo(t, c, cluster.PluginUser)
		r := must(conn.GetRequest(t.Context(), ids[1]))(t)
		if r == nil || r.GetName() != ids[1] || r.GetUser() != cluster.Alice {
			t.Errorf("got %v", r)
		}
		if r := must(conn.GetRequest(t.Context(), NoRequest))(t); r != nil {
			t.Errorf("got %v for a request that does not exist", r.GetName())
		}
		c.Deny(cluster.PluginRole, types.KindAccessRequest)
		if r := must(conn.GetRequest(t.Context(), ids[1]))(t); r != nil {
			t.Error("a request that may not be seen was found")
		}
	})
}

func TestPluginDataIsReadAndWrittenByCompareAndSwap(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	ids := addRequests(t, c, 2)
	id := ids[0]
	conn := connectTo(t, c, cluster.PluginUser)
	ctx := t.Context()
	get := func() map[string]string {
		t.Helper()
		return must(conn.GetPluginData(ctx, types.KindAccessRequest, id, "example"))(t)
	}
	put := func(set, expect map[string]string) error {
		return conn.UpdatePluginData(ctx, types.KindAccessRequest, id, "example", set, expect)
	}
	if got := get(); got != nil {
		t.Fatalf("got %v before the first write", got)
	}
	steps := []struct {
		name        string
		set, expect map[string]string
		conflict    bool
		want        map[string]string
	}{
		{"create", map[string]string{"a": "1", "b": "2"}, map[string]string{"a": ""}, false, map[string]string{"a": "1", "b": "2"}},
		{"create again", map[string]string{"a": "9"}, map[string]string{"a": ""}, true, map[string]string{"a": "1", "b": "2"}},
		{"swap", map[string]string{"a": "3"}, map[string]string{"a": "1"}, false, map[string]string{"a": "3", "b": "2"}},
		{"delete a key", map[string]string{"b": ""}, nil, false, map[string]string{"a": "3"}},
		{"delete all", map[string]string{"a": ""}, nil, false, nil},
	}
	for _, s := range steps {
		err := put(s.set, s.expect)
		if IsConflict(err) != s.conflict || (err != nil && !s.conflict) {
			t.Fatalf("%s: %v", s.name, err)
		}
		if got := get(); !maps.Equal(got, s.want) {
			t.Fatalf("%s: got %v, want %v", s.name, got, s.want)
		}
	}
	c.ConflictNextWrites(1)
	if err := put(map[string]string{"a": "1"}, nil); !IsConflict(err) {
		t.Errorf("lost race: %v", err)
	}
	if err := c.Delete(ids[1]); err != nil {
		t.Fatal(err)
	}
	id = ids[1]
	if err := put(map[string]string{"a": "1"}, nil); !IsNotFound(err) {
		t.Errorf("first write after deletion: %v", err)
	}
}

func TestAllPluginDataVisitsThePluginsRecordsOnly(t *testing.T) {
	eachAge(t, func(t *testing.T, c *cluster.Cluster) {
		ids := addRequests(t, c, 3)
		err := errors.Join(c.SetPluginData(ids[0], "example", map[string]string{"k": "0"}),
			c.SetPluginData(ids[1], "other", map[string]string{"k": "1"}),
			c.SetPluginData(ids[2], "example", map[string]string{"k": "2"}))
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]string)
		conn := connectTo(t, c, cluster.PluginUser)
		err = conn.AllPluginData(t.Context(), types.KindAccessRequest, "example", func(id string, data map[string]string) error {
			got[id] = data["k"]
			return nil
		})
		if want := map[string]string{ids[0]: "0", ids[2]: "2"}; err != nil || !maps.Equal(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
		stop := errors.New("enough")
		if err := conn.AllPluginData(t.Context(), types.KindAccessRequest, "example", func(string, map[string]string) error { return stop }); err != stop {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnswersLargerThanTheDefaultCapArrive(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	for _, id := range addRequests(t, c, 6) {
		if err := c.SetPluginData(id, "example", map[string]string{"k": strings.Repeat("x", 900_000)}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	err := connectTo(t, c, cluster.PluginUser).AllPluginData(t.Context(), types.KindAccessRequest, "example", func(_ string, data map[string]string) error {
		n += len(data["k"])
		return nil
	})
	if err != nil || n != 6*900_000 {
		t.Errorf("read %d bytes: %v", n, err)
	}
}

// nextEvent reads one event of a watcher.
func nextEvent(t *testing.T, w types.Watcher) types.Event {
	t.Helper()
	select {
	case e := <-w.Events():
		return e
	case <-w.Done():
		t.Fatalf("the stream ended: %v", w.Error())
	case <-time.After(30 * time.Second):
		t.Fatal("no event")
	}
	return types.Event{}
}

func TestNewWatcherConfirmsWhatTheClusterKnows(t *testing.T) {
	eachAge(t, func(t *testing.T, c *cluster.Cluster) {
		conn := connectTo(t, c, cluster.PluginUser)
		w := must(conn.NewWatcher(t.Context(), types.KindAccessRequest, types.KindAccessMonitoringRule))(t)
		defer w.Close()
		init := nextEvent(t, w)
		status, ok := init.Resource.(types.WatchStatus)
		if init.Type != types.OpInit || !ok {
			t.Fatalf("first event: %v", init)
		}
		var kinds []string
		for _, k := range status.GetKinds() {
			kinds = append(kinds, k.Kind)
		}
		slices.Sort(kinds)
		want := []string{types.KindAccessMonitoringRule, types.KindAccessRequest}
		if strings.HasSuffix(t.Name(), "old=true") {
			want = want[1:]
		}
		if !slices.Equal(kinds, want) {
			t.Errorf("confirmed %v, want %v", kinds, want)
		}
		id := addRequests(t, c, 1)[0]
		if e := nextEvent(t, w); e.Type != types.OpPut || e.Resource.GetName() != id {
			t.Errorf("got %v", e)
		}
	})
}

func TestWatcherEndsWithItsContext(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	w := must(connectTo(t, c, cluster.PluginUser).NewWatcher(ctx, types.KindAccessRequest))(t)
	nextEvent(t, w)
	cancel()
	<-w.Done()
}

func TestSubmitReview(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	ids := addRequests(t, c, 2)
	bob := connectTo(t, c, cluster.Bob)
	review := types.AccessReview{Author: cluster.Bob, ProposedState: types.RequestState_APPROVED, Reason: "fine"}
	r := must(bob.SubmitReview(t.Context(), ids[0], review))(t)
	if !r.GetState().IsApproved() || len(r.GetReviews()) != 1 {
		t.Errorf("after the review: %s, %d reviews", r.GetState(), len(r.GetReviews()))
	}
	if _, err := bob.SubmitReview(t.Context(), ids[0], review); !IsDenied(err) {
		t.Errorf("second review: %v", err)
	}
	if _, err := connectTo(t, c, cluster.PluginUser).SubmitReview(t.Context(), ids[1], types.AccessReview{ProposedState: types.RequestState_APPROVED}); !IsDenied(err) {
		t.Errorf("review without the right: %v", err)
	}
}

func TestDecorationCallsAnswerOrAreDenied(t *testing.T) {
	eachAge(t, func(t *testing.T, c *cluster.Cluster) {
		conn := connectTo(t, c, cluster.PluginUser)
		if logins := must(conn.RoleLogins(t.Context(), "demo-role"))(t); !slices.Equal(logins, []string{"ubuntu", "ec2-user"}) {
			t.Errorf("logins: %v", logins)
		}
		if traits := must(conn.UserTraits(t.Context(), cluster.Alice))(t); !slices.Equal(traits["team"], []string{"payments"}) {
			t.Errorf("traits: %v", traits)
		}
		if _, err := conn.RoleLogins(t.Context(), "no-such-role"); !IsNotFound(err) {
			t.Errorf("unknown role: %v", err)
		}
		c.Deny(cluster.PluginRole, types.KindRole)
		c.Deny(cluster.PluginRole, types.KindUser)
		if _, err := conn.RoleLogins(t.Context(), "demo-role"); !IsDenied(err) {
			t.Errorf("role: %v", err)
		}
		if _, err := conn.UserTraits(t.Context(), cluster.Alice); !IsDenied(err) {
			t.Errorf("user: %v", err)
		}
	})
}

func TestFriendlyNamesFallKindByKind(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	var ids []types.ResourceID
	want := make(map[string]string)
	for i := range 120 { // more than one call takes
		name := fmt.Sprintf("node-%03d", i)
		if err := c.AddResource(cluster.ResourceSpec{Kind: types.KindNode, Name: name, Friendly: "host-" + name}); err != nil {
			t.Fatal(err)
		}
		id := types.ResourceID{ClusterName: c.Name(), Kind: types.KindNode, Name: name}
		ids = append(ids, id)
		want[types.ResourceIDToString(id)] = "host-" + name
	}
	if err := c.AddResource(cluster.ResourceSpec{Kind: types.KindUserGroup, Name: "group-1", Friendly: "Everyone"}); err != nil {
		t.Fatal(err)
	}
	group := types.ResourceID{ClusterName: c.Name(), Kind: types.KindUserGroup, Name: "group-1"}
	ids = append(ids, group,
		types.ResourceID{ClusterName: "leaf.example.com", Kind: types.KindNode, Name: "node-000"},
		types.ResourceID{ClusterName: c.Name(), Kind: types.KindNode, Name: "gone"},
		types.ResourceID{ClusterName: c.Name(), Kind: types.KindDatabase, Name: "db"})
	conn := connectTo(t, c, cluster.PluginUser)

	all := maps.Clone(want)
	all[types.ResourceIDToString(group)] = "Everyone"
	if got := must(conn.FriendlyNames(t.Context(), c.Name(), ids))(t); !maps.Equal(got, all) {
		t.Errorf("%d names, want %d", len(got), len(all))
	}
	c.Deny(cluster.PluginRole, types.KindUserGroup)
	got, err := conn.FriendlyNames(t.Context(), c.Name(), ids)
	if !IsDenied(err) || !strings.Contains(err.Error(), `"user_group"`) {
		t.Errorf("got error %v", err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d names with one kind denied, want %d", len(got), len(want))
	}
}

func TestAccessListsAndTheirOwners(t *testing.T) {
	names := func(conn *Conn) (list []string, err error) {
		err = conn.ListAccessLists(t.Context(), func(l *accesslistv1.AccessList) error {
			list = append(list, l.GetHeader().GetMetadata().GetName())
			return nil
		})
		return list, err
	}
	t.Run("are read a page at a time", func(t *testing.T) {
		c := startCluster(t, cluster.Options{AdvancedWorkflows: true})
		conn := connectTo(t, c, cluster.PluginUser)
		var want []string
		for i := range pageSize + 1 {
			want = append(want, fmt.Sprintf("list-%03d", i))
			err := c.PutAccessList(cluster.AccessList{
				Name: want[i], Title: "A list", Owners: []string{cluster.Alice}, InheritedOwners: []string{cluster.Bob}, NextAudit: time.Now(),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := must(names(conn))(t); !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		if got := must(conn.AccessListOwners(t.Context(), want[0]))(t); !slices.Equal(got, []string{cluster.Alice, cluster.Bob}) {
			t.Errorf("owners %q", got)
		}
		stop := errors.New("enough")
		if err := conn.ListAccessLists(t.Context(), func(*accesslistv1.AccessList) error { return stop }); err != stop {
			t.Errorf("ended with %v", err)
		}
		if _, err := conn.AccessListOwners(t.Context(), "no-such-list"); !IsNotFound(err) {
			t.Errorf("owners of none: %v", err)
		}
		c.Deny(cluster.PluginRole, types.KindAccessList)
		if _, err := names(conn); !IsDenied(err) {
			t.Errorf("without the permission: %v", err)
		}
	})
	for name, opts := range map[string]cluster.Options{"community": {}, "old": {Old: true, AdvancedWorkflows: true}} {
		t.Run("are not known to a cluster that is "+name, func(t *testing.T) {
			conn := connectTo(t, startCluster(t, opts), cluster.PluginUser)
			if _, err := names(conn); !IsUnimplemented(err) {
				t.Errorf("lists: %v", err)
			}
			if _, err := conn.AccessListOwners(t.Context(), "any"); !IsUnimplemented(err) {
				t.Errorf("owners: %v", err)
			}
		})
	}
}

func ruleNames(t *testing.T, conn *Conn, plugin string) ([]string, error) {
	t.Helper()
	var names []string
	err := conn.ListRules(t.Context(), plugin, func(r *rulesv1.AccessMonitoringRule) error {
		names = append(names, r.GetMetadata().GetName())
		return nil
	})
	slices.Sort(names)
	return names, err
}

func TestListRulesOfThePlugin(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	var want []string
	for i := range 120 { // two pages
		name := fmt.Sprintf("rule-%03d", i)
		plugin := "example"
		if i%3 == 0 {
			plugin = "other"
		} else {
			want = append(want, name)
		}
		if err := c.PutRule(cluster.Rule{Name: name, Condition: "true", Plugin: plugin, Recipients: []string{"r"}}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("filtered by the cluster", func(t *testing.T) {
		if got, err := ruleNames(t, connectTo(t, c, cluster.PluginUser), "example"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d rules, %v; want %d", len(got), err, len(want))
		}
	})
	t.Run("filtered here", func(t *testing.T) {
		c.FailCalls("ListAccessMonitoringRulesWithFilter", codes.Unimplemented, 0)
		defer c.SetFaults(cluster.Faults{})
		c.ResetCalls()
		conn := connectTo(t, c, cluster.PluginUser)
		for range 2 {
			if got, err := ruleNames(t, conn, "example"); err != nil || !slices.Equal(got, want) {
				t.Errorf("%d rules, %v; want %d", len(got), err, len(want))
			}
		}
		if n := c.Calls()["ListAccessMonitoringRulesWithFilter"]; n != 1 {
			t.Errorf("asked %d times for what the cluster does not know", n)
		}
	})
	t.Run("denied", func(t *testing.T) {
		c.Deny(cluster.PluginRole, types.KindAccessMonitoringRule)
		if _, err := ruleNames(t, connectTo(t, c, cluster.PluginUser), "example"); !IsDenied(err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestListRulesOfAClusterWithoutRules(t *testing.T) {
	c := startCluster(t, cluster.Options{Old: true})
	if _, err := ruleNames(t, connectTo(t, c, cluster.PluginUser), "example"); !IsUnimplemented(err) {
		t.Errorf("got %v", err)
	}
}

func TestFailuresSayWhatWasBeingDone(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	id := addRequests(t, c, 1)[0]
	conn := connectTo(t, c, cluster.PluginUser)
	c.AddFailure(cluster.Failure{Code: codes.Unavailable})
	ctx := t.Context()
	_, get := conn.GetRequest(ctx, id)
	_, data := conn.GetPluginData(ctx, types.KindAccessRequest, id, "example")
	_, review := conn.SubmitReview(ctx, id, types.AccessReview{})
	_, role := conn.RoleLogins(ctx, "r")
	_, user := conn.UserTraits(ctx, "u")
	_, rules := ruleNames(t, conn, "example")
	_, probe := conn.Probe(ctx)
	for want, err := range map[string]error{
		"reading access request " + id:                             get,
		"listing access requests":                                  conn.ListRequests(ctx, nil),
		"reading plugin data of access_request " + id:              data,
		"reading plugin data of all resources of kind access_requ": conn.AllPluginData(ctx, types.KindAccessRequest, "example", nil),
		"writing plugin data of access_request " + id:              conn.UpdatePluginData(ctx, types.KindAccessRequest, id, "example", nil, nil),
		"reviewing access request " + id:                           review,
		`reading role "r"`:                                         role,
		`reading user "u"`:                                         user,
		"listing access monitoring rules":                          rules,
		"pinging the Teleport cluster":                             conn.Ping(ctx),
		"asking the Teleport cluster for its version":              probe,
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) || !isUnavailable(err) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %q and unavailable", err, want)
		}
	}
}

func TestPredicatesTellFailuresApart(t *testing.T) {
	c := startCluster(t, cluster.Options{})
	conn := connectTo(t, c, cluster.PluginUser)
	predicates := map[string]func(error) bool{
		"denied": IsDenied, "conflict": IsConflict, "unimplemented": IsUnimplemented,
		"unavailable": isUnavailable, "not found": IsNotFound,
		"deadline": func(err error) bool { return errors.Is(err, context.DeadlineExceeded) },
		"canceled": func(err error) bool { return errors.Is(err, context.Canceled) },
	}
	for code, want := range map[codes.Code]string{
		codes.PermissionDenied: "denied", codes.FailedPrecondition: "conflict", codes.Unimplemented: "unimplemented",
		codes.Unavailable: "unavailable", codes.NotFound: "not found",
		codes.DeadlineExceeded: "deadline", codes.Canceled: "canceled", codes.Internal: "",
	} {
		c.SetFaults(cluster.Faults{Failures: []cluster.Failure{{Code: code}}})
		err := conn.Ping(t.Context())
		if err == nil {
			t.Fatalf("%s: no error", code)
		}
		for name, holds := range predicates {
			if holds(err) != (name == want) {
				t.Errorf("%s: %q is %t of %v", code, name, holds(err), err)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than a line: %q", err)
		}
	}
	if !isUnavailable(fmt.Errorf("reading: %w", io.EOF)) {
		t.Error("a stream that ended is not unavailable")
	}
}
