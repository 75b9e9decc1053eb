package plugin

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/zap"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// own are the commands that only one program has, by name.
type own map[string]func(ctx context.Context, c Invocation) error

// declare adds the commands of an integration. It returns them, and where they are
// declared.
func (i Integration) declare(app *kingpin.Application) (own, []*kingpin.CmdClause) {
	commands, clauses := make(own), []*kingpin.CmdClause(nil)
	for _, c := range i.Commands {
		clause := app.Command(c.Name, c.Help)
		commands[c.Name] = c.Declare(clause)
		clauses = append(clauses, clause)
	}
	return commands, clauses
}

// run runs a command, and returns the exit code.
func (o own) run(name string, i Integration, f flags, out, stderr io.Writer, log *diag.Logger) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log = warnings(f, log)
	transport := outbound.NewTransport(outbound.Options{UserAgent: i.userAgent()})
	defer transport.CloseIdle()
	err := o[name](ctx, Invocation{
		Load: func() (Settings, error) { return load(i, f.config, log.Logger) },
		Deps: Deps{Log: log.Logger, Transport: transport},
		Out:  out,
	})
	return ended(stderr, err)
}

// warnings is the log of a command that prints its answer: of what leads to it only
// warnings, unless somebody wants to know more.
func warnings(f flags, log *diag.Logger) *diag.Logger {
	if f.debug {
		return log
	}
	return &diag.Logger{Logger: log.WithOptions(zap.IncreaseLevel(zap.WarnLevel))}
}

// ended prints why a command has no answer, and returns its exit code.
func ended(stderr io.Writer, err error) (code int) {
	if err == nil {
		return 0
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(stderr, message.Line(line))
	}
	return 1
}
