package diag

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Condition is the state of one thing that readiness depends on.
type Condition struct {
	Name   string    `json:"name"`
	OK     bool      `json:"ok"`
	Reason string    `json:"reason,omitempty"` // why not, in words
	Since  time.Time `json:"since"`            // of the last change of OK
}

// Note is something worth knowing that readiness does not depend on, such as a
// feature for which a permission is missing.
type Note struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Health keeps the conditions of a plugin. It is safe for use by several
// goroutines.
type Health struct {
	mu         sync.Mutex
	conditions []Condition
	notes      []Note
}

// NewHealth makes a Health with the given conditions, in the order in which they
// are shown. None holds until it is said to.
func NewHealth(conditions ...string) *Health {
	h := &Health{}
	for _, name := range conditions {
		h.conditions = append(h.conditions, Condition{Name: name, Reason: "starting", Since: time.Now()})
	}
	return h
}

// OK says that a condition holds.
func (h *Health) OK(condition string) { h.set(condition, true, "") }

// Fail says that a condition does not hold, and why, in words without a secret.
func (h *Health) Fail(condition, reason string) { h.set(condition, false, reason) }

// Withdraw takes a condition away, of which there is nothing to say any more.
func (h *Health) Withdraw(condition string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conditions = slices.DeleteFunc(h.conditions, func(c Condition) bool { return c.Name == condition })
}

// set adds a condition that NewHealth was not given at the end.
func (h *Health) set(name string, ok bool, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.conditions {
		c := &h.conditions[i]
		if c.Name != name {
			continue
		}
		if c.OK != ok {
			c.Since = time.Now()
		}
		c.OK, c.Reason = ok, reason
		return
	}
	h.conditions = append(h.conditions, Condition{Name: name, OK: ok, Reason: reason, Since: time.Now()})
}

// Note keeps a text under a name; the empty text removes it.
func (h *Health) Note(name, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := make([]Note, 0, len(h.notes)+1)
	found := false
	for _, n := range h.notes {
		if n.Name == name {
			found = true
			n.Text = text
		}
		if n.Text != "" {
			kept = append(kept, n)
		}
	}
	if !found && text != "" {
		kept = append(kept, Note{Name: name, Text: text})
	}
	h.notes = kept
}

// Status is a Health at one moment.
type Status struct {
	Ready      bool        `json:"ready"` // all conditions hold
	Conditions []Condition `json:"conditions"`
	Notes      []Note      `json:"notes,omitempty"`
}

// Status gives the present state.
func (h *Health) Status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Status{Ready: true, Conditions: append([]Condition{}, h.conditions...), Notes: append([]Note(nil), h.notes...)}
	for _, c := range s.Conditions {
		s.Ready = s.Ready && c.OK
	}
	return s
}

// String gives a line for each condition and note.
func (s Status) String() string {
	var b strings.Builder
	for _, c := range s.Conditions {
		word, reason := "ok", ""
		if !c.OK {
			word, reason = "failed", ": "+visible(c.Reason)
		}
		fmt.Fprintf(&b, "%-6s %s%s (since %s)\n", word, visible(c.Name), reason, c.Since.UTC().Format(time.RFC3339))
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "%-6s %s: %s\n", "note", visible(n.Name), visible(n.Text))
	}
	return b.String()
}

// Summary gives one short line for a status display: "ready", or the first
// condition that does not hold.
func (s Status) Summary() string {
	for _, c := range s.Conditions {
		if !c.OK {
			return "not " + visible(c.Name) + ": " + visible(c.Reason)
		}
	}
	return "ready"
}
