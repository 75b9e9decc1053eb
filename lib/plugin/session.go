package plugin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/rules"
	"teleport-plugins/lib/teleport"
	"teleport-plugins/lib/watch"
)

// Periods of the session's own checks.
const (
	// checkPeriod is how often the service is asked whether it knows us, and
	// recheckPeriod how often while it does not.
	checkPeriod   = 5 * time.Minute
	recheckPeriod = 30 * time.Second
	// lookPeriod is how often it is looked whether requests wait for too long.
	lookPeriod = 5 * time.Second
	// tooLong is how long a request may wait before that is a condition.
	tooLong = 2 * time.Minute
	// checkTime bounds one check of the service.
	checkTime = 10 * time.Second
	// retireTime is how long calls on a connection that was replaced may go on.
	retireTime = 15 * time.Second
)

// session is the plugin at work with one config.
type session struct {
	*daemon
	settings   Settings
	parts      Parts
	transport  *outbound.Transport
	rules      *rules.Router
	reconciler *reconcile.Reconciler
	redial     chan struct{}

	identity atomic.Pointer[teleport.Identity]
	conn     atomic.Pointer[teleport.Conn]
	info     atomic.Pointer[teleport.Info]
	retired  sync.WaitGroup
	closing  chan struct{} // closed when retired connections are to end
}

// prepare makes a session and looks whether its credentials are good. It
// refuses what only a person can mend.
func (d *daemon) prepare(ctx context.Context, settings Settings) (*session, error) {
	base := settings.Common()
	identity, err := teleport.Load(teleport.Credentials{
		Identity: base.Teleport.Identity, ClientKey: base.Teleport.ClientKey,
		ClientCert: base.Teleport.ClientCrt, RootCAs: base.Teleport.RootCAs,
	})
	if err != nil {
		return nil, err
	}
	observe := observer{d.metrics}
	s := &session{
		daemon: d, settings: settings,
		transport: outbound.NewTransport(outbound.Options{
			UserAgent: d.integration.userAgent(), Observer: observe,
		}),
		redial: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	s.identity.Store(identity)
	s.info.Store(&teleport.Info{})
	s.parts, err = settings.Build(Deps{Log: d.log.Logger, Transport: s.transport, Traits: s.traits, Note: d.health.Note})
	if err != nil {
		return nil, fmt.Errorf("setting up %s: %w", d.integration.Title, err)
	}
	err = s.ask(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("asking %s whether it accepts the credentials: %w", d.integration.Title, ctx.Err())
	case err != nil && outbound.KindOf(err) == outbound.Credentials:
		return nil, fmt.Errorf("%s does not accept the credentials: %w", d.integration.Title, err)
	}
	s.note(err)
	s.rules = rules.New(rules.Options{
		Plugin: d.integration.Name, Cluster: cluster{s}, Labels: s.labels, Note: d.health.Note, Log: d.log.Logger,
	})
	s.reconciler = reconcile.New(reconcile.Options{
		Plugin: d.integration.Name, Owner: newOwner(),
		Service: s.parts.Service, Router: recipient.First{s.rules, s.parts.Router}, Codec: s.parts.Codec,
		Cluster: cluster{s}, Decorator: newDecorator(s), Health: d.conditions, Observer: observe,
		Faults: reconcile.Faults{IsConflict: teleport.IsConflict, IsDenied: teleport.IsDenied, IsNotFound: teleport.IsNotFound},
		Log:    d.log.Logger, Place: s.place, Author: base.TeleportUser,
		Timing: timing(base.Delivery),
	})
	return s, nil
}

func timing(d Delivery) reconcile.Timing {
	return reconcile.Timing{
		CatchUp: time.Duration(d.CatchUp), Lease: time.Duration(d.Lease), Call: time.Duration(d.CallTimeout),
		Record: min(10*time.Second, time.Duration(d.Lease)/2), RetryMax: time.Duration(d.RetryMax),
		RetryMin: min(time.Second, time.Duration(d.RetryMax)),
	}
}

// newOwner makes the name of this replica: a random word, so that a process
// that was started again is another replica and waits for its own old claims.
func newOwner() string { return rand.Text()[:10] }

// check asks the service whether it accepts us, and notes what it says.
func (s *session) check(ctx context.Context) error {
	err := s.ask(ctx)
	if ctx.Err() == nil { // the end of the process says nothing of the service
		s.note(err)
	}
	return err
}

func (s *session) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	return s.parts.Service.Check(ctx)
}

func (s *session) note(err error) {
	if err != nil {
		s.conditions.Set(reconcile.ConditionService, false, err.Error())
		return
	}
	s.conditions.Set(reconcile.ConditionService, true, "")
}

// run works until the first context ends and what is under way has finished,
// for which the second one is the bound. It returns an error when it cannot go
// on.
func (s *session) run(ctx, rounds context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// The connection outlives the work, whose results are recorded over it.
	connected, disconnect := context.WithCancel(rounds)
	defer disconnect()
	s.metrics.WatchQueue(s.reconciler.Waiting, func() time.Duration {
		if since := s.reconciler.Undelivered(); !since.IsZero() {
			return time.Since(since)
		}
		return 0
	})
	var helpers, watching sync.WaitGroup
	helpers.Go(func() { s.look(ctx) })
	helpers.Go(func() { s.inspect(ctx) })
	helpers.Go(func() { s.remind(ctx, rounds) })
	if s.settings.Common().Teleport.RefreshIdentity {
		interval := time.Duration(s.settings.Common().Teleport.RefreshIdentityInterval)
		helpers.Go(func() { teleport.Watch(ctx, s.identity.Load(), interval, s.renew, s.log.Logger) })
	}
	s.metrics.CertificateExpires(s.identity.Load().NotAfter)
	watching.Go(func() {
		if err := watch.Run(connected, s.watchOptions()); err != nil {
			stop(err)
		}
	})
	s.reconciler.Run(ctx, rounds)
	helpers.Wait()
	disconnect()
	watching.Wait()
	close(s.closing)
	s.retired.Wait()
	s.transport.CloseIdle()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (s *session) watchOptions() watch.Options {
	base := s.settings.Common()
	return watch.Options{
		Plugin: s.integration.Name, Connect: s.connect, Redial: s.redial, FailFast: s.flags.failFast,
		Fatal: func(err error) bool {
			return errors.Is(err, teleport.ErrServerTooOld) || errors.Is(err, teleport.ErrAddress)
		},
		Refused: teleport.IsDenied,
		Sink:    s.reconciler, Rules: s.rules, Health: s.conditions, Observer: observer{s.metrics}, Log: s.log.Logger,
		Heartbeat: time.Duration(base.Delivery.Heartbeat), Resync: time.Duration(base.Delivery.Resync),
	}
}

// look watches over what nobody else would notice: requests that wait for too
// long, and a service that stops to know us while there is nothing to say.
func (s *session) look(ctx context.Context) {
	tick := time.NewTicker(lookPeriod)
	defer tick.Stop()
	next := time.Now().Add(recheckPeriod)
	for {
		since := s.reconciler.Undelivered()
		if late := !since.IsZero() && time.Since(since) > tooLong; late {
			s.conditions.Set(conditionDelivering, false, "a request has waited since "+since.UTC().Format(time.RFC3339)+" to be told to all of its recipients")
		} else {
			s.conditions.Set(conditionDelivering, true, "")
		}
		if time.Now().After(next) {
			next = time.Now().Add(checkPeriod)
			if err := s.check(ctx); err != nil {
				next = time.Now().Add(recheckPeriod)
				s.log.Debug("The service could not be checked", zap.Error(err))
			}
		}
		s.tellSystemd(s.systemd.Status(s.health.Status().Summary()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// inspect tells what a person should mend before the first request shows it.
func (s *session) inspect(ctx context.Context) {
	inspector, ok := s.parts.Service.(Inspector)
	if !ok {
		return
	}
	for _, fault := range inspector.Inspect(ctx) {
		if ctx.Err() == nil {
			s.log.Warn("Before the first request shows it: " + fault)
		}
	}
}

// renew takes up a new identity.
func (s *session) renew(id *teleport.Identity) {
	s.identity.Store(id)
	s.metrics.CertificateExpires(id.NotAfter)
	s.log.Info("Took up a new identity", zap.Time("expires", id.NotAfter))
	select {
	case s.redial <- struct{}{}:
	default:
	}
}

// connect dials the cluster and makes the connection the one that is used.
func (s *session) connect(ctx context.Context) (watch.Source, error) {
	clt, err := teleport.Dial(ctx, teleport.DialOptions{Addr: s.settings.Common().Teleport.Addr, Identity: s.identity.Load()})
	if err != nil {
		return nil, err
	}
	conn := teleport.NewConn(clt)
	info, err := conn.Probe(ctx)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if before := s.info.Load(); info.Warning != "" && before.Warning != info.Warning {
		s.log.Warn(info.Warning)
	}
	s.info.Store(&info)
	s.conn.Store(conn)
	s.log.Info("Connected to Teleport", zap.String("cluster", info.ClusterName), zap.String("server_version", info.ServerVersion))
	return source{conn, s}, nil
}

// source is a connection that, when another has taken its place, lets calls
// that are under way finish.
type source struct {
	*teleport.Conn
	s *session
}

// Close ends the connection, at once if it is the one in use.
func (c source) Close() error {
	if c.s.conn.Load() == c.Conn {
		return c.Conn.Close()
	}
	c.s.retired.Go(func() {
		select {
		case <-time.After(retireTime):
		case <-c.s.closing:
		}
		_ = c.Conn.Close()
	})
	return nil
}

func (s *session) place() (name, web string) {
	info := s.info.Load()
	return info.ClusterName, info.WebProxyAddr
}

// errNotConnected is the answer to calls before the first connection.
var errNotConnected = errors.New("there is no connection to Teleport yet")

func (s *session) current() (*teleport.Conn, error) {
	if conn := s.conn.Load(); conn != nil {
		return conn, nil
	}
	return nil, errNotConnected
}

func (s *session) traits(ctx context.Context, user string) (map[string][]string, error) {
	conn, err := s.current()
	if err != nil {
		return nil, err
	}
	return conn.UserTraits(ctx, user)
}

// labels reads the labels of the resources that a request is for.
func (s *session) labels(ctx context.Context, request string) ([]map[string]string, error) {
	conn, err := s.current()
	if err != nil {
		return nil, err
	}
	return rules.ClusterLabels(ctx, conn, s.info.Load().ClusterName, request)
}

// cluster makes the reconciler's calls on the connection of the moment.
type cluster struct{ s *session }

// GetRequest reads a request.
func (c cluster) GetRequest(ctx context.Context, id string) (types.AccessRequest, error) {
	conn, err := c.s.current()
	if err != nil {
		return nil, err
	}
	return conn.GetRequest(ctx, id)
}

// GetPluginData reads a record.
func (c cluster) GetPluginData(ctx context.Context, kind, resource, plugin string) (map[string]string, error) {
	conn, err := c.s.current()
	if err != nil {
		return nil, err
	}
	return conn.GetPluginData(ctx, kind, resource, plugin)
}

// UpdatePluginData changes a record.
func (c cluster) UpdatePluginData(ctx context.Context, kind, resource, plugin string, set, expect map[string]string) error {
	conn, err := c.s.current()
	if err != nil {
		return err
	}
	return conn.UpdatePluginData(ctx, kind, resource, plugin, set, expect)
}

// SubmitReview approves a request.
func (c cluster) SubmitReview(ctx context.Context, id, author, reason string) error {
	conn, err := c.s.current()
	if err != nil {
		return err
	}
	_, err = conn.SubmitReview(ctx, id, types.AccessReview{
		Author: author, ProposedState: types.RequestState_APPROVED, Reason: reason, Created: time.Now().UTC(),
	})
	return err
}

// ListRules reads the access monitoring rules that concern the plugin.
func (c cluster) ListRules(ctx context.Context, plugin string, fn func(*rulesv1.AccessMonitoringRule) error) error {
	conn, err := c.s.current()
	if err != nil {
		return err
	}
	return conn.ListRules(ctx, plugin, fn)
}

// UserTraits reads the traits of a user.
func (c cluster) UserTraits(ctx context.Context, user string) (map[string][]string, error) {
	return c.s.traits(ctx, user)
}
