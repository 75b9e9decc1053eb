// Package agenda says what becomes due in the life of an access request because time
// passes: a word that it is still pending, further recipients, a warning that the access
// ends. It is a pure function of the request and the config, in the cluster's time, so
// that every replica, and whoever starts later, finds the same.
package agenda

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
)

// Agenda is what the config wants to happen: three sections of it. The zero value wants
// nothing.
type Agenda struct {
	Reminders  Reminders  `toml:"reminders"`
	Escalation Escalation `toml:"escalation"`
	Grants     Grants     `toml:"grants"`
}

// Recipients lists those whom the steps add, in the order of the steps' names.
func (e Escalation) Recipients() (names []string) {
	for _, step := range slices.Sorted(maps.Keys(e)) {
		names = append(names, e[step].Recipients...)
	}
	return names
}

// Entry is one thing that becomes due.
type Entry struct {
	At time.Time
	// Index says when that is, in seconds since the request was made. It does not change
	// with the config, and names the effect.
	Index int
	// Kind is integration.Pending, integration.Ending, or empty for further recipients.
	Kind integration.Kind
	// Step is the name of the step of the escalation, and Recipients are those whom it
	// adds.
	Step       string
	Recipients []string
}

// Empty reports whether nothing ever becomes due.
func (a *Agenda) Empty() bool {
	return a == nil || len(a.Reminders.At)+len(a.Escalation)+len(a.Grants.WarnBefore) == 0
}

// Name tells an agenda from others; it is empty for none.
func (a *Agenda) Name() string {
	if a.Empty() {
		return ""
	}
	text, _ := json.Marshal(a) // texts, numbers and lists
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// Entries lists what becomes due for a request while it is in its state, in the order
// of time. Of the view it needs the state, the roles and the times.
func (a *Agenda) Entries(v request.View) (list []Entry) {
	if a.Empty() || v.Created.IsZero() {
		return nil
	}
	switch v.Status {
	case request.Pending:
		list = append(a.reminders(v), a.steps(v)...)
	case request.Approved:
		list = a.warnings(v)
	}
	for i := range list {
		list[i].Index = int(list[i].At.Sub(v.Created) / time.Second)
	}
	list = slices.DeleteFunc(list, func(e Entry) bool { return e.Index <= 0 })
	slices.SortStableFunc(list, func(a, b Entry) int { return a.At.Compare(b.At) })
	return list
}

func (a *Agenda) reminders(v request.View) (list []Entry) {
	for _, m := range a.Reminders.At {
		if at, ok := a.Reminders.Calendar.at(m, v); ok {
			list = append(list, Entry{At: at, Kind: integration.Pending})
		}
	}
	return list
}

func (a *Agenda) steps(v request.View) (list []Entry) {
	for _, name := range slices.Sorted(maps.Keys(a.Escalation)) {
		step := a.Escalation[name]
		if at, ok := step.Calendar.at(step.After, v); ok && step.concerns(v.Roles) {
			list = append(list, Entry{At: at, Step: name, Recipients: step.Recipients})
		}
	}
	return list
}

func (a *Agenda) warnings(v request.View) (list []Entry) {
	if v.AccessUntil.IsZero() {
		return nil
	}
	for _, before := range a.Grants.WarnBefore {
		if at := v.AccessUntil.Add(-time.Duration(before)); at.After(begin(v)) {
			list = append(list, Entry{At: at, Kind: integration.Ending})
		}
	}
	return list
}

// begin is when the access begins at the earliest.
func begin(v request.View) time.Time {
	if v.Start.After(v.Created) {
		return v.Start
	}
	return v.Created
}

// concerns reports whether a step is taken for a request for the given roles.
func (s *Step) concerns(roles []string) bool {
	if len(s.Roles) == 0 {
		return true
	}
	return slices.ContainsFunc(roles, func(role string) bool {
		return slices.ContainsFunc(s.Roles, func(pattern string) bool { return recipient.Matches(pattern, role) })
	})
}

// Due is what is due of an agenda at a time.
type Due struct {
	// Pending and Ending are the indices of the newest of their kind that is due, or
	// zero. What became due before that is past.
	Pending, Ending int
	// Steps are the steps of the escalation that are due.
	Steps []Entry
	// Last is the index of the newest of all, or zero.
	Last int
	// Most is how many words there can be to one recipient in all.
	Most int
	// Next is when the next one becomes due; zero stands for never.
	Next time.Time
}

// Due says what is due for a request at a time.
func (a *Agenda) Due(v request.View, now time.Time) (d Due) {
	if a != nil {
		d.Most = len(a.Reminders.At) + len(a.Grants.WarnBefore)
	}
	for _, e := range a.Entries(v) {
		if e.At.After(now) {
			d.Next = e.At
			break
		}
		d.Last = e.Index
		switch e.Kind {
		case integration.Pending:
			d.Pending = e.Index
		case integration.Ending:
			d.Ending = e.Index
		default:
			d.Steps = append(d.Steps, e)
		}
	}
	if v.Status == request.Pending && !v.Expires.IsZero() && !now.Before(v.Expires) || d.Ending > 0 && !now.Before(v.AccessUntil) {
		d.Pending, d.Ending, d.Steps = 0, 0, nil // holds no more
	}
	return d
}

// After is when the first entry after the one with an index becomes due; zero stands for
// never.
func (a *Agenda) After(v request.View, index int) time.Time {
	for _, e := range a.Entries(v) {
		if e.Index > index {
			return e.At
		}
	}
	return time.Time{}
}

// at is when a moment comes for a request that is pending, within the hours. ok is false
// if the request lapses before that, or nothing is known of when it does and the moment
// depends on that.
func (c *Calendar) at(m Moment, v request.View) (at time.Time, ok bool) {
	switch {
	case m.After > 0:
		at = v.Created.Add(m.After)
	case v.Expires.IsZero():
		return at, false
	case m.Before > 0:
		at = v.Expires.Add(-m.Before)
	default:
		left := float64(v.Expires.Sub(v.Created)) * m.Left / 100
		at = v.Expires.Add(-time.Duration(left))
	}
	if !at.After(v.Created) {
		return at, false // the request is younger than that, all of its time
	}
	at = c.Next(at)
	return at, v.Expires.IsZero() || at.Before(v.Expires)
}
