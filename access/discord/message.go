package discord

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/remind"
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

func colour(s message.Status) int {
	switch s {
	case message.Approved:
		return green
	case message.Denied:
		return red
	case message.Promoted:
		return purple
	case message.Pending:
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
}

// announcement tells of a request and its state. Where embeds are not allowed,
// the text says all; else they hold the card and the reviews.
func announcement(v message.View, plain bool, mention string) content {
	c := content{text: text(v, plain), buttons: []discordgo.MessageComponent{}, embeds: []*discordgo.MessageEmbed{}}
	if u, err := url.Parse(v.Link); err == nil && u.Host != "" && size(v.Link) <= buttonURLLimit {
		button := discordgo.Button{Label: "Open in Teleport", Style: discordgo.LinkButton, URL: v.Link}
		c.buttons = append(c.buttons, discordgo.ActionsRow{Components: []discordgo.MessageComponent{button}})
	}
	if plain {
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
func text(v message.View, plain bool) string {
	for limit := message.InlineLimit; ; limit /= 2 {
		if s := strings.Join(lines(v, plain, limit), "\n"); size(s) <= contentLimit || limit < 10 {
			return s
		}
	}
}

// lines writes the announcement with at most so many characters of each value.
func lines(v message.View, plain bool, limit int) []string {
	out := []string{v.Title()}
	roles, maxRoles := 0, max(limit/10, 1)
	for _, f := range message.Fields(v) {
		if f.Label == "Role" {
			if roles++; roles > maxRoles {
				continue
			}
		}
		if plain || !inCard(f) {
			out = append(out, fieldText(f, limit))
		}
	}
	if more := roles - maxRoles; more > 0 {
		out = append(out, fmt.Sprintf("and %d more roles", more))
	}
	out = append(out, statusText(v, limit))
	if plain {
		out = append(out, reviewLines(v.Reviews, limit)...)
	}
	return out
}

// inCard says which fields the card shows.
func inCard(f message.Field) bool { return f.Kind == message.Moment || f.Label == "Duration" }

func fieldText(f message.Field, limit int) string {
	out := "*" + f.Label + "*: " + value(f, limit)
	if f.Also != nil {
		out += " " + fieldText(*f.Also, limit)
	}
	return out
}

func value(f message.Field, limit int) string {
	switch f.Kind {
	case message.Code:
		return code(f.Text, limit)
	case message.Block:
		return message.BlockText(f.Text, limit, nil)
	case message.Address:
		if size(f.Text) > buttonURLLimit {
			return code(f.Text, limit)
		}
		return f.Text
	case message.Moment:
		return moment(f.Time)
	}
	return line(f.Text, limit)
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
	s = message.Text(strings.Join(strings.Fields(s), " "), limit, escape)
	return strings.NewReplacer("@everyone", "@\u200Beveryone", "@here", "@\u200Bhere").Replace(s)
}

// code is user text in a fixed font. Discord knows no escape there, and what
// follows the next backtick would be Markdown again: a like sign is shown.
func code(s string, limit int) string {
	return message.CodeText(strings.ReplaceAll(s, "`", "ˋ"), limit, nil)
}

func stateText(s message.Status) string {
	return strings.TrimSpace(s.Emoji() + " " + line(string(s), 40))
}

func statusText(v message.View, limit int) string {
	out := "*Status*: " + v.Status.Emoji() + " " + line(string(v.Status), 40)
	if p := v.Progress(); p != "" {
		out += " (" + p + ")"
	}
	if v.Status == message.Promoted && v.AccessList != "" {
		out += "\n*Access list*: " + line(v.AccessList, limit)
	}
	if v.ResolveReason != "" {
		out += "\n*Resolution reason*: " + message.BlockText(v.ResolveReason, limit, nil)
	}
	return out
}

// reviewLines are the reviews for a message without embeds, the newest in full.
func reviewLines(reviews []message.Review, limit int) []string {
	var out []string
	hidden := max(len(reviews)-max(limit/40, 1), 0)
	if hidden > 0 {
		out = append(out, fmt.Sprintf("*Reviews*: %d earlier", hidden))
	}
	for _, r := range reviews[hidden:] {
		if unknown(r) {
			continue
		}
		s := "*Review*: " + stateText(r.State) + " by " + line(r.Author, limit)
		if r.Reason != "" {
			s += " " + code(r.Reason, limit)
		}
		out = append(out, s)
	}
	return out
}

// unknown reports that only the number of reviews is remembered.
func unknown(r message.Review) bool { return r.Author == "" && r.State == "" }

// footer is the mark by which a post is found again.
func footer(id string) string { return "Access request " + plainText(id, 100) }

// card is the embed that shows the state at a glance, and the times.
func card(v message.View, mention string) *discordgo.MessageEmbed {
	e := &discordgo.MessageEmbed{
		Title: stateText(v.Status), Color: colour(v.Status), Footer: &discordgo.MessageEmbedFooter{Text: footer(v.ID)},
	}
	if size(v.Link) <= buttonURLLimit {
		e.URL = v.Link
	}
	add := func(name, value string) {
		e.Fields = append(e.Fields, &discordgo.MessageEmbedField{Name: name, Value: value, Inline: true})
	}
	if mention != "" {
		add("Requester", "<@"+mention+">")
	}
	if p := v.Progress(); p != "" {
		add("Reviews", p)
	}
	if !v.Created.IsZero() {
		add("Requested", moment(v.Created))
	}
	for _, f := range message.Fields(v) {
		if inCard(f) {
			add(f.Label, value(f, message.InlineLimit))
		}
	}
	return e
}

func reviewEmbed(r message.Review) *discordgo.MessageEmbed {
	verb := "Reviewed"
	switch r.State {
	case message.Approved, message.Denied, message.Promoted:
		verb = string(r.State[:1]) + strings.ToLower(string(r.State[1:]))
	}
	e := &discordgo.MessageEmbed{
		Title:     verb + " request at " + r.Created.UTC().Format(time.UnixDate),
		Timestamp: r.Created.UTC().Format(time.RFC3339), Color: colour(r.State),
		Author: &discordgo.MessageEmbedAuthor{Name: plainText(r.Author, 100)},
	}
	if r.Reason != "" {
		e.Description = message.BlockText(r.Reason, message.ReasonLimit, nil)
	}
	return e
}

// plainText is user text for places that know no Markdown.
func plainText(s string, limit int) string {
	if s = message.Text(strings.Join(strings.Fields(s), " "), limit, nil); s == "" {
		return message.Empty
	}
	return s
}

// pack puts the newest reviews behind the card, as many as the limits take, and
// sums up those before.
func pack(card *discordgo.MessageEmbed, reviews []*discordgo.MessageEmbed) []*discordgo.MessageEmbed {
	const summary = 100 // room for it
	first, room := len(reviews), embedsSize-embedSize(card)-summary
	for first > 0 && len(reviews)-first < embedsLimit-2 && embedSize(reviews[first-1]) <= room {
		first--
		room -= embedSize(reviews[first])
	}
	out := []*discordgo.MessageEmbed{card}
	if first > 0 {
		approvals, denials := 0, 0
		for _, e := range reviews[:first] {
			switch e.Color {
			case green:
				approvals++
			case red:
				denials++
			}
		}
		out = append(out, &discordgo.MessageEmbed{
			Title:       fmt.Sprintf("Earlier reviews: %d", first),
			Description: fmt.Sprintf("Approving: %d, denying: %d", approvals, denials),
		})
	}
	return append(out, reviews[first:]...)
}

func embedSize(e *discordgo.MessageEmbed) int {
	n := size(e.Title) + size(e.Description)
	if e.Author != nil {
		n += size(e.Author.Name)
	}
	if e.Footer != nil {
		n += size(e.Footer.Text)
	}
	for _, f := range e.Fields {
		n += size(f.Name) + size(f.Value)
	}
	return n
}

// replyText tells one review in the thread.
func replyText(r message.Review) string {
	out := fmt.Sprintf("**%s** reviewed the request on %s.\n*Decision*: %s", line(r.Author, 100), moment(r.Created), stateText(r.State))
	if r.Reason != "" {
		out += "\n*Reason*: " + message.BlockText(r.Reason, message.ReasonLimit, nil)
	}
	return out
}

// noticeText tells the requester how the request ended.
func noticeText(v message.View) string {
	out := "Your access request " + code(v.ID, 100) + " is now **" + stateText(v.Status) + "**."
	if v.ResolveReason != "" {
		out += "\n*Reason*: " + message.BlockText(v.ResolveReason, message.ReasonLimit, nil)
	}
	if v.Link != "" && size(v.Link) <= buttonURLLimit {
		out += "\n" + v.Link
	}
	return out
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

// nonce names what a message says, so that the same is never posted twice. A
// request that was made again under the same id has a nonce of its own.
func nonce(v message.View, channel string, what ...any) string {
	return shortNonce(fmt.Appendf(nil, "%q %d %q %q", v.ID, v.Created.Unix(), channel, fmt.Sprint(what...)))
}

func shortNonce(of []byte) string {
	sum := sha256.Sum256(of)
	return base64.RawURLEncoding.EncodeToString(sum[:])[:nonceLimit-1]
}
