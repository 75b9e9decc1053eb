package discord

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"
	"go.uber.org/zap"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/history"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/request"
)

// The calls, by the names that errors and metrics give them.
const (
	createMessage = "POST /channels/{channel}/messages"
	listMessages  = "GET /channels/{channel}/messages"
	getMessage    = "GET /channels/{channel}/messages/{message}"
	editMessage   = "PATCH /channels/{channel}/messages/{message}"
	startThread   = "POST /channels/{channel}/messages/{message}/threads"
	getSelf       = "GET /users/@me"
)

// service carries requests to Discord's channels and people.
type service struct {
	client
	log     *zap.Logger
	people  *identity.People
	history *history.Index
	drafts  message.Drafts[form, content]
	asks    func(verdict request.Status) bool // whether a verdict needs a reason
	listens bool                              // people may decide in Discord
	times   times

	mu      sync.Mutex
	self    string               // our own user id, once known
	lacking map[string]time.Time // what a channel does not allow, and until when that is believed
	// threadly says of channels with buttons whether they are threads.
	threadly map[string]bool
}

var _ interface {
	integration.Service
	integration.Shower
	integration.Finder
	integration.Requester
	remind.Service
	plugin.Inspector
	decision.Listener
} = (*service)(nil)

func newService(section Section, people *identity.People, d plugin.Deps) *service {
	s := &service{
		client: newClient(section, d.Transport), log: d.Log, people: people, lacking: make(map[string]time.Time),
		asks: decision.DefaultSettings().AsksReason, times: usualTimes(),
	}
	s.history = history.New(s.readHistory)
	return s
}

// Person is the recipient that stands for a Teleport user, or empty.
func (s *service) Person(ctx context.Context, user string) string {
	return s.people.Find(ctx, user).Name
}

// known takes the id of a user for one by which Discord knows somebody.
func known(text string) (name string, ok bool) {
	id := strings.TrimPrefix(text, userPrefix)
	return userPrefix + id, isID(id)
}

// What a channel may not allow beside posts.
const (
	embeds  = "embeds"
	threads = "threads"
)

const (
	// lackAge is how long it is believed that a channel does not allow something.
	lackAge = 15 * time.Minute
	// maxLacking bounds how many channels are remembered.
	maxLacking = 10_000
)

// lacks reports whether the channel is known not to allow something.
func (s *service) lacks(what, channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.lacking[what+" "+channel])
}

// lack notes that a channel does not allow something. It reports whether that is
// news.
func (s *service) lack(what, channel string) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := what + " " + channel
	_, known := s.lacking[key]
	if len(s.lacking) >= maxLacking {
		clear(s.lacking)
	}
	s.lacking[key] = time.Now().Add(lackAge)
	return !known
}

// has notes that a channel allows something after all.
func (s *service) has(what, channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lacking, what+" "+channel)
}

// Tells says that an announcement itself shows how its request ended.
func (s *service) Tells(k integration.Kind) bool { return k != integration.End }

// Tell makes an effect happen. A nonce keeps a call that is repeated within a few
// minutes from telling it twice: Discord then answers with the message that is
// there, as it is now.
func (s *service) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	switch e.Kind {
	case integration.Announce:
		return s.announce(ctx, to.Address, e, v)
	case integration.Review:
		return plugindata.Message{}, s.review(ctx, to.Message, e, v)
	case integration.End:
		return plugindata.Message{}, s.answer(ctx, to.Message, endNote(v, statusOf(e, v)), e, v)
	case integration.Notice:
		return plugindata.Message{}, s.tell(ctx, to.Address, noticeNote(v, statusOf(e, v)), e, v)
	case integration.Pending:
		return plugindata.Message{}, s.answer(ctx, to.Message, pendingNote(e, v), e, v)
	case integration.Ending:
		return plugindata.Message{}, s.tell(ctx, to.Address, endingNote(e, v), e, v)
	}
	return plugindata.Message{}, refused(createMessage, outbound.OneCall, "nothing is known of the effect "+e.String(), "")
}

// announce posts an announcement.
func (s *service) announce(ctx context.Context, channel string, e integration.Effect, v request.View) (m plugindata.Message, err error) {
	err = s.fit(ctx, channel, v, func(c content) (answer, error) {
		if m.ID != "" { // it is there, but its embeds were dropped
			return s.patch(ctx, m, c)
		}
		got, err := s.send(ctx, channel, c, nonce(v, channel, e, ""))
		if hasCode(err, unknownMessage) { // it was posted a moment ago, and removed since
			got, err = s.send(ctx, channel, c, nonce(v, channel, e, "again"))
		}
		if err == nil {
			m = plugindata.Message{Channel: channel, ID: got.ID}
		}
		return got, err
	})
	if m.ID != "" {
		err = nil // the next Show tries again to bring it into form
	}
	return m, err
}

// Show makes an announcement show the view. Reviews of which only the number is
// known any more stay as they are.
func (s *service) Show(ctx context.Context, m plugindata.Message, v request.View) error {
	if !isID(m.Channel) || !isID(m.ID) {
		return notAnID(editMessage, m.Channel+"/"+m.ID)
	}
	return s.fit(ctx, m.Channel, v, func(c content) (answer, error) {
		if len(c.embeds) > 0 && slices.ContainsFunc(v.Reviews, unknown) {
			shown, err := s.shownReviews(ctx, m, v)
			if err != nil {
				return answer{}, err
			}
			c.embeds = keepReviews(c.embeds[0], shown)
		}
		return s.patch(ctx, m, c)
	})
}

// shownReviews are the reviews that a message shows now; none if it may not be
// read.
func (s *service) shownReviews(ctx context.Context, m plugindata.Message, v request.View) ([]*discordgo.MessageEmbed, error) {
	now, err := s.get(ctx, m)
	if outbound.KindOf(err) == outbound.Refused {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(now.Embeds, func(e *discordgo.MessageEmbed) bool { return isCard(e, v.ID) }), nil
}

func isCard(e *discordgo.MessageEmbed, id string) bool {
	return e.Footer != nil && e.Footer.Text == footer(id)
}

// fit puts an announcement, with buttons where the channel has them, in the fullest
// form that Discord takes.
func (s *service) fit(ctx context.Context, channel string, v request.View, put func(content) (answer, error)) error {
	v, err := s.offered(ctx, channel, v)
	if err != nil {
		return err
	}
	return s.shrink(ctx, channel, v, put)
}

// shrink puts an announcement in the fullest form that Discord takes. Where embeds
// are not allowed it drops them, and takes the rest, or it refuses the message; it
// does the like for other reasons, so that the channel's permissions have the last
// word on whether later messages go without.
func (s *service) shrink(ctx context.Context, channel string, v request.View, put func(content) (answer, error)) error {
	f := full
	if s.lacks(embeds, channel) {
		f = plain
	}
	denied := false
	for ; ; f++ {
		mention := strings.TrimPrefix(s.Person(ctx, v.User), userPrefix)
		c := s.drafts.Of(v, f, func() content { return announcement(v, f, mention) })
		got, err := put(c)
		switch {
		case err == nil && len(c.embeds) > 0 && len(got.Embeds) == 0:
			denied = true
		case f == full && hasCode(err, missingRight):
			denied = true
		case f < bare && refusesContent(err):
		case err == nil && denied:
			s.learn(ctx, channel)
			return nil
		default:
			return err
		}
	}
}

// learn remembers a channel in which we may not embed.
func (s *service) learn(ctx context.Context, channel string) {
	if s.withholds(ctx, channel, discordgo.PermissionEmbedLinks) {
		s.lack(embeds, channel)
	}
}

// answer sends a note to a channel, as an answer to a message there; without a message to
// answer where the bot may not read what was posted before.
func (s *service) answer(ctx context.Context, m plugindata.Message, n note, e integration.Effect, v request.View) error {
	n.answers = m.ID
	err := s.tell(ctx, m.Channel, n, e, v)
	if hasCode(err, blindReply) {
		n.answers = ""
		err = s.tell(ctx, m.Channel, n, e, v)
	}
	return err
}

// tell sends a note. One that Discord refuses for what it holds is cut to its first
// line.
func (s *service) tell(ctx context.Context, channel string, n note, e integration.Effect, v request.View) error {
	_, err := s.send(ctx, channel, content{text: n.text(), answers: n.answers}, nonce(v, channel, e, ""))
	if n.rest != "" && refusesContent(err) {
		_, err = s.send(ctx, channel, content{text: n.head, answers: n.answers}, nonce(v, channel, e, ""))
	}
	if hasCode(err, unknownMessage) { // it was told a moment ago, and removed since
		return nil
	}
	return err
}

// quiet lets no mention in a message ping anybody.
func quiet() *discordgo.MessageAllowedMentions {
	return &discordgo.MessageAllowedMentions{Parse: []discordgo.AllowedMentionType{}}
}

// body is what is sent to post and to edit. The library's own types know no
// nonce, and send members that Discord does not know.
type body struct {
	Content         string                            `json:"content"`
	Embeds          []*discordgo.MessageEmbed         `json:"embeds"`
	Components      []discordgo.MessageComponent      `json:"components"`
	AllowedMentions *discordgo.MessageAllowedMentions `json:"allowed_mentions"`
	Nonce           string                            `json:"nonce,omitempty"`
	EnforceNonce    bool                              `json:"enforce_nonce,omitempty"`
	Reference       *reference                        `json:"message_reference,omitempty"`
}

// reference is the message that a message answers. One that was removed is answered
// all the same.
type reference struct {
	MessageID       string `json:"message_id"`
	FailIfNotExists bool   `json:"fail_if_not_exists"`
}

// answer is what is read of the message that Discord answers with.
type answer struct {
	ID     string
	Embeds []struct{}
}

// put posts or edits a message.
func (s *service) put(ctx context.Context, op, channel, url string, b body) (got answer, err error) {
	err = s.raw(ctx, op, channel, url, b, &got)
	if err == nil && !isID(got.ID) {
		err = &outbound.Error{Kind: outbound.Unclear, Op: op, Err: errors.New("the answer names no message"), Hint: foreignHint}
	}
	return got, err
}

func (s *service) send(ctx context.Context, channel string, c content, nonce string) (answer, error) {
	if !isID(channel) {
		return answer{}, notAnID(createMessage, channel)
	}
	b := body{Content: c.text, Embeds: c.embeds, Components: c.buttons, AllowedMentions: quiet(), Nonce: nonce, EnforceNonce: true}
	if isID(c.answers) {
		b.Reference = &reference{MessageID: c.answers}
	}
	return s.put(ctx, createMessage, channel, discordgo.EndpointChannelMessages(channel), b)
}

func (s *service) patch(ctx context.Context, m plugindata.Message, c content) (answer, error) {
	return s.put(ctx, editMessage, m.Channel, discordgo.EndpointChannelMessage(m.Channel, m.ID),
		body{Content: c.text, Embeds: c.embeds, Components: c.buttons, AllowedMentions: quiet()})
}

// notAnID refuses what would lead to another address of Discord's.
func notAnID(op, text string) error {
	return refused(op, outbound.OneCall, strconv.Quote(text)+" is none of Discord's ids", "")
}

// Requester is the Discord user that the config names for the requester.
func (s *service) Requester(ctx context.Context, v request.View) string {
	return s.Person(ctx, v.User)
}

// Remind tells an owner of the access lists that are to be reviewed.
func (s *service) Remind(ctx context.Context, address string, r remind.Reminder) error {
	_, err := s.send(ctx, address, content{text: reminderText(r)}, reminderNonce(r, address))
	if hasCode(err, unknownMessage) { // it was sent a moment ago, and removed since
		return nil
	}
	return err
}

// Check asks Discord who we are.
func (s *service) Check(ctx context.Context) error {
	_, err := s.ask(ctx)
	return err
}

// ask asks Discord for our own user id.
func (s *service) ask(ctx context.Context) (self string, err error) {
	var user struct{ ID string }
	if err := s.raw(ctx, getSelf, "", discordgo.EndpointUser("@me"), nil, &user); err != nil {
		return "", err
	}
	if !isID(user.ID) {
		return "", &outbound.Error{Kind: outbound.Retry, Op: getSelf, Err: errors.New("the answer names no user"), Hint: foreignHint}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.self = user.ID
	return user.ID, nil
}

// me is our own user id. A token that is replaced is one of the same bot.
func (s *service) me(ctx context.Context) (string, error) {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	if self != "" {
		return self, nil
	}
	return s.ask(ctx)
}
