package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"go.uber.org/zap"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/watch"
)

// checkOnce runs the command check as the user of the service.
func checkOnce(i Integration, f flags, args []string, stdout, stderr io.Writer, log *diag.Logger) int {
	code, done, err := checkAs(i, f, args, stdout, stderr)
	if err != nil {
		log.Error("The command check cannot be run as the user of the service", zap.Error(err))
		if f.checking.json {
			printReport(stdout, false, []check.Line{{Name: legRunAs, Result: check.Failed, Text: err.Error()}})
		}
		return 1
	}
	if done {
		return code
	}
	return checkCommand(i, f, stdout, log)
}

// checkCommand tries all that start and the first request will need, says how each
// thing went, and returns 1 if anything is wrong that they cannot do without.
func checkCommand(i Integration, f flags, stdout io.Writer, log *diag.Logger) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	c := &checker{integration: i, flags: f, log: log, run: &check.Run{Limit: f.checking.limit}}
	if !f.checking.json {
		c.run.Tell = func(l check.Line) { fmt.Fprintln(stdout, l) }
		c.run.Wait = c.run.Tell
	}
	c.all(ctx)
	ok := c.run.OK() && ctx.Err() == nil
	if f.checking.json {
		printReport(stdout, ok, c.run.Lines())
	}
	if !ok {
		return 1
	}
	return 0
}

// checkReport is what the command check prints with --json.
type checkReport struct {
	OK     bool         `json:"ok"`
	Checks []check.Line `json:"checks"`
}

func printReport(w io.Writer, ok bool, lines []check.Line) {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	_ = out.Encode(checkReport{ok, lines}) // the writer keeps the error
}

// checker is a run of the command check.
type checker struct {
	integration Integration
	flags       flags
	log         *diag.Logger
	run         *check.Run

	settings Settings
	fit      bool // the whole config is fit for use, and not the section [teleport] alone
	session  *session
	src      watch.Source // once connected
	noted    []string
}

// Legs that are named more than once: the others stand on these.
const (
	legRunAs       = "run-as"
	legIdentity    = "identity"
	legSetUp       = "set-up"
	legCredentials = "credentials"
	legConnection  = "connection"
)

// all tries everything, from the inside to the outside.
func (c *checker) all(ctx context.Context) {
	c.do(ctx, check.Leg{Name: "config", What: "config " + c.flags.config, Try: c.load})
	if c.settings == nil {
		return // nothing is known of the rest
	}
	quiet := &diag.Logger{Logger: zap.NewNop()}
	if c.flags.debug {
		quiet = c.log
	}
	d, err := newDaemon(c.integration, flags{}, quiet)
	if err != nil {
		c.do(ctx, check.Leg{Name: legSetUp, What: "set-up", Try: func(context.Context) error { return err }})
		return
	}
	c.session = d.newSession(c.settings)
	defer c.session.transport.CloseIdle()
	defer func() {
		if c.src != nil {
			_ = c.src.Close()
		}
	}()
	c.do(ctx, c.local()...)
	recipients := c.recipients()
	c.do(ctx, c.service()...)
	c.do(ctx, c.proofs(recipients)...)
	c.do(ctx, check.Leg{Name: legConnection, What: "connection to Teleport at " + c.settings.Common().Teleport.Addr, Needs: []string{legIdentity}, Try: c.connect})
	c.named()
	c.do(ctx, c.rights()...)
	named := c.rules(ctx, recipients)
	c.do(ctx, c.proofs(named)...)
	c.do(ctx, c.wayBack()...)
	c.do(ctx, c.tests(slices.Concat(recipients, named))...)
}

// do tries legs, and says after each what was noted meanwhile.
func (c *checker) do(ctx context.Context, legs ...check.Leg) {
	for _, leg := range legs {
		c.run.Do(ctx, leg)
		if c.session != nil {
			c.notes(c.session.health)
		}
	}
}

// notes says what is noted and was not said yet.
func (c *checker) notes(h *diag.Health) {
	for _, n := range h.Status().Notes {
		if text := n.Name + ": " + n.Text; !slices.Contains(c.noted, text) {
			c.noted = append(c.noted, text)
			c.run.Say(check.Line{Name: n.Name, Result: check.Noted, Text: text})
		}
	}
}

// load reads the config. Settings stay nil if not even the section [teleport] can be
// used.
func (c *checker) load(context.Context) error {
	var found check.Findings
	settings := c.integration.New()
	report, err := config.Load(c.flags.config, settings)
	for _, w := range report.Warnings {
		if w.Unknown || w.Grave { // here they are faults, whatever else there is
			found = append(found, check.Fault("config "+w.String()))
			continue
		}
		found = append(found, check.Remark("config %s", w))
	}
	faults, isConfig := errors.AsType[*config.Error](err)
	switch {
	case err == nil:
		c.settings, c.fit = settings, true
	case !isConfig:
		found = append(found, err)
	case faults.Spares("teleport"):
		c.settings = settings
	}
	if faults != nil {
		for _, p := range faults.Faults {
			found = append(found, check.Fault("config "+p.String()))
		}
	}
	if _, err := failFast(os.Getenv(failFastVariable)); err != nil {
		found = append(found, check.Fault(err.Error()))
	}
	return found
}
