package plugin

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/zap"

	"teleport-plugins/lib/agenda"
	"teleport-plugins/lib/check"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
)

// Integration is what a plugin brings to the program that runs it.
type Integration struct {
	// Name is the service's name in lower case. It names the plugin's records,
	// its binary (teleport-<name>) and its files.
	Name string
	// Title is the service's name as people write it.
	Title string
	// Example is the commented config that configure prints.
	Example string
	// UserAgent writes the name under which calls are made, where the service
	// asks for a form of its own; nil stands for teleport-<name>/<version>.
	UserAgent func(version string) string
	// New returns the config with its defaults, to be filled from a file.
	New func() Settings
	// Commands are those that only this program has.
	Commands []Command
}

// Command is a command of one program beside those that every plugin has.
type Command struct {
	Name, Help string
	// Declare declares the flags, and returns what runs the command once they were
	// read. The daemon's work, and the cluster, are not at hand there.
	Declare func(cmd *kingpin.CmdClause) func(ctx context.Context, c Invocation) error
}

// Invocation is what a Command works with.
type Invocation struct {
	// Load reads the config that the flag --config names.
	Load func() (Settings, error)
	// Deps are for the Build of the config; nothing in them asks the cluster.
	Deps Deps
	Out  io.Writer
}

// Settings is the whole config of a plugin: a pointer to a struct that embeds
// Base and adds the service's own sections.
type Settings interface {
	// Common returns the sections that every plugin has.
	Common() *Base
	// Build makes the service from the config. It makes no calls.
	Build(d Deps) (Parts, error)
}

// Deps are given to an integration.
type Deps struct {
	Log *zap.Logger
	// Transport carries all calls to the service.
	Transport *outbound.Transport
	// Note states, on the page of readiness and in the command check, what is
	// missing without harm; an empty text withdraws it. May be nil.
	Note func(name, text string)
	// Traits reads the traits of a Teleport user; one whom the cluster does not know
	// has none.
	Traits func(ctx context.Context, user string) (map[string][]string, error)
	// Names finds what people call each resource of a request, as Labels does; empty
	// where that is not known, or is its id.
	Names func(ctx context.Context, request string) ([]string, error)
	// Labels reads the labels of each resource of a request, by its id, in the order
	// of the request; those of a resource that are not known are nil.
	Labels func(ctx context.Context, request string) ([]map[string]string, error)
}

// Parts are what an integration is made of.
type Parts struct {
	Service integration.Service
	// People finds out who Teleport users are at the service; nil where nobody is told
	// or decides in person.
	People *identity.People
	// Deciders decide about pending requests beside the people.
	Deciders []integration.Decider
	// Router chooses recipients where no access monitoring rule does.
	Router integration.Router
	// Codec reads and writes the records of Teleport's own plugin.
	Codec plugindata.Codec
	// Decisions is what people may decide at the service; nil, or one that is not
	// enabled, stands for nothing. The Service is a decision.Listener where it is
	// enabled.
	Decisions *decision.Policy
	// Reminders is the config of reminders, where the Service is a
	// remind.Service too; nil stands for none.
	Reminders *Reminders
}

// Inspector is a Service that can look, without posting anything, whether it will be
// able to tell requests. The command check shows what it finds; at the start it goes to
// the log, and never stops the start.
type Inspector interface {
	// Probes are what can be looked at beside the recipients. They are named by words
	// that no other leg of the command check has.
	Probes() []check.Leg
	// Prove looks whether requests can be told to a recipient: the error says what is
	// wrong and what to do. What is missing without harm, or cannot be looked at, is a
	// check.Lack.
	Prove(ctx context.Context, recipient string) error
}

// Base holds the sections of the config that every plugin has.
type Base struct {
	Teleport config.Teleport `toml:"teleport"`
	Log      config.Log      `toml:"log"`
	Delivery Delivery        `toml:"delivery"`
	// Identity says who Teleport users are at the service.
	Identity identity.Section  `toml:"identity"`
	Routing  recipient.Routing `toml:"routing"`
	// Requester says what the person is told who made a request.
	Requester recipient.Requester `toml:"requester"`
	agenda.Agenda
	// TeleportUser is the author of automatic reviews.
	TeleportUser string `toml:"TeleportUser" alias:"teleport_user" doc:"Teleport user in whose name automatic reviews are submitted; by default the plugin's own"`
	// PluginType is read and ignored: the binary says what it is.
	PluginType config.Ignored `toml:"PluginType"`
}

// Common returns the base itself, for structs that embed it.
func (b *Base) Common() *Base { return b }

// DefaultBase gives the sections as they are when the file sets nothing.
func DefaultBase() Base {
	return Base{Teleport: config.DefaultTeleport(), Log: config.DefaultLog(), Delivery: DefaultDelivery(), Requester: recipient.DefaultRequester()}
}

// Delivery is the section [delivery]: the time budgets of the work. The
// defaults suit nearly everybody.
type Delivery struct {
	CatchUp     config.Duration `toml:"catch_up" doc:"a request that was decided before it could be announced is announced all the same if it was made within this time"`
	CallTimeout config.Duration `toml:"call_timeout" doc:"how long one call to the service may take"`
	Lease       config.Duration `toml:"lease" doc:"how long the claim of a replica that has gone silent is respected; longer than call_timeout"`
	RetryMax    config.Duration `toml:"retry_max" doc:"longest pause before a failed step is tried again"`
	Resync      config.Duration `toml:"resync" doc:"pause between two lists of all requests while the connection holds"`
	Heartbeat   config.Duration `toml:"heartbeat" doc:"pause between two signs of life from the cluster"`
}

// DefaultDelivery gives the section as it is when the file sets nothing.
func DefaultDelivery() Delivery {
	return Delivery{
		CatchUp:     config.Duration(time.Hour),
		CallTimeout: config.Duration(10 * time.Second),
		Lease:       config.Duration(30 * time.Second),
		RetryMax:    config.Duration(30 * time.Second),
		Resync:      config.Duration(10 * time.Minute),
		Heartbeat:   config.Duration(10 * time.Second),
	}
}

// Validate checks the time budgets.
func (d *Delivery) Validate(f *config.Faults) {
	for _, b := range []struct {
		key  string
		got  config.Duration
		what time.Duration
	}{
		{"call_timeout", d.CallTimeout, 100 * time.Millisecond},
		{"lease", d.Lease, 200 * time.Millisecond},
		{"retry_max", d.RetryMax, 10 * time.Millisecond},
		{"resync", d.Resync, 100 * time.Millisecond},
		{"heartbeat", d.Heartbeat, 10 * time.Millisecond},
	} {
		if time.Duration(b.got) < b.what {
			f.Add(b.key, fmt.Sprintf("%v is too short", b.got), fmt.Sprintf("write at least %v", b.what))
		}
	}
	if d.CatchUp < 0 {
		f.Add("catch_up", "the time is negative", `write a duration, as in "1h", or "0s" for none`)
	}
	if d.Lease < 2*d.CallTimeout {
		f.Add("lease", fmt.Sprintf("%v is less than twice call_timeout (%v)", d.Lease, d.CallTimeout),
			"write a longer lease, or a shorter call_timeout")
	}
}

// Allow gives calls the time that the service needs, and claims the time for that; what
// the file sets stays. A lease that is too short for it is a fault, in which the need is
// called by what.
func (d *Delivery) Allow(f *config.Faults, need config.Duration, what string) {
	d.CallTimeout = max(d.CallTimeout, need)
	switch {
	case d.Lease >= 2*d.CallTimeout:
	case f.Has("lease"):
		f.Add("lease", fmt.Sprintf("%v is less than twice %s (%v)", d.Lease, what, d.CallTimeout), "write a longer lease, or shorter timeouts")
	default:
		d.Lease = 3 * d.CallTimeout
	}
}
