package slack

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/message"
)

// Limits of Slack's messages, in characters.
const (
	// textLimit is that of the text of a section.
	textLimit = 3000
	// blocksLimit keeps all blocks together below what Slack takes, which is
	// not documented and about 13,200.
	blocksLimit = 12000
	// fallbackLimit is that of the plain text of an edited message.
	fallbackLimit = 3500
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
	return string(r)
}

// content is what is posted: blocks for the eye, text for notifications and
// screen readers.
type content struct {
	text   string
	blocks []slack.Block
}

func (c content) options() []slack.MsgOption {
	opts := []slack.MsgOption{
		slack.MsgOptionText(c.text, false),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
	if len(c.blocks) > 0 {
		opts = append(opts, slack.MsgOptionBlocks(c.blocks...))
	}
	return opts
}

// announcement is the message that tells of a request and its state.
func announcement(v message.View) content {
	blocks := []slack.Block{section(v.Title())}
	room := blocksLimit - len(v.Title())
	for _, text := range paragraphs(v, room/2) {
		blocks = append(blocks, section(text))
	}
	status := slack.NewTextBlockObject(slack.MarkdownType, statusText(v), false, true)
	return content{text: fallback(v), blocks: append(blocks, slack.NewContextBlock("", status))}
}

// plain is the announcement reduced to what no limit can refuse.
func plain(v message.View) content { return content{text: fallback(v)} }

func section(text string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, text, false, true), nil, nil)
}

// paragraphs writes the fields, one a line, into as many texts as the limit of
// a text asks for. A field always stands in one piece.
func paragraphs(v message.View, room int) []string {
	var texts []string
	current, size := "", 0
	for _, f := range message.Fields(v) {
		line := fieldText(f)
		n := utf8.RuneCountInString(line)
		if n > textLimit { // the escapes of a very hostile text
			line = "*" + f.Label + "*: " + message.CodeText(f.Text, 50, escape)
			n = utf8.RuneCountInString(line)
		}
		if size += n + 1; size > room*2 {
			break
		}
		if current != "" && utf8.RuneCountInString(current)+n+1 > textLimit {
			texts = append(texts, current)
			current = ""
		}
		if current != "" {
			current += "\n"
		}
		current += line
	}
	return append(texts, current)
}

func fieldText(f message.Field) string {
	text := "*" + f.Label + "*: "
	switch f.Kind {
	case message.Code:
		text += message.CodeText(f.Text, message.InlineLimit, escape)
	case message.Block:
		text += message.BlockText(f.Text, message.ReasonLimit, escape)
	case message.Address:
		text += "<" + message.Text(f.Text, textLimit/2, escape) + ">"
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

// line is user text that is kept on one line, where it cannot pass for another
// field.
func line(s string) string {
	return message.Text(strings.Join(strings.Fields(s), " "), message.InlineLimit, escape)
}

// moment is shown by Slack in the reader's own time zone.
func moment(at time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} at {time}|%s>", at.Unix(), at.UTC().Format(time.RFC822))
}

func stateText(s message.Status) string {
	return strings.TrimSpace(s.Emoji() + " " + message.Text(string(s), 40, escape))
}

func statusText(v message.View) string {
	text := "*Status*: " + v.Status.Emoji() + " " + message.Text(string(v.Status), 40, escape)
	if p := v.Progress(); p != "" {
		text += " (" + p + ")"
	}
	if v.Status == message.Promoted && v.AccessList != "" {
		text += "\n*Access list*: " + line(v.AccessList)
	}
	if v.ResolveReason != "" {
		text += "\n*Resolution reason*: " + message.BlockText(v.ResolveReason, message.ReasonLimit, escape)
	}
	return text
}

// fallback says the most important in one plain line.
func fallback(v message.View) string {
	text := fmt.Sprintf("%s requests %s (%s)", line(v.User), what(v), stateText(v.Status))
	if v.Reason != "" && v.Status == message.Pending {
		text += ": " + message.Text(strings.Join(strings.Fields(v.Reason), " "), 100, escape)
	}
	if v.Link != "" {
		text += " <" + message.Text(v.Link, textLimit/2, escape) + ">"
	}
	return message.Cut(text, fallbackLimit)
}

func what(v message.View) string {
	if len(v.Resources) > 0 {
		return "access to " + message.Text(strings.Join(v.Resources, ", "), 100, escape)
	}
	noun := "role "
	if len(v.Roles) > 1 {
		noun = "roles "
	}
	return noun + message.Text(strings.Join(v.Roles, ", "), 100, escape)
}

// reviewText is the reply that tells one review.
func reviewText(r message.Review) string {
	text := fmt.Sprintf("*%s* reviewed the request on %s.\n*Decision*: %s",
		line(r.Author), moment(r.Created), stateText(r.State))
	if r.Reason != "" {
		text += "\n*Reason*: " + message.BlockText(r.Reason, message.ReasonLimit, escape)
	}
	return text
}

// notice tells the requester how the request ended.
func notice(v message.View) content {
	text := fmt.Sprintf("Your request %s for %s is now *%s*.", message.CodeText(v.ID, 100, escape), what(v), stateText(v.Status))
	if v.ResolveReason != "" {
		text += "\n*Reason*: " + message.BlockText(v.ResolveReason, message.ReasonLimit, escape)
	}
	if v.Status == message.Approved && v.Link != "" {
		text += "\nAssume it in Teleport: <" + message.Text(v.Link, textLimit/2, escape) + ">"
	}
	return content{text: fallback(v), blocks: []slack.Block{section(text)}}
}
