// The program teleport-sandbox runs a Teleport cluster, the services that the
// plugins post to, and if asked the plugins themselves, all on this machine, and
// serves a page to try them on.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox"
)

// closeTime is how long open calls to the page have to end.
const closeTime = 3 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// flags are what the command line can say.
type flags struct {
	addr    string
	hosts   []string
	dir     string
	plugins []string
	ttl     time.Duration
}

// run runs a command until it is done or ctx ends, and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var f flags
	app := kingpin.New("teleport-sandbox", "A Teleport cluster and the services ("+titles()+") on this machine, to try access request plugins on.")
	app.UsageWriter(stdout).ErrorWriter(stderr)
	app.HelpFlag.Short('h')
	app.Command("version", "Print the version.")
	start := app.Command("start", "Start everything and run until Ctrl-C or SIGTERM.")
	start.Flag("addr", "Where the page is served.").Default("127.0.0.1:8080").StringVar(&f.addr)
	start.Flag("host", "A further name under which the page may be called; localhost and loopback addresses always may.").StringsVar(&f.hosts)
	start.Flag("dir", "Where the configs and identities of the plugins are written; a temporary directory if not given.").StringVar(&f.dir)
	start.Flag("plugin", "Binary of a plugin to run, named teleport-<service>, or <service>=<path>. May be repeated; twice the same runs two replicas.").StringsVar(&f.plugins)
	start.Flag("identity-ttl", "How long the identities of the plugins hold; they are renewed in time.").Default("1h").DurationVar(&f.ttl)
	if len(args) == 0 {
		app.Usage(nil)
		return 0
	}
	command, err := app.Parse(args)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "teleport-sandbox: %v; see teleport-sandbox --help\n", err)
		return 1
	case command == "version":
		fmt.Fprintln(stdout, "teleport-sandbox", plugin.Version())
		return 0
	}
	if err := serve(ctx, f, stdout); err != nil {
		fmt.Fprintf(stderr, "teleport-sandbox: %v\n", err)
		return 1
	}
	return 0
}

// titles are the names of the services as people write them.
func titles() string {
	var list []string
	for _, s := range services.All() {
		list = append(list, s.Title)
	}
	return strings.Join(list, ", ")
}

// serve runs the sandbox and its page until ctx ends.
func serve(ctx context.Context, f flags, stdout io.Writer) (err error) {
	listener, err := net.Listen("tcp", f.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("the address %s is taken by another program; choose another with --addr", f.addr)
	}
	if err != nil {
		return fmt.Errorf("listening for the page: %w", err)
	}
	defer listener.Close() //nolint:errcheck // closed by the server already, unless starting failed
	dir, remove, err := directory(f.dir)
	if err != nil {
		return err
	}
	defer remove()
	out := &lines{w: stdout}
	sb, err := sandbox.Start(sandbox.Options{Services: services.All(), IdentityTTL: f.ttl, Output: out.write})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sb.Close()) }()
	if err := prepare(sb, dir, f.plugins, out); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(f.addr)
	server := &http.Server{Handler: sb.Handler(append(f.hosts, host)...), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	out.write("sandbox", "the page is at http://"+pageHost(listener.Addr()))
	select {
	case <-ctx.Done():
		out.write("sandbox", "stopping")
	case err = <-served:
		return fmt.Errorf("serving the page: %w", err)
	}
	return errors.Join(sb.Close(), shutDown(server, served))
}

// shutDown ends the page. The streams to it have ended with the sandbox.
func shutDown(server *http.Server, served <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	<-served
	return err
}

// directory makes the directory for the configs, and says how to remove it when
// it was a temporary one.
func directory(dir string) (string, func(), error) {
	if dir == "" {
		temporary, err := os.MkdirTemp("", "teleport-sandbox-")
		if err != nil {
			return "", nil, fmt.Errorf("making a directory for the configs: %w", err)
		}
		return temporary, func() { _ = os.RemoveAll(temporary) }, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("making the directory for the configs: %w", err)
	}
	return filepath.Clean(dir), func() {}, nil
}

// prepare writes every config and starts the plugins.
func prepare(sb *sandbox.Sandbox, dir string, plugins []string, out *lines) error {
	for _, name := range sb.Services() {
		path, err := sb.WriteConfig(dir, name)
		if err != nil {
			return err
		}
		runs := slices.ContainsFunc(plugins, func(p string) bool { service, _ := sandbox.ParsePlugin(p); return service == name })
		if !runs {
			out.write("sandbox", "try "+name+" with: teleport-"+name+" start -c "+path)
		}
	}
	for _, p := range plugins {
		if err := sb.StartPlugin(p, dir); err != nil {
			return err
		}
	}
	return nil
}

// pageHost is the host and port under which this machine reaches the page.
func pageHost(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("localhost:%d", tcp.Port)
	}
	return a.String()
}

// lines writes whole lines with their source in front.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) write(source, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "[%s] %s\n", source, line)
}
