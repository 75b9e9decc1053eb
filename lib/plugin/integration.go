package plugin

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
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
	// Traits reads the traits of a Teleport user.
	Traits func(ctx context.Context, user string) (map[string][]string, error)
}

// Parts are what an integration is made of.
type Parts struct {
	Service integration.Service
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

// Configured is a Router that knows recipients before there is a request.
type Configured interface {
	// Configured lists the recipients that the config names, each once.
	Configured() []string
}

// Base holds the sections of the config that every plugin has.
type Base struct {
	Teleport config.Teleport `toml:"teleport"`
	Log      config.Log      `toml:"log"`
	Delivery Delivery        `toml:"delivery"`
	// TeleportUser is the author of automatic reviews.
	TeleportUser string `toml:"TeleportUser" alias:"teleport_user" doc:"Teleport user in whose name automatic reviews are submitted; by default the plugin's own"`
	// PluginType is read and ignored: the binary says what it is.
	PluginType config.Ignored `toml:"PluginType"`
}

// Common returns the base itself, for structs that embed it.
func (b *Base) Common() *Base { return b }

// DefaultBase gives the sections as they are when the file sets nothing.
func DefaultBase() Base {
	return Base{Teleport: config.DefaultTeleport(), Log: config.DefaultLog(), Delivery: DefaultDelivery()}
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
