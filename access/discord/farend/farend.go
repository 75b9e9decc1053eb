// Package farend provides the simulated Discord to all that tries plugins.
package farend

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"teleport-plugins/access/discord"
	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

// Service describes Discord.
func Service() farend.Service {
	return farend.Service{
		Integration: discord.Integration(),
		Simulate:    func(o farend.Options) farend.FarEnd { return New(o) },
		Methods:     farend.Methods{Post: discordapi.CreateMessage, Edit: discordapi.EditMessage, Find: discordapi.ListMessages},
		Refusals:    []string{"50001", "50013", "10003"},
		SetUps:      setUps,
		Accent:      "#5865f2", Side: "#2b2d40",
	}
}

// Guild is a simulated Discord with one guild.
type Guild struct {
	*discordapi.Server
	farend.Tokens
	places []string
	// outsiders are those who may not decide anything, by what Press calls them.
	outsiders map[string]string
}

// New makes a guild that does not serve yet.
func New(o farend.Options) *Guild {
	guild := discordapi.DefaultGuilds()[0]
	g := &Guild{places: []string{discordapi.AccessRequestsChannel, discordapi.SecurityChannel, discordapi.DBTeamChannel}}
	for i := range o.Places {
		id := fmt.Sprintf("1300000000000000%03d", i)
		guild.Channels = append(guild.Channels, discordapi.Channel{ID: id, Name: fmt.Sprintf("team-%03d", i)})
		g.places = append(g.places, id)
	}
	api := discordapi.Options{Options: apiserver.Options{KeepRequests: o.KeepCalls}, Guilds: []discordapi.Guild{guild}}
	if o.Outsiders {
		g.outsiders = map[string]string{farend.Unknown: unknownID, farend.Former: formerID}
		api.Users = append(discordapi.DefaultUsers(), discordapi.User{ID: unknownID, Name: "unknown"}, discordapi.User{ID: formerID, Name: "former"})
	}
	g.Server = discordapi.New(api)
	g.Tokens = farend.Tokens{
		Valid: g.Server.Token(), Next: "renewed.discord.token",
		Allow: g.SetToken,
		Deny:  func(string) { g.SetToken("another") },
	}
	return g
}

// users are the Discord users whom the config names for Teleport users.
func users() map[string]string {
	return map[string]string{
		cluster.Alice: discordapi.AliceID, cluster.Bob: discordapi.BobID,
		cluster.Carol: discordapi.CarolID, cluster.Dave: discordapi.DaveID,
	}
}

// The people who may not decide anything; Discord has no guests.
const (
	unknownID = "1200000000000000101"
	formerID  = "1200000000000000102"
)

// pressers are all who may press, by what Press calls them.
func (g *Guild) pressers() map[string]string {
	all := users()
	maps.Copy(all, g.outsiders)
	return all
}

// Config is the section [discord].
func (g *Guild) Config() map[string]any {
	return map[string]any{
		"discord":  map[string]any{"token": g.Token(), "api_url": g.URL()},
		"identity": map[string]any{"users": users()},
	}
}

// Token is the bot's token.
func (g *Guild) Token() string { return g.Tokens.Token() }

// Places are channels that the bot may write to.
func (g *Guild) Places() []string { return g.places }

// Place is the ID of a channel or of a direct message.
func (g *Guild) Place(name string) string {
	if ch, ok := g.Channel(strings.TrimPrefix(name, direct)); ok {
		return ch.ID
	}
	return name
}

// direct goes before the ID of a user who is told in a direct message.
const direct = "user:"

// Person is the user whom the config names.
func (g *Guild) Person(user string) string {
	if id := users()[user]; id != "" {
		return direct + id
	}
	return ""
}

// Threads does not hold for direct messages: there the announcement itself shows
// the reviews.
func (g *Guild) Threads(recipient string) bool { return !strings.HasPrefix(recipient, direct) }

// Panel is the guild as people see it, with what is said in threads below the
// messages that they belong to.
func (g *Guild) Panel(limit int) panel.Panel {
	st := g.Snapshot(limit)
	out := panel.Panel{People: make(map[string]string, len(st.Users))}
	for _, u := range st.Users {
		out.People[u.ID] = u.GlobalName
	}
	at := make(map[string]int, len(st.Channels))
	for _, c := range st.Channels {
		if parent, known := at[c.ParentID]; known && c.IsThread() {
			ch := &out.Channels[parent]
			ch.Messages = append(ch.Messages, messages(c, c.ID, out.People)...)
			continue
		}
		at[c.ID] = len(out.Channels)
		kind := panel.Public
		if c.Type == discordapi.DMChannel {
			kind = panel.Direct
		}
		out.Channels = append(out.Channels, panel.Channel{
			ID: c.ID, Name: c.Name, Kind: kind, User: out.People[c.User], Messages: messages(c, "", out.People),
		})
	}
	return out
}

func messages(c discordapi.ChannelState, thread string, people map[string]string) []panel.Message {
	out := make([]panel.Message, 0, len(c.Messages))
	for _, m := range c.Messages {
		shown := panel.Message{
			ID: m.ID, Thread: cmp.Or(thread, m.Answers), Author: people[m.Author], Created: m.Created, Text: withoutReviews(m.Rendered),
			Body: m.Rendered.Body, Mentions: m.Mentions, Edited: m.Edits > 0, Deleted: m.Deleted,
		}
		shown.Read(m.Content)
		out = append(out, shown)
	}
	return out
}

// withoutReviews is the text of a post with its first card. As in Teleport's own
// plugin the post shows the present reviews in further cards, which is no second
// telling of those in the thread.
func withoutReviews(r panel.Rendered) string {
	if len(r.Tones) < 2 {
		return r.Text
	}
	var body []panel.Node
	cards := 0
	for _, n := range r.Body {
		if n.Kind == panel.Card {
			cards++
		}
		if n.Kind != panel.Card || cards == 1 {
			body = append(body, n)
		}
	}
	return panel.Render(body).Text
}

// Remove removes a message.
func (g *Guild) Remove(place, id string) error { return g.DeleteMessage(place, id) }

// Adopt posts messages as Teleport's own plugin would.
func (g *Guild) Adopt(place, _, text string, n int) (map[string]string, error) {
	return farend.Adopt(place, n, func() (string, error) {
		return g.PostAs(g.Snapshot(1).BotUser, place, text)
	})
}
