package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// ShortTimes is a delivery section under which a test sees what takes half a
// minute under the defaults.
const ShortTimes = `[delivery]
call_timeout = "2s"
lease = "4s"
retry_max = "200ms"
heartbeat = "500ms"
`

// Options say what to start.
type Options struct {
	// Service names the plugin.
	Service string
	// Replicas is how many processes run; one when zero.
	Replicas int
	// Recipients is the table [role_to_recipients]; when nil, everything goes
	// to the first place of the service. Some services have no such table: there
	// the annotations of roles name the recipients.
	Recipients map[string][]string
	// Config is further TOML; ShortTimes when empty.
	Config string
	// Binaries holds other binaries for single replicas, by their number.
	Binaries map[int]string
	// Args are further arguments of start, Env further variables (NAME=value).
	Args, Env []string
	// RefreshIdentity is how often the identity file is looked at; zero leaves
	// it to the default.
	RefreshIdentity time.Duration
	// Cluster and FarEnd describe what the plugin is connected to. Shared is a
	// cluster that is there already, which belongs to the caller.
	Cluster cluster.Options
	Shared  *cluster.Cluster
	FarEnd  farend.Options
	// Review, if not nil, has the plugin offer buttons where people can press them, and
	// lets it submit reviews for everybody. It holds further keys of the section [review].
	Review map[string]any
	// Halted leaves the replicas unstarted.
	Halted bool
}

// World is a cluster, a service and the replicas of a plugin between them.
type World struct {
	Cluster *cluster.Cluster
	// ConfigPath is the config that all replicas read.
	ConfigPath string

	options  Options
	service  farend.Service
	far      farend.FarEnd
	dir      string
	replicas []*Replica
}

// Start starts a world and waits until all replicas are ready. Whatever comes of
// it, nothing is left behind once Close was called, or Start failed.
func Start(o Options) (*World, error) {
	path, err := Binary(o.Service)
	if err != nil {
		return nil, err
	}
	w := &World{options: o}
	if err := w.start(path); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *World) start(path string) (err error) {
	if w.dir, err = os.MkdirTemp("", "teleport-plugins-"); err != nil {
		return fmt.Errorf("making a directory for the config: %w", err)
	}
	if w.Cluster = w.options.Shared; w.Cluster == nil {
		if w.Cluster, err = cluster.Start(w.options.Cluster); err != nil {
			return err
		}
	}
	if w.service, err = Find(w.options.Service); err != nil {
		return err
	}
	w.far = w.service.Simulate(w.options.FarEnd)
	if err := w.far.Start(); err != nil {
		return err
	}
	if w.options.Review != nil {
		w.Cluster.AllowSubmitFor(cluster.PluginRole, "*")
	}
	if err := w.Cluster.IssueIdentity(w.Identity(), w.User(), 24*time.Hour); err != nil {
		return err
	}
	w.ConfigPath = filepath.Join(w.dir, "config.toml")
	if w.options.Recipients == nil {
		w.options.Recipients = map[string][]string{"*": w.far.Places()[:1]}
	}
	if err := w.Configure(w.options.Recipients, or(w.options.Config, ShortTimes)); err != nil {
		return err
	}
	w.describeReplicas(path)
	if w.options.Halted {
		return nil
	}
	return w.StartReplicas()
}

// describeReplicas makes the replicas, which are still to be started, of the binary
// at the path where the options name no other.
func (w *World) describeReplicas(path string) {
	args := append([]string{"start", "-c", w.ConfigPath, "--diag-addr", "127.0.0.1:0"}, w.options.Args...)
	for i := range max(w.options.Replicas, 1) {
		path := or(w.options.Binaries[i], path)
		w.replicas = append(w.replicas, &Replica{path: path, args: args, env: w.options.Env, lines: newLines()})
	}
}

// StartReplicas starts all replicas and waits until they are ready.
func (w *World) StartReplicas() error {
	for _, r := range w.replicas {
		if err := r.Start(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	for _, r := range w.replicas {
		if err := r.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Identity is the path of the identity file that the config names.
func (w *World) Identity() string { return filepath.Join(w.dir, "identity") }

// User is the Teleport user of the plugin.
func (w *World) User() string { return cluster.PluginUserOf(w.options.Service) }

// Plugin is the name under which the plugin keeps its records.
func (w *World) Plugin() string { return w.options.Service }

// Configure writes the config anew, with a table of recipients and further TOML.
// Replicas read it when they start or get a SIGHUP.
func (w *World) Configure(recipients map[string][]string, further string) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "[teleport]\naddr = %q\nidentity = %q\n", w.Cluster.Addr(), w.Identity())
	if d := w.options.RefreshIdentity; d != 0 {
		fmt.Fprintf(&text, "refresh_identity_interval = %q\n", d)
	}
	text.WriteString("\n")
	config := farend.Join(w.far.Config(), w.service.Routes(recipients), w.review())
	var more map[string]any
	if _, err := toml.Decode(further, &more); err == nil { // text that is no TOML is written as it is
		config, further = farend.Join(config, more), ""
	}
	enc := toml.NewEncoder(&text)
	enc.Indent = ""
	if err := enc.Encode(config); err != nil {
		return fmt.Errorf("writing the config: %w", err)
	}
	text.WriteString("\n" + further)
	if err := os.WriteFile(w.ConfigPath, text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing the config: %w", err)
	}
	return nil
}

// review is the section [review], if buttons are offered.
func (w *World) review() map[string]any {
	far, ok := w.far.(farend.Presser)
	if !ok || w.options.Review == nil {
		return nil
	}
	section := far.Review()
	maps.Copy(section, w.options.Review)
	return map[string]any{"review": section}
}

// Service is the simulated service.
func (w *World) Service() farend.FarEnd { return w.far }

// Methods names the calls of the service.
func (w *World) Methods() farend.Methods { return w.service.Methods }

// Person is the recipient that stands for a Teleport user, or empty where the
// service tells no users.
func (w *World) Person(user string) string { return w.far.Person(user) }

// Threads reports whether reviews are told below the announcements to a
// recipient.
func (w *World) Threads(recipient string) bool { return w.far.Threads(recipient) }

// RefuseToken makes the service refuse the token, in its own words, until accept
// is called.
func (w *World) RefuseToken() (accept func()) {
	w.far.RefuseToken(true)
	return func() { w.far.RefuseToken(false) }
}

// Refusals are the service's own codes for a place that is closed to us, as
// faults know them.
func (w *World) Refusals() []string { return w.service.Refusals }

// Adopt makes n announcements of a request at a recipient, as Teleport's own
// plugin would, and returns what that plugin records. A service that joins
// announcements of one request has one.
func (w *World) Adopt(request, recipient string, n int) (record map[string]string, err error) {
	return w.far.Adopt(w.Place(recipient), request, "You have a new Role Request:\n*ID*: "+request+"\n*Status*: ⏳ PENDING", n)
}

// Annotations are what a role needs for its requests to go to the recipients, at
// a service that is told so by annotations.
func (w *World) Annotations(recipients ...string) map[string][]string {
	return w.service.Annotations(recipients...)
}

// Replica returns one of the replicas, counted from zero.
func (w *World) Replica(i int) *Replica { return w.replicas[i] }

// Settled waits until the plugin has recorded all that it did for the requests,
// which is when it has given up its claims. A record that only Teleport's own
// plugin has written has none.
func (w *World) Settled(ctx context.Context, ids ...string) error {
	changes, stop := w.Cluster.OnChange()
	defer stop()
	for _, id := range ids {
		for !complete(w.Cluster.PluginData(id, w.Plugin())) {
			select {
			case <-changes:
			case <-ctx.Done():
				return fmt.Errorf("waiting for the record of %s, which is %q: %w", id, w.Cluster.PluginData(id, w.Plugin()), ctx.Err())
			}
		}
	}
	return nil
}

func complete(record map[string]string) bool {
	claim, claimed := record["claim"]
	return len(record) > 0 && (!claimed || strings.HasPrefix(claim, "."))
}

// Close ends the replicas at once and everything else after them.
func (w *World) Close() error {
	var errs []error
	for _, r := range w.replicas {
		if r.current() != nil {
			errs = append(errs, r.Kill())
		}
	}
	if w.far != nil {
		errs = append(errs, w.far.Close())
	}
	if w.Cluster != nil && w.options.Shared == nil {
		errs = append(errs, w.Cluster.Close())
	}
	if w.dir != "" {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}

// Replicas is how many replicas there are.
func (w *World) Replicas() int { return len(w.replicas) }
