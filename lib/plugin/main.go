package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/zap"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/diag"
)

// Main runs the program of an integration and exits.
func Main(i Integration) {
	os.Exit(Run(i, os.Args[1:], os.Stdout, os.Stderr))
}

// An argument may begin with @, as the name of a user may: kingpin would read further
// arguments from a file of that name.
func init() { kingpin.EnableFileExpansion = false }

// flags are what the command line can say.
type flags struct {
	config   string
	debug    bool
	diagAddr string
	failFast bool // from the environment, for charts that ask for it

	checking checking // of the command check
}

// checking is what the command line can say to the command check.
type checking struct {
	json, send bool
	limit      time.Duration
	recipients []string
	user       string
	words      []string // what to check in place of everything: user, and a name
}

// register adds the flags of the command check.
func (c *checking) register(cmd *kingpin.CmdClause, service string) {
	cmd.Flag("json", "Print one JSON document at the end.").BoolVar(&c.json)
	cmd.Flag("send", "Post a test message to each recipient, and edit it.").BoolVar(&c.send)
	cmd.Flag("recipient", "Check this recipient too; may be repeated.").StringsVar(&c.recipients)
	cmd.Flag("timeout", "How long each check may take.").Default("10s").DurationVar(&c.limit)
	cmd.Flag("run-as", "Run by root: the user that the service runs as; by default "+service+", if there is one.").StringVar(&c.user)
	cmd.Arg("user NAME", "Say step by step who a Teleport user is at the service, in place of all checks.").StringsVar(&c.words)
	cmd.Validate(func(*kingpin.CmdClause) error {
		if c.limit <= 0 {
			return fmt.Errorf("--timeout is %v; set it to a positive time", c.limit)
		}
		return nil
	})
}

// program is the command line of a plugin, and what it says.
type program struct {
	Integration
	app *kingpin.Application
	flags
	question
	own own
}

// commandLine declares the commands and their flags.
func commandLine(i Integration, stderr io.Writer) *program {
	binary := "teleport-" + i.Name
	p := &program{Integration: i, app: kingpin.New(binary, "Carries Teleport access requests to "+i.Title+".")}
	p.app.UsageWriter(stderr).ErrorWriter(stderr)
	p.app.HelpFlag.Short('h')
	p.app.Flag("version", "Print the version, as the command version does.").Bool()
	p.app.Command("configure", "Print an example config.")
	p.app.Command("version", "Print the version.")
	start := p.app.Command("start", "Start the plugin.")
	check := p.app.Command("check", "Check the config, the connection to Teleport and to "+i.Title+", and stop.")
	explain := p.app.Command("explain", "Say who hears of an access request, why, and what was told so far.")
	preview := p.app.Command("preview", "Print what would be sent to announce an access request, and send nothing.")
	for _, cmd := range []*kingpin.CmdClause{explain, preview} {
		p.question.flags(cmd)
	}
	own, clauses := i.declare(p.app)
	p.own = own
	for _, cmd := range append(clauses, start, check, explain, preview) {
		cmd.Flag("config", "Path of the config file.").Short('c').Default("/etc/" + binary + ".toml").StringVar(&p.config)
		cmd.Flag("debug", "Log at severity debug, whatever the config says.").Short('d').BoolVar(&p.debug)
	}
	p.checking.register(check, binary)
	start.Flag("diag-addr", "Serve /healthz, /readyz and /metrics on this host:port; off by default.").StringVar(&p.diagAddr)
	start.Flag("pid-file", "Accepted for old unit files, and ignored.").Hidden().String()
	start.Flag("insecure-no-tls", "Accepted for old unit files, and ignored: nothing is served without need.").Hidden().Bool()
	return p
}

// Run runs a command of the program and returns its exit code.
func Run(i Integration, args []string, stdout, stderr io.Writer) int {
	p := commandLine(i, stderr)
	switch {
	case len(args) == 0:
		p.app.Usage(nil)
		return 0
	case args[0] == "--version":
		args = []string{"version"}
	}
	command, wrong := p.app.Parse(args)
	log, err := diag.NewLogger(diag.LogOptions{}, p.debug)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if wrong != nil {
		binary := "teleport-" + i.Name
		log.Error(wrong.Error() + "; see " + binary + " --help")
		return 1
	}
	out := &printer{w: stdout}
	code := p.run(command, args, out, stderr, log)
	if out.err != nil && command != "start" {
		log.Error("what the command prints could not be written: " + out.err.Error())
		return 1
	}
	return code
}

// run runs a command.
func (p *program) run(command string, args []string, out, stderr io.Writer, log *diag.Logger) (code int) {
	i := p.Integration
	switch command {
	case "configure":
		fmt.Fprint(out, i.Example)
	case "version":
		fmt.Fprintln(out, versionLine("teleport-"+i.Name))
	case "check":
		return checkCommands(i, p.flags, args, out, stderr, log)
	case "explain":
		return aboutCommand(i, p.flags, p.question, out, stderr, log, (*session).explain)
	case "preview":
		return aboutCommand(i, p.flags, p.question, out, stderr, log, (*session).preview)
	case "start":
		return startCommand(i, p.flags, log)
	default:
		return p.own.run(command, i, p.flags, out, stderr, log)
	}
	return 0
}

// printer keeps the first error of writing, which nobody looks at on the way.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) Write(text []byte) (int, error) {
	n, err := p.w.Write(text)
	if p.err == nil {
		p.err = err
	}
	return n, err //nolint:wrapcheck // for those who print
}

// load reads the config and logs its warnings; faults are logged one a line.
func load(i Integration, path string, log *zap.Logger) (Settings, error) {
	s := i.New()
	report, err := config.Load(path, s)
	for _, w := range report.Warnings {
		if w.Grave {
			log.Error(w.String())
			continue
		}
		log.Warn(w.String())
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// logError logs each line of an error on its own.
func logError(log *zap.Logger, err error) {
	for _, line := range strings.Split(strings.TrimSpace(err.Error()), "\n") {
		log.WithOptions(zap.AddCallerSkip(1)).Error(line)
	}
}

func startCommand(i Integration, f flags, early *diag.Logger) int {
	settings, err := load(i, f.config, early.Logger)
	if err == nil {
		f.failFast, err = failFast(os.Getenv(failFastVariable))
	}
	if err != nil {
		logError(early.Logger, err)
		return 1
	}
	log, err := openLog(diag.LogOptions(settings.Common().Log), f.debug)
	if err != nil {
		logError(early.Logger, err)
		return 1
	}
	defer log.Close() //nolint:errcheck // nobody is left to be told
	log.Debug("DEBUG logging enabled")
	// The Teleport client logs through the standard library.
	slog.SetDefault(slog.New(diag.NewSlogHandler(log.WithOptions(zap.IncreaseLevel(zap.WarnLevel)))))
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)
	d, err := newDaemon(i, f, log)
	if err == nil {
		err = d.run(context.Background(), settings, signals)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		logError(log.Logger, err)
		return 1
	}
	log.Info("The plugin has shut down")
	return 0
}

// openLog makes the log that the config describes, at stderr as long as its file cannot
// be opened: requests are to be told all the same.
func openLog(o diag.LogOptions, debug bool) (*diag.Logger, error) {
	log, err := diag.NewLoggerAnyway(o, debug)
	if err != nil {
		return nil, err
	}
	if refused := log.Refused(); refused != nil {
		log.Error("The log file cannot be opened; the log goes to stderr", zap.String("file", o.Output), zap.Error(refused))
	}
	return log, nil
}

// Serve runs an integration within this process, as the command start does, until
// the context ends and what is under way has finished.
func Serve(ctx context.Context, i Integration, configPath string, log *zap.Logger) error {
	settings, err := load(i, configPath, log)
	if err != nil {
		return err
	}
	d, err := newDaemon(i, flags{config: configPath}, &diag.Logger{Logger: log})
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	stop := context.AfterFunc(ctx, func() { signals <- syscall.SIGTERM })
	defer stop()
	return d.run(context.WithoutCancel(ctx), settings, signals)
}

// failFastVariable asks to stop where the connection is lost, for those who
// want their scheduler to start the plugin again.
const failFastVariable = "TELEPORT_PLUGIN_FAIL_FAST"

func failFast(value string) (bool, error) {
	if value == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("the environment variable %s is %q; set it to true or false, or remove it", failFastVariable, value)
	}
	return on, nil
}
