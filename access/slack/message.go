package slack

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/request"
)

// Limits of Slack's messages, in characters.
const (
	// textLimit is that of the text of a section or a context.
	textLimit = 3000
	// blocksLimit keeps all blocks together below what Slack takes, which is
	// not documented and about 13,200.
	blocksLimit = 12000
	// fallbackLimit keeps a plain text below that of chat.update, which is
	// 4,000, and below the length at which Slack splits a message in two.
	fallbackLimit = 3500
)

// Our own limits, which keep a message readable and let all that it must hold fit
// into blocksLimit: the characters of one value with quotation and escapes, those
// of a value in a plain text, and how many roles and access lists have a line.
const valueLimit, shortLimit, roleLines, listLines = 1000, 100, 20, 20

// escapes are for the characters that have a meaning in Slack's markup.
var escapes = map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;"}

// likes replace the characters that make running text bold, struck out or code,
// for which Slack has no escape. An underscore stays: names are full of them, and
// nothing of ours is in italics.
var likes = map[rune]string{'*': "\u2217", '~': "\u223C", '`': "\u02CB"}

func escape(r rune) string       { return escapes[r] }
func escapeMarkup(r rune) string { return escapes[r] + likes[r] }

// markup is how messages are written, and brief how plain texts are.
var (
	markup  = message.Dialect{Label: "*", Bold: "*", Line: line, Code: code, Block: fenced, Link: address, Moment: moment}
	inBrief = message.Dialect{Line: short, Code: short}
)

// announcement is the message about a request and its state.
func announcement(v request.View) content {
	title, status := message.Title(v), strings.Join(markup.Standing(v), "\n")
	room := blocksLimit - utf8.RuneCountInString(title) - utf8.RuneCountInString(status)
	blocks := append(sections(title), sections(fieldLines(v, room)...)...)
	blocks = append(blocks, slack.NewContextBlock("", markdown(status)))
	if v.Decidable {
		blocks = append(blocks, buttons(v))
	}
	return content{text: fallback(v), blocks: blocks}
}

// fieldLines writes the fields, one a line, into the room. The roles that are too
// many for it are only counted: the reason and the link, which follow, matter
// more.
func fieldLines(v request.View, room int) []string {
	for most := roleLines; ; most-- {
		lines := markup.Fields(v, most, func(message.Field) bool { return true })
		if most == 0 || utf8.RuneCountInString(strings.Join(lines, "\n")) < room {
			return lines
		}
	}
}

// code, fenced and line are user text as it stands in a message.
func code(s string) string   { return fitted(s, message.InlineLimit, message.CodeText, escape) }
func fenced(s string) string { return fitted(s, message.ReasonLimit, message.BlockText, escape) }

// line keeps a text on one line and without markup, so that it cannot pass for
// another field.
func line(s string) string {
	return fitted(s, message.InlineLimit, message.LineText, escapeMarkup)
}

// short is line for a text of few words.
func short(s string) string { return message.LineText(s, shortLimit, escapeMarkup) }

// fitted writes at most limit characters of a text, and fewer where their
// escapes would take more room than a value may have.
func fitted(s string, limit int, write func(string, int, message.Escape) string, esc message.Escape) string {
	return message.Fit(limit, valueLimit, utf8.RuneCountInString, func(limit int) string { return write(s, limit, esc) })
}

// address is a link to a web address, or a name of ours that leads there. One that is
// too long is shown, but leads nowhere: a part of it would lead somewhere else.
func address(link, name string) string {
	if name != "" {
		name = "|" + name
	}
	if text := "<" + message.Text(link, valueLimit, escape) + name + ">"; len(link) <= valueLimit && len(text) <= valueLimit {
		return text
	}
	return code(link)
}

// moment is shown by Slack in the reader's own time zone.
func moment(at time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} at {time}|%s>", at.Unix(), at.UTC().Format(time.RFC822))
}

// fallback says the most important in one plain line.
func fallback(v request.View) string {
	text := fmt.Sprintf("%s requests %s (%s)", inBrief.Somebody(v.User), inBrief.What(v), inBrief.State(v.Status))
	if v.Reason != "" && v.Status == request.Pending {
		text += ": " + short(v.Reason)
	}
	if v.Link != "" {
		text += " " + address(v.Link, "")
	}
	return text
}

// reviewReply is the reply that tells one review.
func reviewReply(v request.View, review int) content {
	r := v.Reviews[review]
	text := markup.Strong(markup.Somebody(r.Author)) + " reviewed the request"
	if !r.Created.IsZero() {
		text += ", " + moment(r.Created)
	}
	text += ".\n" + strings.Join(markup.Verdict(r), "\n")
	return content{
		text:   fmt.Sprintf("%s reviewed the request: %s", inBrief.Somebody(r.Author), inBrief.State(r.State)),
		blocks: sections(text),
	}
}

// stateReply tells the state in the thread of a message that cannot be changed, or below
// which people were reminded.
func stateReply(v request.View) content {
	return content{text: fallback(v), blocks: sections(markup.Ended(v)...)}
}

// pendingReply says that a request is still pending. It may be shown outside the thread.
func pendingReply(v request.View) content {
	return content{text: fallback(v) + " " + message.Pending(v, short), blocks: sections(markup.Pending(v))}
}

// ending tells the requester that access ends.
func ending(v request.View) content {
	return content{text: message.Ending(v, short), blocks: sections(markup.Ending(v)...)}
}

// notice tells the requester how the request ended, and what to do with it.
func notice(v request.View) content {
	return content{text: inBrief.Answer(v), blocks: sections(markup.Notice(v)...)}
}

// reminder tells an owner of the access lists that are to be reviewed.
func reminder(r remind.Reminder) content {
	text := r.Text(markup, listLines, func(text string) bool { return utf8.RuneCountInString(text) <= blocksLimit })
	return content{text: r.Title() + ".", blocks: sections(strings.Split(text, "\n")...)}
}
