package sandbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/journal"
)

// DefaultIdentityTTL is how long the identities of the plugins hold when the
// Options do not say.
const DefaultIdentityTTL = time.Hour

// Options say what to start. The zero value is a current cluster with the
// people, roles and resources of a small firm, and no service.
type Options struct {
	// Services are simulated.
	Services []farend.Service
	// Cluster describes the Auth Service. WebProxyAddr is
	// teleport.example.com:443 when empty.
	Cluster cluster.Options
	// IdentityTTL is how long an identity of WriteConfig holds; it is renewed
	// when two fifths of the time are over. DefaultIdentityTTL when zero.
	IdentityTTL time.Duration
	// Output is called with each line that a plugin writes, and with what
	// becomes of the plugins; by one goroutine at a time. Nil drops them.
	Output func(source, line string)
}

// service is a simulated service.
type service struct {
	farend.Service
	farend.FarEnd
}

// Sandbox is a running sandbox. Its methods may be called at the same time.
type Sandbox struct {
	opts     Options
	instance string
	cluster  *cluster.Cluster
	services []service
	changes  *hub
	plugins  *plugins
	story    *journal.Journal
	stage    stage

	mu sync.Mutex
	// identities holds the user of each identity file that is kept renewed.
	identities map[string]string
	denied     []Denial

	counting sync.Mutex // guards counted
	counted  Tally

	stop       context.CancelFunc
	background sync.WaitGroup
	closing    sync.Once
	closed     error
}

// Start starts the cluster and the services; they run until Close.
func Start(opts Options) (*Sandbox, error) {
	opts.Cluster.WebProxyAddr = cmp.Or(opts.Cluster.WebProxyAddr, "teleport.example.com:443")
	opts.IdentityTTL = cmp.Or(opts.IdentityTTL, DefaultIdentityTTL)
	if opts.IdentityTTL < 0 {
		return nil, fmt.Errorf("identities cannot hold for %s; give a positive time", opts.IdentityTTL)
	}
	if opts.Output == nil {
		opts.Output = func(string, string) {}
	}
	c, err := cluster.Start(opts.Cluster)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Sandbox{opts: opts, cluster: c, changes: newHub(), identities: make(map[string]string), stop: cancel, instance: rand.Text()}
	s.story = journal.New(storySize)
	s.plugins = newPlugins(s)
	for _, v := range opts.Services {
		s.services = append(s.services, service{v, v.Simulate(farend.Options{Demo: true})})
	}
	if err := s.furnish(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for _, v := range s.services {
		if err := v.Start(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.watch(ctx)
	s.background.Go(func() { s.renew(ctx) })
	s.background.Go(s.storyteller(ctx))
	s.background.Go(func() { s.watchReadiness(ctx) })
	return s, nil
}

// Close ends the plugins first, so that they can finish their work, and then
// everything else. It waits for all that the sandbox started.
func (s *Sandbox) Close() error {
	s.closing.Do(func() {
		s.stage.close()
		s.plugins.close()
		s.stop()
		s.changes.close()
		s.background.Wait()
		errs := make([]error, 0, len(s.services)+1)
		for _, v := range s.services {
			errs = append(errs, v.Close())
		}
		s.closed = errors.Join(append(errs, s.cluster.Close())...)
	})
	return s.closed
}

// Cluster is the Auth Service.
func (s *Sandbox) Cluster() *cluster.Cluster { return s.cluster }

// Services are the names of the simulated services, for WriteConfig.
func (s *Sandbox) Services() []string {
	names := make([]string, 0, len(s.services))
	for _, v := range s.services {
		names = append(names, v.Name)
	}
	return names
}

// FarEnd is a simulated service.
func (s *Sandbox) FarEnd(service string) (farend.FarEnd, error) {
	v, err := s.service(service)
	return v.FarEnd, err
}

func (s *Sandbox) service(name string) (service, error) {
	i := slices.IndexFunc(s.services, func(v service) bool { return v.Name == name })
	if i < 0 {
		return service{}, notFound("there is no service %q; there are %s", name, strings.Join(s.Services(), ", "))
	}
	return s.services[i], nil
}

// watch passes the changes of every part on to whoever watches the sandbox.
func (s *Sandbox) watch(ctx context.Context) {
	follow := func(changes <-chan struct{}, end func()) {
		s.background.Go(func() {
			defer end()
			for {
				select {
				case <-changes:
					s.changes.tell()
				case <-ctx.Done():
					return
				}
			}
		})
	}
	follow(s.cluster.OnChange())
	for _, v := range s.services {
		follow(v.Subscribe())
	}
}

// Wait returns once done reports true; it is asked at once and after each change
// of any part. The error is the context's.
func (s *Sandbox) Wait(ctx context.Context, done func() bool) error {
	changes, end := s.changes.Subscribe()
	defer end()
	for !done() {
		select {
		case <-changes:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the sandbox: %w", ctx.Err())
		}
	}
	return nil
}

// People, roles and resources that the page offers.
var (
	people = []string{cluster.Alice, cluster.Bob, cluster.Carol, cluster.Dave}
	roles  = []string{"demo-role", "db-admin", "prod-admin", "editor"}
)

func resources() []cluster.ResourceSpec {
	return []cluster.ResourceSpec{
		{Kind: types.KindNode, Name: "3f9d2b6e-5a0c-4c1e-9a57-0b8c6d1f2a10", Friendly: "web-1", Labels: map[string]string{"env": "prod"}},
		{Kind: types.KindNode, Name: "8a1e4c70-2d3b-4f6a-8e19-5c7d9b0a3f42", Friendly: "web-2", Labels: map[string]string{"env": "staging"}},
		{Kind: types.KindDatabase, Name: "payments-postgres", Labels: map[string]string{"env": "prod"}},
		{Kind: types.KindApp, Name: "grafana", Labels: map[string]string{"team": "platform"}},
		{Kind: types.KindKubernetesCluster, Name: "prod-eu", Labels: map[string]string{"env": "prod"}},
	}
}

// furnish adds what the presets of the cluster leave out.
func (s *Sandbox) furnish() error {
	s.cluster.AllowSubmitFor(cluster.PluginRole, "*")
	for _, v := range s.services {
		if v.Furnish != nil {
			v.Furnish(s.cluster)
		}
	}
	for _, r := range resources() {
		if err := s.cluster.AddResource(r); err != nil {
			return fmt.Errorf("filling the sandbox cluster: %w", err)
		}
	}
	return nil
}
