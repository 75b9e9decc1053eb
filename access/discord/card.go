package discord

import (
	"fmt"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// footer is the mark by which a post is found again.
func footer(id string) string { return "Access request " + plainText(id, 100) }

// card is the embed that shows the state at a glance, and the times.
func card(v request.View, mention string) *discordgo.MessageEmbed {
	d := dialect(message.InlineLimit)
	e := &discordgo.MessageEmbed{
		Title: d.State(v.Status), Color: colour(v.Status), Footer: &discordgo.MessageEmbedFooter{Text: footer(v.ID)},
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
	if p := message.Progress(v); p != "" {
		add("Reviews", p)
	}
	if !v.Created.IsZero() {
		add("Requested", moment(v.Created))
	}
	for _, f := range message.Fields(v) {
		if inCard(f.Key) {
			add(f.Label, d.Value(f))
		}
	}
	return e
}

func reviewEmbed(r request.Review) *discordgo.MessageEmbed {
	verb := "Reviewed"
	switch r.State {
	case request.Approved, request.Denied, request.Promoted:
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
	if s = message.LineText(s, limit, nil); s == "" {
		return message.Empty
	}
	return s
}

// keepReviews puts the reviews that a message shows already behind a new card.
func keepReviews(card *discordgo.MessageEmbed, shown []*discordgo.MessageEmbed) []*discordgo.MessageEmbed {
	total := embedSize(card)
	for _, e := range shown {
		total += embedSize(e)
	}
	if total > embedsSize || len(shown) >= embedsLimit {
		return pack(card, shown)
	}
	return append([]*discordgo.MessageEmbed{card}, shown...)
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
