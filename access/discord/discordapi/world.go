package discordapi

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"teleport-plugins/lib/sandbox/chat"
)

// IDs of the bot when the Options name none.
const (
	DefaultBotID         = "1000000000000000001"
	DefaultApplicationID = "1000000000000000002"
)

// Permission is a set of Discord's permission bits.
type Permission uint64

// The permissions that the sandbox knows.
const (
	Administrator         Permission = 1 << 3
	ViewChannel           Permission = 1 << 10
	SendMessages          Permission = 1 << 11
	ManageMessages        Permission = 1 << 13
	EmbedLinks            Permission = 1 << 14
	ReadMessageHistory    Permission = 1 << 16
	MentionEveryone       Permission = 1 << 17
	CreatePublicThreads   Permission = 1 << 35
	SendMessagesInThreads Permission = 1 << 38
)

// BotPermissions are what a bot needs to do all that the plugin can do.
const BotPermissions = ViewChannel | SendMessages | EmbedLinks | ReadMessageHistory | CreatePublicThreads | SendMessagesInThreads

// String is the number as the API writes it.
func (p Permission) String() string { return strconv.FormatUint(uint64(p), 10) }

// Has reports whether every bit of want is set.
func (p Permission) Has(want Permission) bool { return p&want == want }

// User is a person on Discord.
type User struct {
	// ID is a snowflake; it is made up when empty.
	ID string `json:"id"`
	// Name is the user name, GlobalName the name that people see (Name when
	// empty).
	Name       string `json:"name"`
	GlobalName string `json:"global_name"`
	// DMsClosed says that direct messages of the bot are refused with 50007.
	DMsClosed bool `json:"dms_closed,omitempty"`
	// Stranger says that the user shares no guild with the bot, so that direct
	// messages are refused with 50278.
	Stranger bool `json:"stranger,omitempty"`
	// Bot marks the account of an application.
	Bot bool `json:"bot,omitempty"`
}

// Guild is a server of Discord's.
type Guild struct {
	// ID is a snowflake; it is made up when empty.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Everyone and Bot are the permissions of the role @everyone and of the
	// bot's own role. When both are zero, the bot's role gets BotPermissions.
	Everyone Permission `json:"everyone"`
	Bot      Permission `json:"bot"`
	// WithoutBot says that the bot was not invited.
	WithoutBot bool      `json:"without_bot,omitempty"`
	Channels   []Channel `json:"channels,omitempty"`
}

// ChannelType is the number by which Discord tells kinds of channel apart.
type ChannelType int

// The kinds of channel that the sandbox has.
const (
	TextChannel         ChannelType = 0
	DMChannel           ChannelType = 1
	VoiceChannel        ChannelType = 2
	CategoryChannel     ChannelType = 4
	AnnouncementChannel ChannelType = 5
	AnnouncementThread  ChannelType = 10
	PublicThread        ChannelType = 11
	ForumChannel        ChannelType = 15
)

// Channel is a channel of a guild, a direct message or a thread.
type Channel struct {
	// ID is a snowflake; it is made up when empty. A thread has the ID of the
	// message that it belongs to.
	ID   string      `json:"id"`
	Name string      `json:"name,omitempty"`
	Type ChannelType `json:"type"`
	// GuildID is set for channels and threads of a guild.
	GuildID string `json:"guild_id,omitempty"`
	// ParentID is the channel that a thread is in.
	ParentID string `json:"parent_id,omitempty"`
	// User is the ID of the user at the other end of a direct message.
	User string `json:"user,omitempty"`
	// Deny and Allow change the permissions of the bot's role in the channel.
	Deny  Permission `json:"deny,omitempty"`
	Allow Permission `json:"allow,omitempty"`
	// Archived and Locked are of a thread. A thread that is archived, but not
	// locked, is opened by the next message.
	Archived bool `json:"archived,omitempty"`
	Locked   bool `json:"locked,omitempty"`
}

// IDs of what DefaultGuilds and DefaultUsers hold, for tests to name.
const (
	GuildID               = "1100000000000000000"
	AccessRequestsChannel = "1100000000000000001"
	SecurityChannel       = "1100000000000000002"
	DBTeamChannel         = "1100000000000000003"
	HiddenChannel         = "1100000000000000004"
	ReadOnlyChannel       = "1100000000000000005"
	AliceID               = "1200000000000000001"
	BobID                 = "1200000000000000002"
	CarolID               = "1200000000000000003"
	DaveID                = "1200000000000000004"
)

// DefaultUsers are alice, bob, carol and dave.
func DefaultUsers() []User {
	return []User{
		{ID: AliceID, Name: "alice", GlobalName: "Alice"},
		{ID: BobID, Name: "bob", GlobalName: "Bob"},
		{ID: CarolID, Name: "carol", GlobalName: "Carol"},
		{ID: DaveID, Name: "dave", GlobalName: "Dave"},
	}
}

// DefaultGuilds are the guild "Sandbox" with the text channels access-requests,
// security and db-team, where the bot may do all it needs, hidden, which it
// cannot see, and read-only, where it cannot write.
func DefaultGuilds() []Guild {
	return []Guild{{
		ID: GuildID, Name: "Sandbox", Bot: BotPermissions,
		Channels: []Channel{
			{ID: AccessRequestsChannel, Name: "access-requests"},
			{ID: SecurityChannel, Name: "security"},
			{ID: DBTeamChannel, Name: "db-team"},
			{ID: HiddenChannel, Name: "hidden", Deny: ViewChannel},
			{ID: ReadOnlyChannel, Name: "read-only", Deny: SendMessages},
		},
	}}
}

// channel is a channel with what was said in it.
type channel struct {
	Channel
	chat.Log[message] // by ID
}

// nonceUse is where a nonce was used last.
type nonceUse struct {
	channel string
	message uint64
	at      time.Time
}

// world is everything that the server's lock guards.
type world struct {
	token  string
	botID  string
	users  map[string]*User
	guilds map[string]*Guild
	// guildOrder and order list the ids in the order in which they came to be.
	guildOrder []string
	order      []string
	channels   map[string]*channel
	dms        map[string]string // user → channel
	nonces     map[string]nonceUse
	lastID     uint64

	way // back to the plugin
}

func newWorld(o Options) world {
	w := world{
		token: o.Token, botID: o.BotID, users: make(map[string]*User), guilds: make(map[string]*Guild),
		channels: make(map[string]*channel), dms: make(map[string]string), nonces: make(map[string]nonceUse), way: newWay(o),
	}
	w.addUser(User{ID: o.BotID, Name: o.BotName})
	for _, u := range o.Users {
		w.addUser(u)
	}
	for _, g := range o.Guilds {
		w.addGuild(g)
	}
	return w
}

// epoch is the beginning of Discord's time, in Unix milliseconds.
const epoch = 1420070400000

// newID is a snowflake of the given time, larger than any made before it.
func (w *world) newID(now time.Time) uint64 {
	w.lastID = max(w.lastID+1, uint64(max(now.UnixMilli()-epoch, 0))<<22)
	return w.lastID
}

// timeOf is when a snowflake was made.
func timeOf(id uint64) time.Time { return time.UnixMilli(int64(id>>22) + epoch).UTC() }

func formatID(id uint64) string { return strconv.FormatUint(id, 10) }

// madeUp is an ID that nothing else has, for what is set up without one.
func (w *world) madeUp() string {
	return fmt.Sprintf("13%017d", len(w.users)+len(w.guilds)+len(w.channels))
}

func (w *world) addUser(u User) User {
	u.ID = cmp.Or(u.ID, w.madeUp())
	u.GlobalName = cmp.Or(u.GlobalName, u.Name)
	w.users[u.ID] = &u
	return u
}

func (w *world) addGuild(g Guild) Guild {
	g.ID = cmp.Or(g.ID, w.madeUp())
	if g.Everyone == 0 && g.Bot == 0 {
		g.Bot = BotPermissions
	}
	channels := g.Channels
	g.Channels = nil
	if w.guilds[g.ID] == nil {
		w.guildOrder = append(w.guildOrder, g.ID)
	}
	w.guilds[g.ID] = &g
	for _, c := range channels {
		c.GuildID = g.ID
		w.addChannel(c)
	}
	return g
}

func (w *world) addChannel(c Channel) Channel {
	c.ID = cmp.Or(c.ID, w.madeUp())
	if old, ok := w.channels[c.ID]; ok {
		old.Channel = c
	} else {
		w.channels[c.ID] = &channel{Channel: c}
		w.order = append(w.order, c.ID)
	}
	if c.Type == DMChannel && c.User != "" {
		w.dms[c.User] = c.ID
	}
	return c
}

// openDM returns the bot's channel with the user, making it if need be.
func (w *world) openDM(user string, now time.Time) *channel {
	if id, ok := w.dms[user]; ok {
		return w.channels[id]
	}
	return w.channels[w.addChannel(Channel{ID: formatID(w.newID(now)), Type: DMChannel, User: user}).ID]
}

// permissions are what the bot may do in a channel.
func (w *world) permissions(ch *channel) Permission {
	switch {
	case ch.Type == DMChannel:
		return BotPermissions &^ (CreatePublicThreads | SendMessagesInThreads)
	case ch.IsThread():
		if parent := w.channels[ch.ParentID]; parent != nil {
			return w.permissions(parent)
		}
		return 0
	}
	g := w.guilds[ch.GuildID]
	if g == nil || g.WithoutBot {
		return 0
	}
	p := g.Everyone | g.Bot
	if p.Has(Administrator) {
		return ^Permission(0)
	}
	return p&^ch.Deny | ch.Allow
}

// IsThread reports whether it is a thread.
func (c Channel) IsThread() bool { return c.Type == PublicThread || c.Type == AnnouncementThread }

// visible finds a channel as the bot sees it.
func (w *world) visible(id string) (*channel, error) {
	ch, ok := w.channels[id]
	if !ok {
		return nil, failure(10003)
	}
	if !w.permissions(ch).Has(ViewChannel) {
		return nil, failure(50001)
	}
	return ch, nil
}

// guild finds a guild that the bot is in.
func (w *world) guild(id string) (*Guild, error) {
	g, ok := w.guilds[id]
	if !ok {
		return nil, failure(10004)
	}
	if g.WithoutBot {
		return nil, failure(50001)
	}
	return g, nil
}

// named finds a channel by its ID, by its name, or, for a direct message, by
// the user's ID or name.
func (w *world) named(name string) *channel {
	if ch, ok := w.channels[name]; ok {
		return ch
	}
	if id, ok := w.dms[name]; ok {
		return w.channels[id]
	}
	for _, id := range w.order {
		if ch := w.channels[id]; ch.Name == name && !ch.IsThread() {
			return ch
		}
	}
	for id, u := range w.users {
		if dm, ok := w.dms[id]; ok && u.Name == name {
			return w.channels[dm]
		}
	}
	return nil
}

// live returns the message with the written id that is still there, or nil.
func (ch *channel) live(text string) *message {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil
	}
	if m := ch.Find(int64(id)); m != nil && !m.Deleted {
		return m
	}
	return nil
}

// remove marks a message as deleted.
func (ch *channel) remove(m *message) {
	gone := *m
	gone.Deleted = true
	ch.Put(int64(m.id), &gone)
}
