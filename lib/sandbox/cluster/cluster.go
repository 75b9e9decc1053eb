// Package cluster is a Teleport Auth Service in memory. It speaks the real
// gRPC protocol over mutual TLS, issues real identity files, and keeps the
// semantics that the plugins rely on: the watch stream, paged lists, reviews
// with thresholds, compare-and-swap of plugin data, permissions, expiry. It can
// be told to misbehave while it runs; see Faults.
//
// Programs under test connect with github.com/gravitational/teleport/api/client
// as they would to a real cluster; tests, the sandbox's page and benchmarks act
// on the same cluster through the methods of Cluster, which need no rights.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/teleport/api/utils/grpc/interceptors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	accesslistv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accesslist/v1"
	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
)

const (
	// DefaultName is the cluster's name when Options leave it empty.
	DefaultName = "sandbox.example.com"
	// DefaultVersion is the version told by Ping when Options leave it empty.
	DefaultVersion = "18.11.0"
	// OldVersion is the version told by Ping when Options ask for an old
	// cluster and name no version.
	OldVersion = "14.2.3"
)

// Options say what kind of cluster to start. The zero value is a current
// community cluster on a free loopback port.
type Options struct {
	// Name is the cluster's name; DefaultName when empty.
	Name string
	// Listen is the TCP address to listen on; 127.0.0.1:0 when empty.
	Listen string
	// WebProxyAddr is the ProxyPublicAddr told by Ping, host:port; may be empty.
	WebProxyAddr string
	// ServerVersion is told by Ping.
	ServerVersion string
	// Old makes the cluster behave as a 14.2.3 one: ListAccessRequests, access
	// lists and access monitoring rules are unknown to it.
	Old bool
	// AdvancedWorkflows is the Enterprise feature of that name. Without it
	// access lists are not implemented.
	AdvancedWorkflows bool
}

func (o Options) withDefaults() Options {
	version := DefaultVersion
	if o.Old {
		version = OldVersion
	}
	o.Name = cmp.Or(o.Name, DefaultName)
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:0")
	o.ServerVersion = cmp.Or(o.ServerVersion, version)
	return o
}

// Cluster is a running Auth Service. All methods may be called at the same time.
type Cluster struct {
	opts   Options
	gate   *gate
	calls  calls
	faults faultSet

	authority authorities

	// lifecycle guards server and closed. It is taken before mu, never after.
	lifecycle sync.Mutex
	server    *server
	closed    bool

	// mu guards everything below.
	mu          sync.RWMutex
	requests    requestStore
	pluginData  map[dataKey]*types.PluginDataV3
	dataExpiry  index[dataKey]
	users       map[string]*user
	roles       map[string]*role
	locked      map[string]bool
	resources   map[string]*index[resource]
	rules       index[*rulesv1.AccessMonitoringRule]
	lists       index[*accesslistv1.AccessList]
	listOwners  map[string][]*accesslistv1.AccessListOwner
	watchers    map[*watcher]struct{}
	subscribers map[chan struct{}]struct{}
	beforeWrite func(resource, plugin string)

	wakeReaper chan struct{}
	stopReaper context.CancelFunc
	background sync.WaitGroup
}

// Start starts a cluster and returns when it accepts connections. It runs until
// Close.
func Start(opts Options) (*Cluster, error) {
	opts = opts.withDefaults()
	tcp, err := net.Listen("tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for the sandbox cluster: %w", err)
	}
	c, err := newCluster(opts, newGate(tcp))
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stopReaper = cancel
	c.background.Add(2)
	go func() { defer c.background.Done(); c.gate.acceptAll() }()
	go func() { defer c.background.Done(); c.reap(ctx) }()
	c.server = c.serve()
	return c, nil
}

func newCluster(opts Options, g *gate) (*Cluster, error) {
	c := &Cluster{
		opts:        opts,
		gate:        g,
		requests:    newRequestStore(),
		pluginData:  make(map[dataKey]*types.PluginDataV3),
		users:       make(map[string]*user),
		roles:       make(map[string]*role),
		locked:      make(map[string]bool),
		resources:   make(map[string]*index[resource]),
		listOwners:  make(map[string][]*accesslistv1.AccessListOwner),
		watchers:    make(map[*watcher]struct{}),
		subscribers: make(map[chan struct{}]struct{}),
		wakeReaper:  make(chan struct{}, 1),
	}
	c.calls.reset()
	c.addPresets()
	if err := c.addSampleResources(); err != nil {
		return nil, err
	}
	return c, c.RotateCA()
}

// Name is the cluster's name.
func (c *Cluster) Name() string { return c.opts.Name }

// Addr is the host:port to connect to; it stays the same over Restart.
func (c *Cluster) Addr() string { return c.gate.tcp.Addr().String() }

// Close ends every connection and releases what the cluster holds. It waits for
// everything it started; closing twice does nothing.
func (c *Cluster) Close() error {
	c.Stop()
	c.lifecycle.Lock()
	wasClosed := c.closed
	c.closed = true
	c.lifecycle.Unlock()
	if wasClosed {
		return nil
	}
	c.stopReaper()
	err := c.gate.close()
	c.background.Wait()
	return err
}

// Restart behaves as a restart of the Auth Service does: every connection is
// cut, a new server answers on the same address, all data is still there.
func (c *Cluster) Restart() error {
	c.Stop()
	return c.Resume()
}

// Stop cuts every connection and resets new ones until Resume, with all data
// kept. The port stays reserved meanwhile, so that no other process gets it.
func (c *Cluster) Stop() {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	if c.server == nil {
		return
	}
	c.gate.setBackend(nil)
	c.gate.cut()
	c.server.stop()
	c.server = nil
}

// Resume answers connections again after Stop. On a running cluster it does
// nothing; on a closed one it is an error.
func (c *Cluster) Resume() error {
	c.lifecycle.Lock()
	defer c.lifecycle.Unlock()
	switch {
	case c.closed:
		return errors.New("the sandbox cluster is closed")
	case c.server == nil:
		c.server = c.serve()
	}
	return nil
}

// server is one run of the gRPC server between Start or Resume and Stop.
type server struct {
	grpc *grpc.Server
	done chan struct{}
}

func (s *server) stop() {
	s.grpc.Stop()
	<-s.done
}

func (c *Cluster) serve() *server {
	s := &server{grpc: c.newGRPC(), done: make(chan struct{})}
	backend := newBackend(c.gate.tcp.Addr())
	go func() {
		defer close(s.done)
		// The only error is the end of the listener, which Stop brings about.
		_ = s.grpc.Serve(backend)
	}()
	c.gate.setBackend(backend)
	return s
}

func (c *Cluster) newGRPC() *grpc.Server {
	s := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(c.authority.serverTLS())),
		// A client may ask for a sign of life more often than gRPC's default
		// of five minutes permits; the real service is as lenient.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
		grpc.ChainUnaryInterceptor(c.disturbUnary, interceptors.GRPCServerUnaryErrorInterceptor, c.authenticateUnary),
		grpc.ChainStreamInterceptor(c.disturbStream, interceptors.GRPCServerStreamErrorInterceptor, c.authenticateStream),
	)
	c.register(s)
	return s
}
