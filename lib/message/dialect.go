package message

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"teleport-plugins/lib/request"
)

// Dialect is how a service writes what there is to say of a request: its markup, and what
// it makes of users' texts, so that they have no meaning to it. The words are the same in
// every service.
type Dialect struct {
	// Label stands on both sides of a label, and Bold on those of our own words that
	// stand out.
	Label, Bold string
	// Line writes a user's text on one line, where it cannot pass for a field.
	Line func(s string) string
	// Code writes a short text in a fixed font, and Block one of several lines.
	Code, Block func(s string) string
	// Link writes a web address; name is empty, or a word of ours that may take its
	// place.
	Link   func(address, name string) string
	Moment func(at time.Time) string
}

// maxState bounds the name of a state, which may be anybody's.
const maxState = 40

// AndMore counts what a list leaves out.
func AndMore(n int) string { return fmt.Sprintf("… and %d more", n) }

// Strong are words of ours that stand out.
func (d Dialect) Strong(words string) string { return d.Bold + words + d.Bold }

// Named is a value behind its label. A value may begin on a line of its own.
func (d Dialect) Named(label, value string) string {
	text := d.Label + label + d.Label + ":"
	if !strings.HasPrefix(value, "\n") {
		text += " "
	}
	return text + value
}

// Field writes a field, and what continues its line.
func (d Dialect) Field(f Field) string {
	text := d.Named(f.Label, d.Value(f))
	if f.Also != nil {
		text += " " + d.Field(*f.Also)
	}
	return text
}

// Value writes the value of a field.
func (d Dialect) Value(f Field) string {
	switch f.Kind {
	case Code:
		return d.Code(f.Text)
	case Block:
		return d.Block(f.Text)
	case Address:
		return d.Link(f.Text, "")
	case Moment:
		return d.Moment(f.Time)
	}
	return d.Line(f.Text)
}

// Fields writes the fields of a view that are wanted, each on a line. Of the roles that
// have a line each, so many are written and the others counted.
func (d Dialect) Fields(v request.View, roles int, wanted func(Field) bool) (lines []string) {
	fields := slices.DeleteFunc(Fields(v), func(f Field) bool { return !wanted(f) })
	seen, all := 0, 0
	for _, f := range fields {
		if f.Key == FieldRole {
			all++
		}
	}
	for _, f := range fields {
		if f.Key == FieldRole {
			seen++
		}
		switch {
		case f.Key != FieldRole || seen <= roles:
			lines = append(lines, d.Field(f))
		case seen == roles+1:
			lines = append(lines, AndMore(all-roles)+" roles")
		}
	}
	return lines
}

// State is a state with its sign.
func (d Dialect) State(s request.Status) string {
	return strings.TrimSpace(Emoji(s) + " " + d.state(s))
}

func (d Dialect) state(s request.Status) string {
	name := []rune(strings.Join(strings.Fields(string(s)), " "))
	if len(name) <= maxState {
		return d.Line(string(name))
	}
	return d.Line(string(name[:maxState])) + Truncated
}

// Status is the line that says how a request stands.
func (d Dialect) Status(v request.View) string {
	text := d.Named("Status", d.State(v.Status))
	if p := Progress(v); p != "" {
		text += " (" + p + ")"
	}
	return text
}

// Standing is the status of a request, and its cause.
func (d Dialect) Standing(v request.View) []string {
	return append([]string{d.Status(v)}, d.Cause(v)...)
}

// Cause is what there is to say of how a request came to its status.
func (d Dialect) Cause(v request.View) (lines []string) {
	if v.Status == request.Promoted && v.AccessList != "" {
		lines = append(lines, d.Named("Access list", d.Line(v.AccessList)))
	}
	if v.ResolveReason != "" {
		lines = append(lines, d.Named("Resolution reason", d.Block(v.ResolveReason)))
	}
	return lines
}

// Ended tells below the message of a request how it ended.
func (d Dialect) Ended(v request.View) []string { return append(d.Standing(v), Decided(v, d.Line)) }

// Pending is what Pending says, with the sign of the state.
func (d Dialect) Pending(v request.View) string {
	return strings.TrimSpace(Emoji(v.Status) + " " + Pending(v, d.Line))
}

// Verdict is what a review says.
func (d Dialect) Verdict(r request.Review) []string {
	lines := []string{d.Named("Decision", d.State(r.State))}
	if r.Reason != "" {
		lines = append(lines, d.Named("Reason", d.Block(r.Reason)))
	}
	return lines
}

// Somebody is a person, whose name may not be known.
func (d Dialect) Somebody(name string) string { return cmp.Or(d.Line(name), "Somebody") }

// What says what is requested.
func (d Dialect) What(v request.View) string {
	switch {
	case len(v.Resources) > 0:
		return "access to " + d.Code(Join(v.Resources, ", "))
	case len(v.Roles) > 1:
		return "roles " + d.Code(Join(v.Roles, ", "))
	case len(v.Roles) == 1:
		return "role " + d.Code(v.Roles[0])
	}
	return "access"
}

// Answer tells the requester in a sentence how the request ended.
func (d Dialect) Answer(v request.View) string {
	end := map[request.Status]string{
		request.Approved: "was " + d.Strong("approved"), request.Denied: "was " + d.Strong("denied"), request.Expired: "has " + d.Strong("expired"),
		request.Promoted: "was " + d.Strong("promoted") + " to an access list",
	}[v.Status]
	if v.Status == request.Promoted && v.AccessList != "" {
		end = "was " + d.Strong("promoted") + " to the access list " + d.Line(v.AccessList)
	}
	return "Your request for " + d.What(v) + " " + cmp.Or(end, "is now "+d.Strong(d.state(v.Status))) + "."
}

// Notice tells the requester how the request ended, and what to do with it.
func (d Dialect) Notice(v request.View) []string {
	lines := []string{strings.TrimSpace(Emoji(v.Status) + " " + d.Answer(v)), d.Named("ID", d.Code(v.ID))}
	return append(lines, d.Upshot(v)...)
}

// Upshot is what the end of a request means to the requester: why, how to use the access
// and for how long, or how to ask again.
func (d Dialect) Upshot(v request.View) (lines []string) {
	if v.ResolveReason != "" {
		lines = append(lines, d.Named("Reason", d.Block(v.ResolveReason)))
	}
	switch v.Status {
	case request.Approved:
		how := d.Code("tsh login --request-id=" + v.ID)
		if v.Link != "" {
			how += " or " + d.Link(v.Link, "")
		}
		lines = append(lines, d.Named("To use it", how))
		lines = append(lines, d.until(v)...)
	case request.Expired:
		lines = append(lines, d.Named("To ask again", d.Code(Again(v))))
	}
	return lines
}

// Ending tells the requester that access ends.
func (d Dialect) Ending(v request.View) []string {
	lines := []string{"⌛ " + Ending(v, d.Code), d.Named("ID", d.Code(v.ID)), d.Named("For", d.What(v))}
	return append(lines, d.until(v)...)
}

// until says when access ends, if that is known.
func (d Dialect) until(v request.View) []string {
	if v.AccessUntil.IsZero() {
		return nil
	}
	return []string{d.Named("Access ends", d.Moment(v.AccessUntil))}
}
