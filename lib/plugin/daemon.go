package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/watch"
)

// Time budgets of the end of the process.
const (
	// drainTime is how long running steps may take to finish.
	drainTime = 15 * time.Second
	// abortTime is how long their results may take to be recorded after that.
	abortTime = 5 * time.Second
	// echoTime is how long the same signal counts as one: timeout(1) and terminals
	// send it to the process and to its group.
	echoTime = time.Second
)

// conditionDelivering holds while no request has waited for too long.
const conditionDelivering = "delivering"

// daemon is what lives as long as the process, through every reload.
type daemon struct {
	integration Integration
	flags       flags
	log         *diag.Logger
	health      *diag.Health
	conditions  *conditions
	metrics     *diag.Metrics
	server      *diag.Server // nil when it is off
	systemd     diag.Systemd
	ready       sync.Once // said that it is
	// again says that a SIGHUP came while it could not be obeyed.
	again bool
}

func newDaemon(i Integration, f flags, log *diag.Logger) (*daemon, error) {
	registry := diag.NewRegistry(i.Name, Version())
	d := &daemon{
		integration: i, flags: f, log: log,
		health:  diag.NewHealth(watch.Condition, reconcile.ConditionService, conditionDelivering),
		metrics: diag.NewMetrics(registry),
	}
	d.conditions = newConditions(d.health, log.Logger)
	d.noteLog()
	if err := d.serve(registry); err != nil {
		return nil, err
	}
	return d, nil
}

// noteLog notes that the log is not where people look for it.
func (d *daemon) noteLog() {
	text := ""
	if err := d.log.Refused(); err != nil {
		text = err.Error() + ", so that the log goes to stderr; correct that and reload"
	}
	d.health.Note("log", text)
}

func (d *daemon) serve(metrics prometheus.Gatherer) (err error) {
	if d.flags.diagAddr == "" {
		return nil
	}
	d.server, err = diag.NewServer(diag.ServerOptions{Addr: d.flags.diagAddr, Health: d.health, Metrics: metrics})
	if err == nil {
		d.log.Info("Serving health and metrics", zap.String("address", d.server.Addr().String()))
	}
	return err
}

// run works until a signal or a fault ends the process. A SIGHUP replaces the
// session by one with the new config; with a config that is no good, the old
// session goes on.
func (d *daemon) run(ctx context.Context, settings Settings, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	if d.server != nil {
		helpers.Go(func() {
			if err := d.server.Run(ctx); err != nil {
				d.log.Error("Health and metrics are not served any more", zap.Error(err))
			}
		})
	}
	helpers.Go(func() { d.tellSystemd(d.systemd.Watchdog(ctx, nil)) })
	d.log.Info(fmt.Sprintf("Starting Teleport Access %s Plugin %s:%s", d.integration.Title, version, gitref))
	s, err := d.first(ctx, settings, signals)
	for err == nil && s != nil {
		s, err = d.hold(ctx, s, signals)
	}
	return err
}

func (d *daemon) tellSystemd(err error) {
	if err != nil {
		d.log.Warn("The service manager was not told", zap.Error(err))
	}
}

// errForced says that the process ends without waiting for what is under way.
var errForced = errors.New("stopped at once, by a second signal or because the time to finish was over")

// first makes the first session. It is nil when the process was asked to end
// before that was done.
func (d *daemon) first(ctx context.Context, settings Settings, signals <-chan os.Signal) (s *session, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prepared := make(chan struct{})
	go func() {
		defer close(prepared)
		s, err = d.prepare(ctx, settings)
	}()
	for {
		select {
		case <-prepared:
			return s, err
		case sig := <-signals:
			switch sig {
			case syscall.SIGHUP:
				d.again = true
			case syscall.SIGTERM, syscall.SIGINT:
				d.stopping(sig)
				cancel()
				<-prepared
				return nil, nil
			}
		}
	}
}

// hold runs a session until it ends or is to be replaced by the next.
func (d *daemon) hold(ctx context.Context, s *session, signals <-chan os.Signal) (next *session, err error) {
	t := d.begin(ctx, s)
	defer t.end()
	for {
		select {
		case err := <-t.ended:
			return nil, err
		case next := <-t.prepared:
			t.reloading = false
			if next != nil {
				return t.handOver(next, signals)
			}
			t.keep()
		case sig := <-signals:
			switch sig {
			case syscall.SIGHUP:
				t.reload()
			case syscall.SIGTERM, syscall.SIGINT:
				d.stopping(sig)
				t.stop()
				_, err := d.drain(t.ended, t.abort, signals, &asked{sig, time.Now()})
				return nil, err
			}
		}
	}
}

// tenure is the time for which a session is at work.
type tenure struct {
	*daemon
	stop, abort func()
	load        func() *session // makes the next session
	ended       chan error
	prepared    chan *session // what came of that
	reloading   bool
}

func (d *daemon) begin(ctx context.Context, s *session) *tenure {
	t := &tenure{daemon: d, ended: make(chan error, 1), prepared: make(chan *session, 1)}
	working, stop := context.WithCancel(ctx)
	rounds, abort := context.WithCancel(context.WithoutCancel(ctx))
	t.stop, t.abort = stop, abort
	t.load = func() *session { return d.reload(working) }
	go func() { t.ended <- s.run(working, rounds) }()
	d.tellSystemd(d.systemd.Ready())
	if d.again {
		t.reload()
	}
	return t
}

func (t *tenure) end() {
	t.stop()
	if t.reloading {
		<-t.prepared
	}
	t.abort()
}

// reload begins to make the next session, or notes that one is to be made again:
// the file may have been read before it was changed.
func (t *tenure) reload() {
	if t.again = t.reloading; t.reloading {
		return
	}
	t.reloading = true
	go func() { t.prepared <- t.load() }()
}

// keep goes on with the session, since the next one could not be made.
func (t *tenure) keep() {
	if t.again {
		t.reload()
		return
	}
	t.tellSystemd(t.systemd.Ready())
}

// handOver ends the session in favour of the next, unless the process is asked to
// end meanwhile.
func (t *tenure) handOver(next *session, signals <-chan os.Signal) (*session, error) {
	t.stop()
	asked, err := t.drain(t.ended, t.abort, signals, nil)
	if err != nil || asked {
		return nil, err
	}
	t.log.Info("The config was reloaded")
	return next, nil
}

// stopping says that the process was asked to end.
func (d *daemon) stopping(sig os.Signal) {
	d.log.Info("Stopping; steps that are under way may finish", zap.Stringer("signal", sig))
	d.tellSystemd(d.systemd.Stopping())
}

// asked is the signal that asked the process to end, and when.
type asked struct {
	by os.Signal
	at time.Time
}

// again reports whether a further signal asks anew.
func (a asked) again(sig os.Signal) bool { return sig != a.by || time.Since(a.at) >= echoTime }

// drain waits for a session to finish what is under way, within bounds. It returns
// whether the process was asked to end, before or meanwhile; to be asked twice ends
// the wait.
func (d *daemon) drain(ended <-chan error, abort func(), signals <-chan os.Signal, before *asked) (bool, error) {
	patience := time.NewTimer(drainTime)
	defer patience.Stop()
	aborted := false
	for {
		select {
		case err := <-ended:
			return before != nil, err
		case sig := <-signals:
			switch {
			case sig == syscall.SIGHUP:
				d.again = true
			case sig != syscall.SIGTERM && sig != syscall.SIGINT:
			case before == nil:
				before = &asked{sig, time.Now()}
				d.stopping(sig)
			case before.again(sig):
				return true, errForced
			}
		case <-patience.C:
			if aborted {
				return before != nil, errForced
			}
			aborted = true
			d.log.Warn("Steps are still under way; they are broken off and will be looked into by the next start")
			abort()
			patience.Reset(abortTime)
		}
	}
}

// reload makes the next session from the config as it is now, or says what is
// wrong and returns nil. When the process ends meanwhile, nothing is said.
func (d *daemon) reload(ctx context.Context) *session {
	d.tellSystemd(d.systemd.Reloading())
	if err := d.log.Reopen(); err != nil {
		d.log.Error("The log file cannot be opened again; the log goes to stderr, and to the old file if there is one", zap.Error(err))
	}
	d.noteLog()
	settings, err := load(d.integration, d.flags.config, d.log.Logger)
	if err == nil {
		var s *session
		if s, err = d.prepare(ctx, settings); err == nil {
			err = d.log.SetSeverity(settings.Common().Log.Severity, d.flags.debug)
			if err == nil {
				return s
			}
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	logError(d.log.Logger, err)
	d.log.Error("The new config is not used; the old one stays in force")
	return nil
}
