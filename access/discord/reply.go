package discord

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/request"
)

// note is a message of text alone. Its first line tells what it is about, whatever
// a stranger wrote, and it is found by that line; the rest may be refused.
type note struct {
	head, rest string
	// answers is the message of the channel that it answers, or empty.
	answers string
}

func (n note) text() string { return n.head + n.rest }

// said is how notes are written.
var said = dialect(message.ReasonLimit)

// below are lines below the first one.
func below(lines ...string) string {
	text := ""
	for _, l := range lines {
		text += "\n" + l
	}
	return text
}

// reviewNote tells one review in the thread.
func reviewNote(r request.Review) note {
	return note{head: reviewHead(r), rest: below(said.Verdict(r)...)}
}

func reviewHead(r request.Review) string {
	return fmt.Sprintf("**%s** reviewed the request on %s.", line(r.Author, 100), moment(r.Created))
}

// noticeNote tells the requester how the request ended.
func noticeNote(v request.View, s request.Status) note {
	n := note{head: noticeHead(v.ID, s), rest: below(said.Upshot(as(v, s))...)}
	if s != request.Approved { // its link is there
		n.rest += webPage(v)
	}
	return n
}

func noticeHead(id string, s request.Status) string {
	return "Your access request " + code(id, 100) + " is now **" + said.State(s) + "**."
}

// endNote tells how the request ended where its announcement cannot be changed, or
// people were reminded.
func endNote(v request.View, s request.Status) note {
	n := note{head: endHead(v.ID, s), rest: below(said.Cause(as(v, s))...)}
	if s == v.Status {
		n.rest += below(message.Decided(v, name))
	}
	n.rest += webPage(v)
	return n
}

func endHead(id string, s request.Status) string {
	return "The access request " + code(id, 100) + " is now **" + said.State(s) + "**."
}

// pendingNote says in the channel, where everybody sees it, that a request is still
// pending.
func pendingNote(e integration.Effect, v request.View) note {
	return note{head: pendingHead(e, v), rest: "\n" + message.Pending(v, name) + webPage(v)}
}

func pendingHead(e integration.Effect, v request.View) string {
	return "⏳ Access request " + code(v.ID, 100) + ", a reminder of " + moment(e.DueAt(v.Created)) + "."
}

// endingNote tells the requester that access ends.
func endingNote(e integration.Effect, v request.View) note {
	return note{head: endingHead(e, v), rest: "\n" + message.Ending(v, typed) + webPage(v)}
}

func endingHead(e integration.Effect, v request.View) string {
	return "⌛ Access request " + code(v.ID, 100) + ", a word on its end of " + moment(e.DueAt(v.Created)) + "."
}

func name(s string) string     { return line(s, 100) }
func typed(text string) string { return code(text, message.InlineLimit) }

// webPage is a line with the address of the request, if it has one.
func webPage(v request.View) string {
	if v.Link == "" || size(v.Link) > buttonURLLimit {
		return ""
	}
	return "\n" + v.Link
}

// as is a request as it was when it had a status. The reason is that of its present one.
func as(v request.View, s request.Status) request.View {
	if s != v.Status {
		v.Status, v.ResolveReason = s, ""
	}
	return v
}

// statusOf is the status that an End or a Notice tells; the request may have
// another since.
func statusOf(e integration.Effect, v request.View) request.Status {
	for _, s := range []request.Status{request.Pending, request.Approved, request.Denied, request.Promoted, request.Expired} {
		if s.Index() == e.Index {
			return s
		}
	}
	return v.Status
}

// maxLists bounds the access lists of a reminder that have a line each.
const maxLists = 20

// reminderText tells an owner of the access lists that are to be reviewed.
func reminderText(r remind.Reminder) string {
	d := dialect(message.InlineLimit)
	d.Link = func(address, _ string) string { return "<" + address + ">" } // without a preview
	return r.Text(d, maxLists, func(text string) bool { return size(text) <= contentLimit })
}

// reminderNonce names what a reminder says, so that one that is repeated at once
// is not posted twice.
func reminderNonce(r remind.Reminder, channel string) string {
	return shortNonce(fmt.Appendf(nil, "%q %q", channel, reminderText(r)))
}

// nonce names an effect in a channel, so that it does not happen twice. A request
// that was made again under the same id has a nonce of its own; so has a message
// that is posted again.
func nonce(v request.View, channel string, e integration.Effect, again string) string {
	return shortNonce(fmt.Appendf(nil, "%q %d %q %q %q", v.ID, v.Created.Unix(), channel, e, again))
}

func shortNonce(of []byte) string {
	sum := sha256.Sum256(of)
	return base64.RawURLEncoding.EncodeToString(sum[:])[:nonceLimit-1]
}
