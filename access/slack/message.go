package slack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/remind"
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

// Our own limits, in characters. They keep a message readable, and are such that
// all that a message must hold fits into blocksLimit.
const (
	// valueLimit is that of one value, quotation and escapes included.
	valueLimit = 1000
	// shortLimit is that of a value in a plain text, without escapes.
	shortLimit = 100
	// roleLines is how many roles have a line of their own, and listLines how
	// many access lists.
	roleLines, listLines = 20, 20
)

// escape replaces the three characters that have a meaning in Slack's markup.
func escape(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	}
	return ""
}

// content is what is posted: blocks for the eye, text for notifications and
// screen readers, and metadata by which it is found again.
type content struct {
	text   string
	blocks []slack.Block
	mark   *slack.SlackMetadata
}

// options always gives the blocks, also none: chat.update would keep the old ones.
func (c content) options() []slack.MsgOption {
	opts := []slack.MsgOption{slack.MsgOptionText(c.text, false), slack.MsgOptionBlocks(c.blocks...)}
	if c.mark != nil {
		opts = append(opts, slack.MsgOptionMetadata(*c.mark))
	}
	return opts
}

// plain is the content reduced to what no limit can refuse.
func (c content) plain() content { return content{text: c.text, mark: c.mark} }

// announcement is the message that tells of a request and its state.
func announcement(v message.View) content {
	title, status := v.Title(), statusText(v)
	room := blocksLimit - utf8.RuneCountInString(title) - utf8.RuneCountInString(status)
	blocks := []slack.Block{section(title)}
	for _, text := range packed(fieldLines(v, room)) {
		blocks = append(blocks, section(text))
	}
	return content{text: fallback(v), blocks: append(blocks,
		slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, status, false, true)))}
}

// section is a paragraph. It is verbatim, so that an address in a user's text
// does not become a link.
func section(text string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, text, false, true), nil, nil)
}

// fieldLines writes the fields, one a line, into the room. The roles that are too
// many for it are only counted: the reason and the link, which follow, matter
// more.
func fieldLines(v message.View, room int) []string {
	var before, roles, after []string
	for _, f := range message.Fields(v) {
		text := fieldText(f)
		room -= utf8.RuneCountInString(text) + 1
		switch {
		case f.Also != nil:
			roles = append(roles, text)
		case len(roles) == 0:
			before = append(before, text)
		default:
			after = append(after, text)
		}
	}
	more := 0
	for room < 0 && len(roles) > 0 || len(roles) > roleLines {
		last := len(roles) - 1
		room += utf8.RuneCountInString(roles[last]) + 1
		roles = roles[:last]
		if more++; more == 1 {
			room -= len(andMore(len(v.Roles))) + 1
		}
	}
	if more > 0 {
		roles = append(roles, andMore(more))
	}
	return slices.Concat(before, roles, after)
}

func andMore(n int) string { return fmt.Sprintf("… and %d more", n) }

// packed joins lines into as few texts as the limit of a text allows. No line is
// longer than a text.
func packed(lines []string) []string {
	var texts []string
	size := 0 // of the last text
	for _, line := range lines {
		n := utf8.RuneCountInString(line) + 1
		if last := len(texts) - 1; last >= 0 && size+n <= textLimit {
			texts[last] += "\n" + line
			size += n
			continue
		}
		texts, size = append(texts, line), n
	}
	return texts
}

func fieldText(f message.Field) string {
	text := "*" + f.Label + "*: "
	switch f.Kind {
	case message.Code:
		text += code(f.Text)
	case message.Block:
		text += block(f.Text)
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

// code, block and line are user text as it stands in a message.
func code(s string) string  { return fitted(s, message.InlineLimit, message.CodeText) }
func block(s string) string { return fitted(s, message.ReasonLimit, message.BlockText) }

// line keeps a text on one line, where it cannot pass for another field.
func line(s string) string { return fitted(oneLine(s), message.InlineLimit, message.Text) }

// short is line for a text of few words.
func short(s string) string { return message.Text(oneLine(s), shortLimit, escape) }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// fitted writes at most limit characters of a text, and fewer where their
// escapes would take more room than a value may have.
func fitted(s string, limit int, write func(string, int, message.Escape) string) string {
	out := write(s, limit, escape)
	for utf8.RuneCountInString(out) > valueLimit {
		limit /= 2
		out = write(s, limit, escape)
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

func stateText(s message.Status) string {
	return strings.TrimSpace(s.Emoji() + " " + message.Text(string(s), 40, escape))
}

func statusText(v message.View) string {
	text := "*Status*: " + stateText(v.Status)
	if p := v.Progress(); p != "" {
		text += " (" + p + ")"
	}
	if v.Status == message.Promoted && v.AccessList != "" {
		text += "\n*Access list*: " + line(v.AccessList)
	}
	if v.ResolveReason != "" {
		text += "\n*Resolution reason*: " + block(v.ResolveReason)
	}
	return text
}

// fallback says the most important in one plain line.
func fallback(v message.View) string {
	text := fmt.Sprintf("%s requests %s (%s)", somebody(short(v.User)), what(v, short), stateText(v.Status))
	if v.Reason != "" && v.Status == message.Pending {
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
func what(v message.View, quote func(string) string) string {
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
func reviewReply(v message.View, review int) content {
	r := v.Reviews[review]
	text := fmt.Sprintf("*%s* reviewed the request", somebody(line(r.Author)))
	if !r.Created.IsZero() {
		text += ", " + moment(r.Created)
	}
	text += ".\n*Decision*: " + stateText(r.State)
	if r.Reason != "" {
		text += "\n*Reason*: " + block(r.Reason)
	}
	return content{
		text:   fmt.Sprintf("%s reviewed the request: %s", somebody(short(r.Author)), stateText(r.State)),
		blocks: []slack.Block{section(text)},
	}
}

// stateReply tells the state in the thread of a message that cannot be changed.
func stateReply(v message.View) content {
	return content{text: fallback(v), blocks: []slack.Block{section(statusText(v))}}
}

// notice tells the requester how the request ended, and what to do with it.
func notice(v message.View) content {
	state := outcome(v)
	lines := []string{
		strings.TrimSpace(fmt.Sprintf("%s Your request for %s %s.", v.Status.Emoji(), what(v, code), state)),
		"*ID*: " + code(v.ID),
	}
	if v.ResolveReason != "" {
		lines = append(lines, "*Reason*: "+block(v.ResolveReason))
	}
	if v.Status == message.Approved {
		lines = append(lines, usage(v)...)
	}
	plain := fmt.Sprintf("Your request for %s %s.", what(v, short), strings.ReplaceAll(state, "*", ""))
	c := content{text: plain}
	for _, text := range packed(lines) {
		c.blocks = append(c.blocks, section(text))
	}
	return c
}

// usage says how to use the access that a request gave, and for how long.
func usage(v message.View) []string {
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
func outcome(v message.View) string {
	switch v.Status {
	case message.Approved:
		return "was *approved*"
	case message.Denied:
		return "was *denied*"
	case message.Expired:
		return "has *expired*"
	case message.Promoted:
		if v.AccessList != "" {
			return "was *promoted* to the access list " + short(v.AccessList)
		}
		return "was *promoted* to an access list"
	}
	return "is now *" + message.Text(string(v.Status), 40, escape) + "*"
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
	c := content{text: r.Title() + "."}
	for _, text := range packed(lines) {
		c.blocks = append(c.blocks, section(text))
	}
	return c
}
