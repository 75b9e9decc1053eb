package slackapi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/chat"
)

// User is a member of the workspace.
type User struct {
	// ID starts with U; it is made up when empty.
	ID string `json:"id"`
	// Name is the handle, RealName the name people see (Name when empty).
	Name     string `json:"name"`
	RealName string `json:"real_name"`
	// Email is matched without regard to case.
	Email string `json:"email"`
	// Deleted marks a deactivated account, Bot an app's user, Restricted a guest.
	Deleted    bool `json:"deleted,omitempty"`
	Bot        bool `json:"bot,omitempty"`
	Restricted bool `json:"restricted,omitempty"`
	// Team is another workspace or organisation that the account is of, as with
	// Slack Connect; empty for this one's.
	Team string `json:"team,omitempty"`
	// Unconfirmed says that the address was never confirmed.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
}

// Kind is the sort of a conversation.
type Kind string

const (
	// Public is a channel that everyone may see and join.
	Public Kind = "public"
	// Private is a channel that only its members know of.
	Private Kind = "private"
	// DM is the conversation of the bot with one user.
	DM Kind = "dm"
	// GroupDM is a conversation of the bot with several users.
	GroupDM Kind = "group_dm"
)

// Channel is a conversation of any kind.
type Channel struct {
	// ID starts with C, or with D for a direct message; it is made up when empty.
	ID string `json:"id"`
	// Name is without #; direct messages have none.
	Name string `json:"name,omitempty"`
	// Kind is Public when empty.
	Kind Kind `json:"kind"`
	// User is the ID of the user at the other end of a DM.
	User string `json:"user,omitempty"`
	// Members are the IDs of the users in it, without the bot.
	Members []string `json:"members,omitempty"`
	// WithoutBot says that the bot is not in it.
	WithoutBot bool `json:"without_bot,omitempty"`
	// Archived channels can be read but not written to.
	Archived bool `json:"archived,omitempty"`
}

// DefaultUsers are alice, bob, carol and dave, all at example.com.
func DefaultUsers() []User {
	var out []User
	for i, name := range []string{"alice", "bob", "carol", "dave"} {
		out = append(out, User{
			ID:       fmt.Sprintf("U0SANDBOX%02d", i+1),
			Name:     name,
			RealName: strings.ToUpper(name[:1]) + name[1:],
			Email:    name + "@example.com",
		})
	}
	return out
}

// DefaultChannels are #access-requests and #security, both public, the private
// #db-team, all with the bot in them, and #general without it.
func DefaultChannels() []Channel {
	return []Channel{
		{ID: "C0SANDBOX01", Name: "access-requests", Kind: Public},
		{ID: "C0SANDBOX02", Name: "security", Kind: Public},
		{ID: "C0123ABCDEF", Name: "db-team", Kind: Private},
		{ID: "C0SANDBOX04", Name: "general", Kind: Public, WithoutBot: true},
	}
}

// channel is a conversation with what was said in it.
type channel struct {
	Channel
	chat.Log[message] // by ts
	// replies holds the ts of the replies to a message, oldest first.
	replies map[int64][]int64
}

// workspace is everything that the server's lock guards.
type workspace struct {
	teamID, botUser, botID, appID, enterprise string

	tokens   map[string]*token
	users    map[string]*User
	byEmail  map[string]string
	channels map[string]*channel
	order    []string
	byName   map[string]string
	dms      map[string]string

	lastTS int64
	nextID int

	editWindowClosed, messagesTabDisabled bool

	live live
}

func newWorkspace(o Options) workspace {
	ws := workspace{
		teamID: "T0SANDBOX01", botUser: "U0SANDBOXBOT", botID: "B0SANDBOX01", appID: "A0SANDBOX01", enterprise: o.Enterprise,
		tokens: map[string]*token{
			o.Token: {scopes: slices.Clone(o.Scopes)}, o.AppToken: newToken(o.AppToken, []string{"connections:write"}),
		},
		live:     newLive(),
		users:    make(map[string]*User),
		byEmail:  make(map[string]string),
		channels: make(map[string]*channel),
		byName:   make(map[string]string),
		dms:      make(map[string]string),
	}
	ws.addUser(User{ID: ws.botUser, Name: o.BotName, Bot: true})
	for _, u := range o.Users {
		ws.addUser(u)
	}
	for _, c := range o.Channels {
		ws.addChannel(c)
	}
	return ws
}

// newID makes up an identifier that nothing else has.
func (ws *workspace) newID(prefix string) string {
	ws.nextID++
	return fmt.Sprintf("%s0NEW%06d", prefix, ws.nextID)
}

func (ws *workspace) addUser(u User) User {
	u.ID = cmp.Or(u.ID, ws.newID("U"))
	u.RealName = cmp.Or(u.RealName, u.Name)
	if old, ok := ws.users[u.ID]; ok {
		delete(ws.byEmail, strings.ToLower(old.Email))
	}
	ws.users[u.ID] = &u
	if u.Email != "" {
		ws.byEmail[strings.ToLower(u.Email)] = u.ID
	}
	return u
}

func (ws *workspace) addChannel(c Channel) Channel {
	c.Kind = cmp.Or(c.Kind, Public)
	prefix := "C"
	if c.Kind == DM {
		prefix = "D"
	}
	c.ID = cmp.Or(c.ID, ws.newID(prefix))
	c.Name = strings.TrimPrefix(c.Name, "#")
	c.Members = slices.Clone(c.Members)
	if old, ok := ws.channels[c.ID]; ok {
		delete(ws.byName, old.Name)
		old.Channel = c
	} else {
		ws.channels[c.ID] = &channel{Channel: c, replies: make(map[int64][]int64)}
		ws.order = append(ws.order, c.ID)
	}
	if c.Name != "" {
		ws.byName[c.Name] = c.ID
	}
	if c.Kind == DM && c.User != "" {
		ws.dms[c.User] = c.ID
	}
	return c
}

// openDM returns the bot's conversation with the user, making it if need be.
func (ws *workspace) openDM(user string) (ch *channel, existed bool) {
	if id, ok := ws.dms[user]; ok {
		return ws.channels[id], true
	}
	c := ws.addChannel(Channel{Kind: DM, User: user, Members: []string{user}})
	return ws.channels[c.ID], false
}

// faultTarget is the ID of the conversation that a call's argument stands for,
// or the argument itself when there is none.
func (ws *workspace) faultTarget(sent string) string {
	if id, ok := ws.dms[sent]; ok {
		return id
	}
	if id, ok := ws.byName[strings.TrimPrefix(sent, "#")]; ok {
		return id
	}
	return sent
}

// named finds a conversation by its ID, by a channel's name or, for a DM, by the
// user's ID; nil if there is none.
func (ws *workspace) named(name string) *channel { return ws.channels[ws.faultTarget(name)] }

// visible finds a conversation by ID as the bot sees it.
func (ws *workspace) visible(id string) (*channel, error) {
	ch, ok := ws.channels[id]
	if !ok || ch.Kind == Private && ch.WithoutBot {
		return nil, failure("channel_not_found")
	}
	return ch, nil
}

// nextTS is a message timestamp in microseconds, later than any before it.
func (ws *workspace) nextTS(now time.Time) int64 {
	ws.lastTS = max(ws.lastTS+1, now.UnixMicro())
	return ws.lastTS
}

// formatTS writes a timestamp as Slack does: seconds, a point, six digits.
func formatTS(micros int64) string {
	return fmt.Sprintf("%d.%06d", micros/1_000_000, micros%1_000_000)
}

// parseTS reads what formatTS writes, and whole seconds.
func parseTS(s string) (int64, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	if len(whole) > 12 || len(frac) > 6 {
		return 0, false
	}
	micros, err := strconv.ParseUint(whole+frac+strings.Repeat("0", 6-len(frac)), 10, 63)
	if err != nil || whole == "" {
		return 0, false
	}
	return int64(micros), true
}
