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
type note struct{ head, rest string }

func (n note) text() string { return n.head + n.rest }

// reviewNote tells one review in the thread.
func reviewNote(r request.Review) note {
	n := note{reviewHead(r), "\n*Decision*: " + stateText(r.State)}
	if r.Reason != "" {
		n.rest += "\n*Reason*: " + message.BlockText(r.Reason, message.ReasonLimit, nil)
	}
	return n
}

func reviewHead(r request.Review) string {
	return fmt.Sprintf("**%s** reviewed the request on %s.", line(r.Author, 100), moment(r.Created))
}

// noticeNote tells the requester how the request ended.
func noticeNote(v request.View, s request.Status) note {
	return note{noticeHead(v.ID, s), outcome(v, s)}
}

func noticeHead(id string, s request.Status) string {
	return "Your access request " + code(id, 100) + " is now **" + stateText(s) + "**."
}

// endNote tells how the request ended where its announcement cannot be changed.
func endNote(v request.View, s request.Status) note { return note{endHead(v.ID, s), outcome(v, s)} }

func endHead(id string, s request.Status) string {
	return "The access request " + code(id, 100) + " is now **" + stateText(s) + "**."
}

// outcome is what there is to say of the end beside the status.
func outcome(v request.View, s request.Status) string {
	out := ""
	if v.ResolveReason != "" && s == v.Status {
		out += "\n*Reason*: " + message.BlockText(v.ResolveReason, message.ReasonLimit, nil)
	}
	if v.Link != "" && size(v.Link) <= buttonURLLimit {
		out += "\n" + v.Link
	}
	return out
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

// reminderText tells an owner of the access lists that are to be reviewed.
func reminderText(r remind.Reminder) string {
	out := "**" + r.Title() + "**"
	for i, l := range r.Lists {
		text := "\n- " + line(l.Title, message.InlineLimit) + ": " + l.When(r.Now)
		if l.Link != "" {
			text += " <" + l.Link + ">"
		}
		rest := fmt.Sprintf("\n… and %d more", len(r.Lists)-i)
		if r.Link != "" {
			rest += ": <" + r.Link + ">"
		}
		if size(out)+size(text)+size(rest) > contentLimit {
			return out + rest
		}
		out += text
	}
	return out
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
