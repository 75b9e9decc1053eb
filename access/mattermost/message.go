package mattermost

import (
	"cmp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// What stands in the first lines of an announcement, in the words of Teleport's own
// plugin. Tools read lines of the form **Field**: value.
const (
	title      = "*You have new pending request to review!*"
	userLabel  = "**User**: "
	rolesLabel = "**Roles**: "
	idLabel    = "**Request ID**: "
)

// maxLink bounds an address that is a link. A part of a longer one would lead somewhere
// else.
const maxLink = 1000

// maxLists bounds the access lists of a reminder that have a line each.
const maxLists = 20

// fitted writes a text with as much of each value as there is room for.
func fitted(most int, write func(d dialect) string) string {
	return message.Fit(message.ReasonLimit, most, utf8.RuneCountInString, func(limit int) string { return write(newDialect(limit)) })
}

// dialect is Mattermost's, with a limit on values.
type dialect struct {
	message.Dialect
	limit int
}

func newDialect(limit int) dialect {
	bounded := func(write func(string, int) string) func(string) string {
		return func(s string) string { return write(s, limit) }
	}
	return dialect{message.Dialect{
		Label: "**", Bold: "**", Line: bounded(line), Code: bounded(code), Block: bounded(fenced), Link: link, Moment: moment,
	}, limit}
}

// announcement is the post about a request and its state: the lines of Teleport's own
// plugin, in which what is missing leaves an empty line, and then what else is known.
func announcement(v request.View, d dialect) string {
	lines := []string{
		"", userLabel + d.Line(v.User), rolesLabel + d.Line(message.Join(v.Roles, ", ")), idLabel + d.Line(v.ID),
		d.block("Reason", v.Reason), d.Status(v), d.block("Resolution reason", v.ResolveReason),
	}
	if v.Status == request.Pending {
		lines[0] = title
	}
	lines = append(lines, d.Fields(v, 0, leads)...)
	lines = append(lines, d.Fields(v, max(d.limit/25, 1), follows)...)
	if v.Status == request.Promoted && v.AccessList != "" {
		lines = append(lines, d.Named("Access list", d.Line(v.AccessList)))
	}
	return strings.Join(lines, "\n")
}

// leads reports whether a field says where or how to decide.
func leads(f message.Field) bool {
	return f.Key == message.FieldLink || f.Key == message.FieldApprove || f.Key == message.FieldDeny
}

// follows reports whether Teleport's own plugin does not show a field. Roles are among
// what it shows, unless their logins are known.
func follows(f message.Field) bool {
	switch f.Key {
	case message.FieldID, message.FieldUser, message.FieldRoles, message.FieldReason:
		return false
	case message.FieldRole:
		return f.Also != nil
	}
	return !leads(f)
}

// block is a field with user text of several lines, or an empty line.
func (d dialect) block(label, s string) string {
	if s == "" {
		return ""
	}
	return d.Named(label, d.Block(s))
}

// line is user text on one line and without markup, where it cannot pass for a field.
func line(s string, limit int) string {
	return plain(message.LineText(s, min(limit, 2*message.InlineLimit), nil))
}

// code is user text in a fixed font.
func code(s string, limit int) string {
	return muted(message.CodeText(s, min(limit, message.InlineLimit), nil))
}

// fenced is user text in a fixed font, which begins behind a label as Teleport's own
// plugin has it. To some readers of markdown that is a part of a paragraph, which ends
// with an empty line, and where a heading, a list or the like begins: so no line is
// empty or begins with a sign.
func fenced(s string, limit int) string {
	const fence = "```"
	text := message.BlockText(s, limit, nil)
	end := strings.LastIndex(text, fence)
	lines := strings.Split(text[len(fence)+1:end], "\n")
	for i, l := range lines {
		if first, _ := utf8.DecodeRuneInString(l); !unicode.IsLetter(first) {
			lines[i] = joiner + l
		}
	}
	return muted(fence + "\n" + strings.Join(lines, "\n") + text[end:])
}

// link is a link to an address, or a name of ours that leads there.
func link(address, name string) string {
	if len(address) > maxLink || strings.ContainsAny(address, " \t\r\n()[]<>`\\|") {
		return code(address, maxLink)
	}
	return "[" + cmp.Or(name, address) + "](" + address + ")"
}

func moment(at time.Time) string { return at.UTC().Format(time.RFC822) }

// reviewReply tells one review.
func reviewReply(r request.Review, d dialect) string {
	text := d.Somebody(r.Author) + " reviewed the request"
	if !r.Created.IsZero() {
		text += " at " + moment(r.Created)
	}
	text += ".\nResolution: " + d.State(r.State) + "."
	if r.Reason != "" {
		text += "\nReason: " + d.Block(r.Reason) + "."
	}
	return text
}

// told is what tells an effect.
func told(e integration.Effect, v request.View, d dialect) string {
	switch e.Kind {
	case integration.Review:
		return reviewReply(v.Reviews[e.Index], d)
	case integration.End:
		return strings.Join(d.Ended(v), "\n")
	case integration.Notice:
		return strings.Join(d.Notice(v), "\n")
	case integration.Pending:
		return d.Pending(v)
	case integration.Ending:
		return strings.Join(d.Ending(v), "\n")
	}
	return announcement(v, d)
}
