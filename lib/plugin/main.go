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
}

// register adds the flags of the command check.
func (c *checking) register(cmd *kingpin.CmdClause, service string) {
	cmd.Flag("json", "Print one JSON document at the end.").BoolVar(&c.json)
	cmd.Flag("send", "Post a test message to each recipient, and edit it.").BoolVar(&c.send)
	cmd.Flag("recipient", "Check this recipient too; may be repeated.").StringsVar(&c.recipients)
	cmd.Flag("timeout", "How long each check may take.").Default("10s").DurationVar(&c.limit)
	cmd.Flag("user", "Run by root: the user that the service runs as; by default "+service+", if there is one.").StringVar(&c.user)
	cmd.Validate(func(*kingpin.CmdClause) error {
		if c.limit <= 0 {
			return fmt.Errorf("--timeout is %v; set it to a positive time", c.limit)
		}
		return nil
	})
}

// Run runs a command of the program and returns its exit code.
func Run(i Integration, args []string, stdout, stderr io.Writer) int {
	binary := "teleport-" + i.Name
	var f flags
	app := kingpin.New(binary, "Carries Teleport access requests to "+i.Title+".")
	app.UsageWriter(stderr).ErrorWriter(stderr)
	app.HelpFlag.Short('h')
	app.Command("configure", "Print an example config.")
	app.Command("version", "Print the version.")
	start := app.Command("start", "Start the plugin.")
	check := app.Command("check", "Check the config, the connection to Teleport and to "+i.Title+", and stop.")
	for _, cmd := range []*kingpin.CmdClause{start, check} {
		cmd.Flag("config", "Path of the config file.").Short('c').Default("/etc/" + binary + ".toml").StringVar(&f.config)
		cmd.Flag("debug", "Log at severity debug, whatever the config says.").Short('d').BoolVar(&f.debug)
	}
	f.checking.register(check, binary)
	start.Flag("diag-addr", "Serve /healthz, /readyz and /metrics on this host:port; off by default.").StringVar(&f.diagAddr)
	start.Flag("pid-file", "Accepted for old unit files, and ignored.").Hidden().String()

	log, err := diag.NewLogger(diag.LogOptions{}, false)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if len(args) == 0 {
		app.Usage(nil)
		return 0
	}
	command, err := app.Parse(args)
	if err != nil {
		log.Error(err.Error() + "; see " + binary + " --help")
		return 1
	}
	switch command {
	case "configure":
		fmt.Fprint(stdout, i.Example)
		return 0
	case "version":
		fmt.Fprintln(stdout, versionLine(binary))
		return 0
	case "check":
		return checkOnce(i, f, args, stdout, stderr, log)
	}
	return startCommand(i, f, log)
}

// load reads the config and logs its warnings; faults are logged one a line.
func load(i Integration, path string, log *zap.Logger) (Settings, error) {
	s := i.New()
	report, err := config.Load(path, s)
	for _, w := range report.Warnings {
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
	log, err := diag.NewLogger(diag.LogOptions(settings.Common().Log), f.debug)
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
