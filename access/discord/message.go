package discord

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// Limits of Discord's messages. It does not say what a character is: counted in
// units of UTF-16, of which an emoji is two, a text fits either way.
const (
	contentLimit   = 2000
	embedsLimit    = 10
	embedsSize     = 6000
	buttonURLLimit = 512
	nonceLimit     = 25
)

// The colours of embeds; those of reviews are known from Teleport's own plugin.
const (
	green  = 0x238823
	red    = 0xD2222D
	amber  = 0xF0B232
	purple = 0x5865F2
	grey   = 0x80848E
)

func colour(s request.Status) int {
	switch s {
	case request.Approved:
		return green
	case request.Denied:
		return red
	case request.Promoted:
		return purple
	case request.Pending:
		return amber
	}
	return grey
}

// size is the length of a text as the limits count it.
func size(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// content is what is posted.
type content struct {
	text    string
	embeds  []*discordgo.MessageEmbed
	buttons []discordgo.MessageComponent
	// answers is the message of the channel that this one answers, or empty.
	answers string
}

// form says how much of what Discord may refuse an announcement holds.
type form int

const (
	// full is with the card and the reviews in embeds.
	full form = iota
	// plain is without embeds; the text says all.
	plain
	// bare is without embeds and buttons, and without any text of strangers.
	bare
)

// announcement is the message about a request and its state.
func announcement(v request.View, f form, mention string) content {
	c := content{text: text(v, f), buttons: []discordgo.MessageComponent{}, embeds: []*discordgo.MessageEmbed{}}
	if f == bare {
		return c
	}
	c.buttons = append(c.buttons, decisionRow(v)...)
	if u, err := url.Parse(v.Link); err == nil && u.Host != "" && size(v.Link) <= buttonURLLimit {
		button := discordgo.Button{Label: "Open in Teleport", Style: discordgo.LinkButton, URL: v.Link}
		c.buttons = append(c.buttons, discordgo.ActionsRow{Components: []discordgo.MessageComponent{button}})
	}
	if f == plain {
		return c
	}
	var reviews []*discordgo.MessageEmbed
	for _, r := range v.Reviews {
		reviews = append(reviews, reviewEmbed(r))
	}
	c.embeds = pack(card(v, mention), reviews)
	return c
}

// text writes the title, the fields and the state, with as much of each value
// as there is room for.
func text(v request.View, f form) string {
	return message.Fit(message.InlineLimit, contentLimit, size, func(limit int) string { return strings.Join(lines(v, f, limit), "\n") })
}

// lines writes the announcement with at most so many characters of each value.
func lines(v request.View, f form, limit int) []string {
	d := dialect(limit)
	out := append([]string{message.Title(v)}, d.Fields(v, max(limit/10, 1), f.shows)...)
	status := d.Status(v)
	if message.Emoji(v.Status) == "" { // Teleport's own plugin leaves room for it
		status = strings.Replace(status, " ", "  ", 1)
	}
	out = append(out, status)
	if f == bare {
		return append(out, "Discord refused to show the rest.")
	}
	out = append(out, d.Cause(v)...)
	if f == plain {
		out = append(out, reviewLines(v.Reviews, limit)...)
	}
	return out
}

// shows says which fields the text shows.
func (f form) shows(shown message.Field) bool {
	switch k := shown.Key; f {
	case full:
		return !inCard(k)
	case bare:
		switch k {
		case message.FieldUser, message.FieldRole, message.FieldRoles, message.FieldResources, message.FieldReason:
			return false
		}
	}
	return true
}

// inCard says which fields the card shows.
func inCard(k message.Key) bool {
	switch k {
	case message.FieldStarts, message.FieldDuration, message.FieldEnds, message.FieldExpires:
		return true
	}
	return false
}

// idLabel is what stands before the request's id, in messages of Teleport's own
// plugin too.
const idLabel = "*ID*: "

// dialect is Discord's, with a limit on values.
func dialect(limit int) message.Dialect {
	bounded := func(write func(string, int) string) func(string) string {
		return func(s string) string { return write(s, limit) }
	}
	return message.Dialect{
		Label: "*", Bold: "**", Line: bounded(line), Code: bounded(code), Block: bounded(block), Link: address, Moment: moment,
	}
}

// address is shown as it is, for Discord makes a link of it.
func address(link, _ string) string {
	if size(link) > buttonURLLimit {
		return code(link, message.InlineLimit)
	}
	return link
}

// moment is shown by Discord in the reader's own time zone.
func moment(at time.Time) string { return fmt.Sprintf("<t:%d:f>", at.Unix()) }

// escape takes the meaning from the marks of Discord's Markdown.
func escape(r rune) string {
	if strings.ContainsRune("\\`*_~|<[]:", r) {
		return "\\" + string(r)
	}
	return ""
}

// line is user text that is kept on one line, where it cannot pass for another
// field. A mark of no width keeps the two words that call everybody from being
// read as such; nobody would be called, but it would look like it.
func line(s string, limit int) string {
	s = message.LineText(s, limit, escape)
	return strings.ReplaceAll(strings.ReplaceAll(s, "@everyone", "@\u200Beveryone"), "@here", "@\u200Bhere")
}

// block is user text of several lines in a fixed font.
func block(s string, limit int) string { return message.BlockText(s, limit, nil) }

// code is user text in a fixed font. Discord knows no escape there, and what
// follows the next backtick would be Markdown again: a like sign is shown.
func code(s string, limit int) string {
	return message.CodeText(strings.ReplaceAll(s, "`", "ˋ"), limit, nil)
}

// reviewLines are the reviews for a message without embeds, the newest in full.
func reviewLines(reviews []request.Review, limit int) []string {
	var out []string
	d := dialect(limit)
	hidden := max(len(reviews)-max(limit/40, 1), 0)
	if hidden > 0 {
		out = append(out, fmt.Sprintf("*Reviews*: %d earlier", hidden))
	}
	for _, r := range reviews[hidden:] {
		if unknown(r) {
			continue
		}
		s := d.Named("Review", d.State(r.State)+" by "+d.Line(r.Author))
		if r.Reason != "" {
			s += " " + d.Code(r.Reason)
		}
		out = append(out, s)
	}
	return out
}

// unknown reports that only the number of reviews is remembered.
func unknown(r request.Review) bool { return r.Author == "" && r.State == "" }
