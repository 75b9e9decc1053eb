package plugin

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/clock"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/rules"
	"teleport-plugins/lib/teleport"
	"teleport-plugins/lib/watch"
)

// Periods of the session's own checks.
const (
	// checkPeriod is how often the service is asked whether it knows us.
	checkPeriod = 5 * time.Minute
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
	decorator  *decorator
	reconciler *reconcile.Reconciler
	redial     chan struct{}
	relist     chan struct{}

	known memory[map[string][]string] // traits, by Teleport user
	clock clock.Clock                 // of the cluster

	// example is a request that does not exist, about which explain asks.
	example types.AccessRequest

	identity atomic.Pointer[teleport.Identity]
	conn     atomic.Pointer[teleport.Conn]
	info     atomic.Pointer[teleport.Info]
	retired  sync.WaitGroup
	closing  chan struct{} // closed when retired connections are to end
}

// prepare makes a session and looks whether its credentials are good. It
// refuses what only a person can put right.
func (d *daemon) prepare(ctx context.Context, settings Settings) (*session, error) {
	s := d.newSession(settings)
	if err := s.identify(); err != nil {
		return nil, err
	}
	if err := s.build(); err != nil {
		return nil, fmt.Errorf("setting up %s: %w", d.integration.Title, err)
	}
	err := s.ask(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("asking %s whether it accepts the credentials: %w", d.integration.Title, ctx.Err())
	case outbound.RefusesToken(err):
		return nil, fmt.Errorf("%s does not accept the credentials: %w", d.integration.Title, err)
	}
	s.assemble()
	s.reconciler.Checked(err)
	s.noteCheck(err)
	return s, nil
}

// router chooses recipients by the rules in the cluster, or else by the config.
func (s *session) router() recipient.First {
	return recipient.First{
		recipient.Named{Router: s.rules, Log: s.log.Logger},
		recipient.Named{Router: s.byConfig(), Log: s.log.Logger},
	}
}

// byConfig chooses recipients by the config.
func (s *session) byConfig() recipient.Routed {
	return recipient.Routed{Routing: s.settings.Common().Routing, Otherwise: s.parts.Router, Labels: s.patientLabels, Log: s.log.Logger}
}

// newSession makes a session that knows no more than its config.
func (d *daemon) newSession(settings Settings) *session {
	s := &session{
		daemon: d, settings: settings,
		transport: outbound.NewTransport(outbound.Options{
			UserAgent: d.integration.userAgent(), Observer: observer{d.metrics},
		}),
		redial: make(chan struct{}, 1), relist: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	s.decorator = newDecorator(s)
	s.info.Store(&teleport.Info{})
	return s
}

// credentials are those for the cluster.
func (s *session) credentials() teleport.Credentials {
	base := s.settings.Common().Teleport
	return teleport.Credentials{Identity: base.Identity, ClientKey: base.ClientKey, ClientCert: base.ClientCrt, RootCAs: base.RootCAs}
}

// identify reads the credentials for the cluster.
func (s *session) identify() error {
	identity, err := teleport.Load(s.credentials())
	if err == nil {
		s.identity.Store(identity)
	}
	return err
}

// build makes the service.
func (s *session) build() (err error) {
	s.parts, err = s.settings.Build(Deps{
		Log: s.log.Logger, Transport: s.transport, Traits: s.userTraits, Labels: s.labels, Names: s.names, Note: s.health.Note,
	})
	return err
}

// assemble makes what works on requests.
func (s *session) assemble() {
	s.noteAgenda()
	s.rules = rules.New(rules.Options{
		Plugin: s.integration.Name, Cluster: cluster{s}, Labels: s.labels, Note: s.health.Note, Otherwise: s.byConfig(), Log: s.log.Logger,
	})
	s.reconciler = reconcile.New(reconcile.Options{
		Plugin: s.integration.Name, Owner: newOwner(),
		Service: s.parts.Service, Deciders: s.parts.Deciders, Router: s.router(), Fallback: s.settings.Common().Routing.Fallback, Agenda: &s.settings.Common().Agenda, Requester: &s.settings.Common().Requester, Now: s.clock.Now, Codec: s.parts.Codec,
		Cluster: cluster{s}, Decorator: s.decorator, Health: health{s.conditions, s.health}, Observer: observer{s.metrics},
		Faults: reconcile.Faults{IsConflict: teleport.IsConflict, IsDenied: teleport.IsDenied, IsNotFound: teleport.IsNotFound},
		Log:    s.log.Logger, Place: s.place, Author: s.author, Decidable: s.decidable,
		Timing: timing(s.settings.Common().Delivery), Unshown: s.unshown,
	})
}

// noteAgenda states what is configured to become due by time and has no effect.
func (s *session) noteAgenda() {
	a, can := s.settings.Common().Agenda, plan.AbilitiesOf(s.parts.Service)
	_, person := s.parts.Service.(integration.Requester)
	note := func(section string, idle bool, why string) {
		text := ""
		if idle {
			text = "[" + section + "] has no effect, since " + s.integration.Title + " " + why
		}
		s.health.Note(section, text)
	}
	const alone = "does not speak to the requester alone, or is not to"
	note("grants", len(a.Grants.WarnBefore) > 0 && !can.Endings, alone)
	note("requester", s.settings.Common().Requester != recipient.DefaultRequester() && !person, alone)
	note("reminders", len(a.Reminders.At) > 0 && !can.Pendings, "has no place for them; [escalation] has one")
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
		s.reconciler.Checked(err)
		s.noteCheck(err)
	}
	return err
}

// noteCheck states what a check that failed says of the credentials, where it does
// not refuse them. Whoever refuses less than the token knows the token; any other
// answer is no evidence, and leaves the condition as it is.
func (s *session) noteCheck(err error) {
	switch {
	case err == nil || outbound.RefusesToken(err): // the reconciler states it
	case outbound.HeldBack(err): // it was not asked
	case outbound.KindOf(err) == outbound.Refused:
		s.conditions.Set(reconcile.ConditionService, true, "")
	case !outbound.Answered(err):
		s.conditions.Set(reconcile.ConditionService, false, "it did not answer the last check: "+err.Error())
	}
}

// unanswered says what the plugin waits for, unless it is answered soon.
func (s *session) unanswered(what string) (answered func() bool) {
	return time.AfterFunc(check.Patience, func() {
		s.log.Info(fmt.Sprintf("%s has not answered for %v; still waiting", what, check.Patience))
	}).Stop
}

func (s *session) ask(ctx context.Context) error {
	defer s.unanswered(s.integration.Title)()
	limited, cancel := context.WithTimeout(ctx, min(checkTime, time.Duration(s.settings.Common().Delivery.CallTimeout)))
	defer cancel()
	start := time.Now()
	s.log.Debug("Starting " + s.integration.Title + " API health check")
	err := s.parts.Service.Check(limited)
	if err == nil {
		s.log.Debug(s.integration.Title + " API health check finished ok")
	}
	if ctx.Err() == nil { // the end of the process says nothing of the service
		observer{s.metrics}.Stepped(integration.StepCheck, err, time.Since(start))
	}
	return err
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
	helpers.Go(func() { s.listen(ctx) })
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
		Plugin: s.integration.Name, Connect: s.connect, Redial: s.redial, Relist: s.relist, FailFast: s.flags.failFast,
		Fatal: func(err error) bool {
			return errors.Is(err, teleport.ErrServerTooOld) || errors.Is(err, teleport.ErrAddress)
		},
		Refused: teleport.IsDenied,
		Ready:   func() { s.ready.Do(func() { s.log.Info("Plugin is ready") }) },
		Sink:    sink{s.reconciler, &s.clock}, Rules: s.rules, Health: s.conditions, Observer: observer{s.metrics}, Log: s.log.Logger,
		Heartbeat: time.Duration(base.Delivery.Heartbeat), Resync: time.Duration(base.Delivery.Resync),
	}
}

// look watches over what nobody else would notice: requests that wait for too
// long, and a service that stops to know us while there is nothing to say. While
// it does not know us, it is asked at a growing pause.
func (s *session) look(ctx context.Context) {
	tick := time.NewTicker(lookPeriod)
	defer tick.Stop()
	next, pause := time.Now().Add(checkPeriod), lookPeriod
	for {
		since := s.reconciler.Undelivered()
		if late := !since.IsZero() && time.Since(since) > tooLong; late {
			s.conditions.Set(conditionDelivering, false, "a request has waited since "+since.UTC().Format(time.RFC3339)+" to be told to all of its recipients")
		} else {
			s.conditions.Set(conditionDelivering, true, "")
		}
		if s.reconciler.Unwell() {
			next = earlier(next, time.Now().Add(pause))
		}
		if time.Now().After(next) {
			s.proveRecords(ctx)
			if err := s.check(ctx); err != nil {
				pause = min(2*pause, checkPeriod)
				next = time.Now().Add(pause)
				s.log.Debug("The service could not be checked", zap.Error(err))
			} else {
				next, pause = time.Now().Add(checkPeriod), lookPeriod
			}
		}
		s.health.Note("clock", ahead(s.clock.Ahead()))
		s.tellSystemd(s.systemd.Status(s.health.Status().Summary()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ahead says how far this machine's clock is from the cluster's; nothing if they agree.
func ahead(by time.Duration) string {
	by = by.Round(time.Second)
	switch {
	case by > 0:
		return by.String() + " ahead of the cluster's, by which reminders and the like go: set the clock of this machine"
	case by < 0:
		return (-by).String() + " behind the cluster's, by which reminders and the like go: set the clock of this machine"
	}
	return ""
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
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

// author is the user in whose name reviews are submitted: the plugin's own, unless
// the config names another.
func (s *session) author() string {
	return cmp.Or(s.settings.Common().TeleportUser, s.identity.Load().User)
}

// unshown asks for a list of the requests, since one is not shown.
func (s *session) unshown() {
	select {
	case s.relist <- struct{}{}:
	default:
	}
}
