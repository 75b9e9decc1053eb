// Package scene provides scenes: short plays in which something breaks in a sandbox, and
// people see what comes of it. They are data, which the sandbox shows and plays.
package scene

import (
	"time"

	"teleport-plugins/lib/sandbox/fault"
)

// Scene is a play of a few steps.
type Scene struct {
	// Name tells the scene apart from the others of its service.
	Name string `json:"name"`
	// Title is what it is about, and Sentence what it shows.
	Title    string `json:"title"`
	Sentence string `json:"sentence"`
	Steps    []Step `json:"steps"`
	// Plugin says that the sandbox must run the plugin of the service itself.
	Plugin bool `json:"plugin,omitempty"`
}

// Step is one thing that happens. What is set of it is done in the order of the fields;
// then the step waits for what it names, and for its time.
type Step struct {
	// Says is the step in words.
	Says string `json:"says"`

	// Action is one of the sandbox's actions, and Refuse has the cluster refuse new
	// connections.
	Action string `json:"action,omitempty"`
	Refuse bool   `json:"refuse,omitempty"`
	// Fault is set on the service; Heal ends all that the scene has set before.
	Fault *fault.Fault `json:"fault,omitempty"`
	Heal  bool         `json:"heal,omitempty"`
	// Replicas is how many plugins of the service run from now on, if it is not zero.
	Replicas int     `json:"replicas,omitempty"`
	Switch   *Switch `json:"switch,omitempty"`
	Ask      *Ask    `json:"ask,omitempty"`
	Review   *Review `json:"review,omitempty"`
	Press    *Press  `json:"press,omitempty"`
	// Begun waits until some of what was asked is announced, and not all. Kill then
	// kills the first plugin of the service.
	Begun bool `json:"begun,omitempty"`
	Kill  bool `json:"kill,omitempty"`

	// Seconds pass.
	Seconds float64 `json:"seconds,omitempty"`
	// Missing waits until a message is missing, and Told until none is, nor doubled nor
	// stale.
	Missing bool `json:"missing,omitempty"`
	Told    bool `json:"told,omitempty"`
	// Approved waits until all that was asked is approved.
	Approved bool `json:"approved,omitempty"`
	// Ready waits until each plugin of the service says that it is ready.
	Ready bool `json:"ready,omitempty"`
}

// Time is how long the step lasts beyond what it waits for.
func (s Step) Time() time.Duration { return time.Duration(s.Seconds * float64(time.Second)) }

// Switch sets a switch of the service.
type Switch struct {
	ID string `json:"id"`
	On bool   `json:"on"`
}

// Ask makes requests.
type Ask struct {
	User   string `json:"user"`
	Role   string `json:"role"`
	Reason string `json:"reason"`
	// Suggest are the suggested reviewers.
	Suggest []string `json:"suggest,omitempty"`
	// Times is how many there are, one if zero. Every is the pause between them, in
	// milliseconds.
	Times int `json:"times,omitempty"`
	Every int `json:"every,omitempty"`
}

// Review approves all that was asked.
type Review struct {
	Author string `json:"author"`
	Reason string `json:"reason"`
}

// Press presses the button that approves the newest request.
type Press struct {
	Person string `json:"person"`
	Reason string `json:"reason"`
}
