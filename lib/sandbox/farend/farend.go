package farend

import (
	"context"
	"strings"
	"time"

	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/fault"
	"teleport-plugins/lib/sandbox/panel"
	"teleport-plugins/lib/sandbox/scene"
)

// Service is a service that there is a plugin for, and how it is simulated.
type Service struct {
	// Integration is the plugin.
	plugin.Integration
	// Simulate makes the service, which does not serve yet.
	Simulate func(Options) FarEnd
	// Methods name the calls that faults are set on.
	Methods Methods
	// Refusals are the service's own codes for a place that is closed to us.
	Refusals []string
	// Annotation is that of a role which names recipients; empty where the
	// config has a table of them.
	Annotation string
	// OneLimit says that a rate limit holds for the whole account, and never for
	// one place alone.
	OneLimit bool
	// Unproven says that nothing proves the credentials but what is told: each
	// recipient has its own.
	Unproven bool
	// CanBlind says that the right to look up what was posted can be missing.
	CanBlind bool
	// CanHook says that the service can deliver presses by calls over HTTP.
	CanHook bool
	// Furnish adds to a cluster what the demonstration of the service needs
	// beyond the presets; may be nil.
	Furnish func(*cluster.Cluster)
	// SetUps are set-ups at which something is wrong that only this service has; may be
	// nil. Those that all services have in common are in access/e2e.
	SetUps func() []SetUp
	// Scenes are plays of the demonstration that only this service has.
	Scenes []scene.Scene
	// Accent and Side are colours of the service's panel: of its signs, and of
	// the list of channels.
	Accent, Side string
}

// Methods names calls of a service, as its faults and counters know them.
type Methods struct {
	// Post makes an announcement, Edit corrects one, and Find looks for one; Find
	// is empty where nothing can be looked up.
	Post, Edit, Find string
}

// Options say what a simulated service is like. The zero value is one with the
// people and places of a small firm.
type Options struct {
	// Blind takes from the plugin the right to look up what it has posted, where
	// it can be missing.
	Blind bool
	// Hook has presses delivered by calls over HTTP, where the service can do so.
	Hook bool
	// Places is how many further places there are for everybody.
	Places int
	// KeepCalls is how many calls are kept in the log; as for apiserver.NewCallLog.
	KeepCalls int
	// Demo is for demonstrations: nobody whom the presets let ask is on call.
	Demo bool
	// Outsiders says that there are people, too, who may not decide anything.
	Outsiders bool
	// Guards confine what places decide, where they can; nil leaves it all to them.
	Guards *Guards
}

// People who may not decide anything, as Press knows them. Guest is no full member
// of the service, where it has guests; Unknown is one whom the section [review] does
// not name, and Former one whom it names as a user that the cluster does not know.
const (
	Guest   = "guest@example.com"
	Unknown = "unknown@example.com"
	Former  = "former@example.com"
)

// Server is what serves a simulated service.
type Server interface {
	Start() error
	Close() error
	URL() string
	// Faults are the switches with which it is told to misbehave.
	Faults() *fault.Set
	// SetLatency changes the time that each call takes.
	SetLatency(d time.Duration)
	// Calls is how often a method was called, Counts the same for all methods, and
	// Last when one was last answered.
	Calls(method string) int
	Last(method string) time.Time
	Counts() map[string]int
	// Requests are the newest calls.
	Requests() []apiserver.Request
	// Subscribe returns a channel that gets a value after changes.
	Subscribe() (changes <-chan struct{}, end func())
	// Wait waits until done reports true, asking after each change.
	Wait(ctx context.Context, done func() bool) error
}

// FarEnd is a simulated service. A place is a channel, a direct message or
// whatever else announcements are made to.
type FarEnd interface {
	Server
	// Config is the service's own part of the plugin's config, by section,
	// without recipients. It leads here, with the token that is valid.
	Config() map[string]any
	// Token is what the service accepts and no log may show.
	Token() string
	// RenewToken replaces the token at once.
	RenewToken()
	// RefuseToken makes the service refuse the token, or take it again.
	RefuseToken(on bool)
	// Places are those that are there for everybody, at least three, as the
	// config names them.
	Places() []string
	// Place is the ID of a place that is named as in the config.
	Place(name string) string
	// Person is the recipient that stands for a Teleport user, or empty where
	// users are not told.
	Person(user string) string
	// Threads reports whether reviews are told below an announcement to a
	// recipient.
	Threads(recipient string) bool
	// Panel is what people see, with the newest messages of each place, at most
	// limit of them; zero or less means all.
	Panel(limit int) panel.Panel
	// Remove removes an announcement as a person would by hand.
	Remove(place, id string) error
	// Adopt makes n announcements of a request, with the text, at the place with
	// the ID, as Teleport's own plugin would, and returns what that one records.
	Adopt(place, request, text string, n int) (record map[string]string, err error)
}

// Switcher is a FarEnd on which people can switch something.
type Switcher interface {
	// Switch sets a switch of the panel.
	Switch(id string, on bool) error
}

// Nowhere is a recipient that exists at no service.
const Nowhere = "1199999999999999999"

// Routes is the table of recipients of a config in which a request for any role
// goes to the recipients, or nothing where annotations name them.
func (s Service) Routes(routes map[string][]string) map[string]any {
	if s.Annotation != "" {
		return nil
	}
	return map[string]any{"role_to_recipients": routes}
}

// Annotations are what a role needs for its requests to go to the recipients, at
// a service that is told so by annotations.
func (s Service) Annotations(recipients ...string) map[string][]string {
	if s.Annotation == "" {
		return nil
	}
	return map[string][]string{s.Annotation: recipients}
}

// Adopt posts n messages and returns the record in which Teleport's own plugins
// for chats name them.
func Adopt(place string, n int, post func() (id string, err error)) (record map[string]string, err error) {
	items := make([]string, 0, n)
	for range n {
		id, err := post()
		if err != nil {
			return nil, err
		}
		items = append(items, place+"/"+id)
	}
	return map[string]string{"messages": strings.Join(items, ",")}, nil
}

// Tokens are those that a simulated service takes: one at a time.
type Tokens struct {
	// Valid is the present one, and Next the one that RenewToken puts in its place.
	Valid, Next string
	// Allow makes the service take a token, Deny makes it refuse one.
	Allow, Deny func(token string)
}

// Token is what the service accepts and no log may show.
func (t *Tokens) Token() string { return t.Valid }

// RenewToken replaces the token at once.
func (t *Tokens) RenewToken() {
	t.Deny(t.Valid)
	t.Valid, t.Next = t.Next, t.Valid
	t.Allow(t.Valid)
}

// RefuseToken makes the service refuse the token, or take it again.
func (t *Tokens) RefuseToken(on bool) {
	if on {
		t.Deny(t.Valid)
	} else {
		t.Allow(t.Valid)
	}
}
