package cluster_test

import (
	"context"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/breaker"
	"github.com/gravitational/teleport/api/client"
	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox/cluster"
)

// patience bounds waits for what must come; it decides nothing when all is well.
const patience = 20 * time.Second

// must fails the test at once when err is not nil.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same fails the test when the two differ.
func same[V any](t testing.TB, got, want V) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func start(t testing.TB, opts cluster.Options) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Start(opts)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

func background(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// identity writes an identity file for the user.
func identity(t testing.TB, c *cluster.Cluster, user string, ttl time.Duration) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "identity")
	must(t, c.IssueIdentity(path, user, ttl))
	return path
}

func dial(t testing.TB, c *cluster.Cluster, creds client.Credentials) (*client.Client, error) {
	t.Helper()
	return client.New(background(t), client.Config{
		Addrs:                []string{c.Addr()},
		Credentials:          []client.Credentials{creds},
		CircuitBreakerConfig: breaker.NoopBreakerConfig(),
		DialTimeout:          5 * time.Second,
	})
}

// connect connects as the user, through an identity file.
func connect(t testing.TB, c *cluster.Cluster, user string) *client.Client {
	t.Helper()
	clt, err := dial(t, c, client.LoadIdentityFile(identity(t, c, user, time.Hour)))
	must(t, err)
	t.Cleanup(func() { _ = clt.Close() })
	return clt
}

func create(t testing.TB, c *cluster.Cluster, p cluster.CreateParams) string {
	t.Helper()
	if p.User == "" {
		p.User = cluster.Alice
	}
	if p.Roles == nil && p.Resources == nil {
		p.Roles = []string{"editor"}
	}
	id, err := c.CreateRequest(p)
	must(t, err)
	return id
}

func TestPing(t *testing.T) {
	c := start(t, cluster.Options{WebProxyAddr: "teleport.example.com:443", AdvancedWorkflows: true})
	pong, err := connect(t, c, cluster.PluginUser).Ping(background(t))
	must(t, err)
	same(t, pong.ClusterName, cluster.DefaultName)
	same(t, pong.ServerVersion, cluster.DefaultVersion)
	same(t, pong.ProxyPublicAddr, "teleport.example.com:443")
	same(t, pong.ServerFeatures.AdvancedAccessWorkflows, true)
}

func TestWatchTellsEveryChangeInOrder(t *testing.T) {
	c := start(t, cluster.Options{})
	w := watch(t, connect(t, c, cluster.PluginUser), types.Watch{Kinds: []types.WatchKind{{Kind: types.KindAccessRequest}}})
	same(t, confirmed(t, w), []string{types.KindAccessRequest})

	id := create(t, c, cluster.CreateParams{Reason: "please"})
	must(t, c.Review(id, cluster.Bob, types.RequestState_APPROVED, "fine"))
	must(t, c.Delete(id))

	put := next(t, w)
	same(t, put.Type, types.OpPut)
	same(t, put.Resource.GetName(), id)
	same(t, put.Resource.(types.AccessRequest).GetState(), types.RequestState_PENDING)
	same(t, next(t, w).Resource.(types.AccessRequest).GetState(), types.RequestState_APPROVED)
	gone := next(t, w)
	same(t, gone.Type, types.OpDelete)
	if _, ok := gone.Resource.(*types.ResourceHeader); !ok {
		t.Errorf("a deletion carries a %T, want only a header", gone.Resource)
	}
	same(t, gone.Resource.GetName(), id)
}

func watch(t testing.TB, clt *client.Client, what types.Watch) types.Watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	w, err := clt.NewWatcher(ctx, what)
	must(t, err)
	return w
}

// next is the next event of the watch, which must come.
func next(t testing.TB, w types.Watcher) types.Event {
	t.Helper()
	select {
	case e := <-w.Events():
		return e
	case <-w.Done():
		t.Fatalf("the watch ended: %v", w.Error())
	case <-time.After(patience):
		t.Fatal("no event came")
	}
	return types.Event{}
}

// ended waits for the end of the watch and returns its reason.
func ended(t testing.TB, w types.Watcher) error {
	t.Helper()
	select {
	case <-w.Done():
	case e := <-w.Events():
		t.Fatalf("an event came instead of the end: %v", e)
	case <-time.After(patience):
		t.Fatal("the watch did not end")
	}
	return w.Error()
}

// confirmed reads the init event and returns the kinds that it confirms.
func confirmed(t testing.TB, w types.Watcher) []string {
	t.Helper()
	e := next(t, w)
	same(t, e.Type, types.OpInit)
	var kinds []string
	for _, k := range e.Resource.(types.WatchStatus).GetKinds() {
		kinds = append(kinds, k.Kind)
	}
	return kinds
}
