package slack

import (
	"cmp"
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

// announcement is the message about a request and its state.
func announcement(v request.View) content {
	title, status := message.Title(v), statusText(v)
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
	fields := message.Fields(v)
	for most := roleLines; ; most-- {
		var lines []string
		roles := 0
		for _, f := range fields {
			if f.Key == message.FieldRole {
				roles++
			}
			switch {
			case f.Key != message.FieldRole || roles <= most:
				lines = append(lines, fieldText(f))
			case roles == most+1:
				lines = append(lines, andMore(len(v.Roles)-most))
			}
		}
		if most == 0 || utf8.RuneCountInString(strings.Join(lines, "\n")) < room {
			return lines
		}
	}
}

func andMore(n int) string { return fmt.Sprintf("… and %d more", n) }

func fieldText(f message.Field) string {
	text := "*" + f.Label + "*: "
	switch f.Kind {
	case message.Code:
		text += code(f.Text)
	case message.Block:
		text += fenced(f.Text)
	case message.Address:
		text += address(f.Text)
	case message.Moment:
		text += moment(f.Time)
	default:
		text += line(f.Text)
	}
	if f.Also != nil {
		text += " " + fieldText(*f.Also)
	}
	return text
}

// code, fenced and line are user text as it stands in a message.
func code(s string) string   { return fitted(s, message.InlineLimit, message.CodeText, escape) }
func fenced(s string) string { return fitted(s, message.ReasonLimit, message.BlockText, escape) }

// line keeps a text on one line and without markup, so that it cannot pass for
// another field.
func line(s string) string {
	return fitted(oneLine(s), message.InlineLimit, message.Text, escapeMarkup)
}

// short is line for a text of few words.
func short(s string) string { return message.Text(oneLine(s), shortLimit, escapeMarkup) }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// fitted writes at most limit characters of a text, and fewer where their
// escapes would take more room than a value may have.
func fitted(s string, limit int, write func(string, int, message.Escape) string, esc message.Escape) string {
	out := write(s, limit, esc)
	for utf8.RuneCountInString(out) > valueLimit {
		limit /= 2
		out = write(s, limit, esc)
	}
	return out
}

// address is a link to a web address. One that is too long is shown, but leads
// nowhere: a part of it would lead somewhere else.
func address(link string) string { return named(link, "") }

// named is address with a name of ours in its place.
func named(link, name string) string {
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

func stateText(s request.Status) string {
	return strings.TrimSpace(message.Emoji(s) + " " + message.Text(string(s), 40, escape))
}

func statusText(v request.View) string {
	text := "*Status*: " + stateText(v.Status)
	if p := message.Progress(v); p != "" {
		text += " (" + p + ")"
	}
	if v.Status == request.Promoted && v.AccessList != "" {
		text += "\n*Access list*: " + line(v.AccessList)
	}
	if v.ResolveReason != "" {
		text += "\n*Resolution reason*: " + fenced(v.ResolveReason)
	}
	return text
}

// fallback says the most important in one plain line.
func fallback(v request.View) string {
	text := fmt.Sprintf("%s requests %s (%s)", somebody(short(v.User)), what(v, short), stateText(v.Status))
	if v.Reason != "" && v.Status == request.Pending {
		text += ": " + short(v.Reason)
	}
	if v.Link != "" {
		text += " " + address(v.Link)
	}
	return text
}

// somebody stands for a person whose name is not known.
func somebody(name string) string { return cmp.Or(name, "Somebody") }

// what says what is requested; quote writes the names.
func what(v request.View, quote func(string) string) string {
	switch {
	case len(v.Resources) > 0:
		return "access to " + quote(strings.Join(v.Resources, ", "))
	case len(v.Roles) > 1:
		return "roles " + quote(strings.Join(v.Roles, ", "))
	case len(v.Roles) == 1:
		return "role " + quote(v.Roles[0])
	}
	return "access"
}

// reviewReply is the reply that tells one review.
func reviewReply(v request.View, review int) content {
	r := v.Reviews[review]
	text := fmt.Sprintf("*%s* reviewed the request", somebody(line(r.Author)))
	if !r.Created.IsZero() {
		text += ", " + moment(r.Created)
	}
	text += ".\n*Decision*: " + stateText(r.State)
	if r.Reason != "" {
		text += "\n*Reason*: " + fenced(r.Reason)
	}
	return content{
		text:   fmt.Sprintf("%s reviewed the request: %s", somebody(short(r.Author)), stateText(r.State)),
		blocks: sections(text),
	}
}

// stateReply tells the state in the thread of a message that cannot be changed.
func stateReply(v request.View) content {
	return content{text: fallback(v), blocks: sections(statusText(v))}
}

// notice tells the requester how the request ended, and what to do with it.
func notice(v request.View) content {
	state := outcome(v)
	lines := []string{
		strings.TrimSpace(fmt.Sprintf("%s Your request for %s %s.", message.Emoji(v.Status), what(v, code), state)),
		"*ID*: " + code(v.ID),
	}
	if v.ResolveReason != "" {
		lines = append(lines, "*Reason*: "+fenced(v.ResolveReason))
	}
	if v.Status == request.Approved {
		lines = append(lines, usage(v)...)
	}
	plain := fmt.Sprintf("Your request for %s %s.", what(v, short), strings.ReplaceAll(state, "*", ""))
	return content{text: plain, blocks: sections(lines...)}
}

// usage says how to use the access that a request gave, and for how long.
func usage(v request.View) []string {
	how := "*To use it*: " + code("tsh login --request-id="+v.ID)
	if v.Link != "" {
		how += " or " + address(v.Link)
	}
	if v.AccessUntil.IsZero() {
		return []string{how}
	}
	return []string{how, "*Access ends*: " + moment(v.AccessUntil)}
}

// outcome says in words how a request ended.
func outcome(v request.View) string {
	list := "an access list"
	if v.AccessList != "" {
		list = "the access list " + short(v.AccessList)
	}
	said := map[request.Status]string{
		request.Approved: "was *approved*", request.Denied: "was *denied*", request.Expired: "has *expired*",
		request.Promoted: "was *promoted* to " + list,
	}
	return cmp.Or(said[v.Status], "is now *"+message.Text(string(v.Status), 40, escape)+"*")
}

// reminder tells an owner of the access lists that are to be reviewed.
func reminder(r remind.Reminder) content {
	lines := []string{"*" + r.Title() + "*"}
	all := ""
	if r.Link != "" && len(r.Lists) > 1 {
		all = "*All access lists*: " + address(r.Link)
	}
	room := blocksLimit - utf8.RuneCountInString(lines[0]+all+andMore(len(r.Lists))) - 3
	for i, l := range r.Lists {
		text := "• " + line(l.Title) + ": " + l.When(r.Now)
		if l.Link != "" {
			text += " " + named(l.Link, "Review")
		}
		if room -= utf8.RuneCountInString(text) + 1; i == listLines || room < 0 {
			lines = append(lines, andMore(len(r.Lists)-i))
			break
		}
		lines = append(lines, text)
	}
	if all != "" {
		lines = append(lines, all)
	}
	return content{text: r.Title() + ".", blocks: sections(lines...)}
}
