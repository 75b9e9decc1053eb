package discord

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"
	"go.uber.org/zap"

	"teleport-plugins/lib/history"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/remind"
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
	log        *zap.Logger
	configured []string          // recipients that the config names
	users      map[string]string // Teleport user in lower case to Discord user id
	history    *history.Index

	mu      sync.Mutex
	self    string               // our own user id, once known
	refused map[string]time.Time // what a channel does not allow, and until when that is believed
	known   map[string]found     // server/channel to channel id
}

var _ interface {
	reconcile.Service
	reconcile.Replier
	reconcile.Finder
	reconcile.RequesterTeller
	remind.Service
	plugin.Inspector
} = (*service)(nil)

func newService(section Section, d plugin.Deps) *service {
	s := &service{
		client: newClient(section, d.Transport), log: d.Log, users: section.Users,
		refused: make(map[string]time.Time), known: make(map[string]found),
	}
	s.history = history.New(s.readHistory)
	return s
}

// Person is the recipient that stands for a Teleport user, or empty.
func (s *service) Person(name string) string {
	if id, ok := s.users[strings.ToLower(name)]; ok {
		return userPrefix + id
	}
	return ""
}

// What a channel may not allow beside posts.
const (
	embeds  = "embeds"
	threads = "threads"
)

// refusalAge is how long it is believed that a channel does not allow something.
const refusalAge = time.Hour

// refuses reports whether the channel is known not to allow something.
func (s *service) refuses(what, channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.refused[what+" "+channel])
}

// refuse notes that a channel does not allow something. It reports whether
// that is news.
func (s *service) refuse(what, channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := what + " " + channel
	if time.Now().Before(s.refused[key]) {
		return false
	}
	s.refused[key] = time.Now().Add(refusalAge)
	return true
}

// Post announces a request. A nonce keeps a repeat within a few minutes from
// posting twice: Discord then answers with the message that is there, which is
// brought up to date.
func (s *service) Post(ctx context.Context, channel string, v message.View) (plugindata.Message, error) {
	c := s.announcement(channel, v)
	got, err := s.send(ctx, channel, c, nonce(v, channel, "post"))
	if hasCode(err, missingRight) && len(c.embeds) > 0 && s.refuse(embeds, channel) {
		c = s.announcement(channel, v)
		got, err = s.send(ctx, channel, c, nonce(v, channel, "post"))
	}
	if hasCode(err, unknownMessage) { // it was removed since
		got, err = s.send(ctx, channel, c, nonce(v, channel, "post again"))
	}
	if err != nil {
		return plugindata.Message{}, err
	}
	m := plugindata.Message{Channel: channel, ID: got.ID}
	if !shows(got, c) {
		return m, s.Edit(ctx, m, v)
	}
	return m, nil
}

func (s *service) announcement(channel string, v message.View) content {
	return announcement(v, s.refuses(embeds, channel), s.users[strings.ToLower(v.User)])
}

// shows reports whether a message is what was sent.
func shows(m *discordgo.Message, c content) bool {
	if strings.TrimSpace(m.Content) != strings.TrimSpace(c.text) || len(m.Embeds) != len(c.embeds) {
		return false
	}
	for i, e := range m.Embeds {
		if strings.TrimSpace(e.Title) != strings.TrimSpace(c.embeds[i].Title) || strings.TrimSpace(e.Description) != strings.TrimSpace(c.embeds[i].Description) {
			return false
		}
	}
	return true
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
}

// put posts or edits a message.
func (s *service) put(ctx context.Context, op, channel, url string, b body) (m *discordgo.Message, err error) {
	err = s.do(ctx, op, channel, func(api *discordgo.Session, with discordgo.RequestOption) error {
		method, _, _ := strings.Cut(op, " ")
		answer, err := api.RequestWithBucketID(method, url, b, "", with)
		if err == nil {
			err = json.Unmarshal(answer, &m)
		}
		return err
	})
	if err == nil && (m == nil || m.ID == "") {
		err = &outbound.Error{Kind: outbound.Unclear, Op: op, Err: errors.New("the answer names no message")}
	}
	return m, err
}

func (s *service) send(ctx context.Context, channel string, c content, nonce string) (*discordgo.Message, error) {
	if !isID(channel) {
		return nil, notFound(createMessage, channel)
	}
	return s.put(ctx, createMessage, channel, discordgo.EndpointChannelMessages(channel), body{c.text, c.embeds, c.buttons, quiet(), nonce, true})
}

// Edit makes a post show the view. Reviews of which only the number is known any
// more stay as they are.
func (s *service) Edit(ctx context.Context, m plugindata.Message, v message.View) error {
	if !isID(m.Channel) || !isID(m.ID) {
		return notFound(editMessage, m.Channel+"/"+m.ID)
	}
	for {
		c := s.announcement(m.Channel, v)
		if len(c.embeds) > 0 && slices.ContainsFunc(v.Reviews, unknown) {
			c.embeds = pack(c.embeds[0], s.shownReviews(ctx, m, v))
		}
		got, err := s.patch(ctx, m, c)
		lost := err == nil && len(got.Embeds) == 0 || hasCode(err, missingRight)
		if !lost || len(c.embeds) == 0 || !s.refuse(embeds, m.Channel) {
			return err
		}
	}
}

func (s *service) patch(ctx context.Context, m plugindata.Message, c content) (*discordgo.Message, error) {
	return s.put(ctx, editMessage, m.Channel, discordgo.EndpointChannelMessage(m.Channel, m.ID),
		body{Content: c.text, Embeds: c.embeds, Components: c.buttons, AllowedMentions: quiet()})
}

// shownReviews are the reviews that a post shows now.
func (s *service) shownReviews(ctx context.Context, m plugindata.Message, v message.View) []*discordgo.MessageEmbed {
	var now *discordgo.Message
	err := s.do(ctx, getMessage, m.Channel, func(api *discordgo.Session, with discordgo.RequestOption) (err error) {
		now, err = api.ChannelMessage(m.Channel, m.ID, with)
		return err
	})
	if err != nil || now == nil {
		s.log.Debug("The reviews of a request that is gone cannot be kept", zap.String("request_id", v.ID), zap.Error(err))
		return nil
	}
	return slices.DeleteFunc(now.Embeds, func(e *discordgo.MessageEmbed) bool { return isCard(e, v.ID) })
}

func isCard(e *discordgo.MessageEmbed, id string) bool {
	return e.Footer != nil && e.Footer.Text == footer(id)
}

// Reply tells a review in the thread of the announcement, which has the id of
// the message. Where there can be no threads, the announcement alone shows it.
func (s *service) Reply(ctx context.Context, m plugindata.Message, v message.View, review int) error {
	r := v.Reviews[review]
	if unknown(r) || s.refuses(threads, m.Channel) {
		return nil
	}
	var err error
	if review == 0 {
		err = s.openThread(ctx, m, v)
	}
	if err == nil {
		err = s.reply(ctx, m, v, review)
	}
	if hasCode(err, unknownChannel) {
		if err = s.openThread(ctx, m, v); err == nil {
			err = s.reply(ctx, m, v, review)
		}
	}
	switch {
	case hasCode(err, wrongChannelType): // direct messages have no threads
		s.refuse(threads, m.Channel)
		return nil
	case hasCode(err, missingRight, missingAccess, tooManyThreads) && s.refuse(threads, m.Channel):
		err.(*outbound.Error).Hint = `give the bot the permissions "Create Public Threads" and "Send Messages in Threads" in the channel; until then the announcement alone shows the reviews`
	}
	return err
}

func (s *service) reply(ctx context.Context, m plugindata.Message, v message.View, review int) error {
	_, err := s.send(ctx, m.ID, content{text: replyText(v.Reviews[review])}, nonce(v, m.ID, "review", review))
	return err
}

// threadMinutes is how long a thread stays in the list after its last message.
const threadMinutes = 1440

func (s *service) openThread(ctx context.Context, m plugindata.Message, v message.View) error {
	if !isID(m.Channel) || !isID(m.ID) {
		return notFound(startThread, m.Channel+"/"+m.ID)
	}
	err := s.do(ctx, startThread, m.Channel, func(api *discordgo.Session, with discordgo.RequestOption) error {
		_, err := api.RequestWithBucketID("POST", discordgo.EndpointChannelMessageThread(m.Channel, m.ID), map[string]any{
			"name": "Access request from " + plainText(v.User, 30), "auto_archive_duration": threadMinutes,
		}, "", with)
		return err
	})
	if hasCode(err, threadExists) {
		return nil
	}
	return err
}

// Requester is the Discord user that the config names for the requester.
func (s *service) Requester(v message.View) string { return s.Person(v.User) }

// Notice tells the requester how the request ended.
func (s *service) Notice(ctx context.Context, address string, v message.View) error {
	_, err := s.send(ctx, address, content{text: noticeText(v)}, nonce(v, address, "notice", v.Status))
	return err
}

// Remind tells an owner of the access lists that are to be reviewed.
func (s *service) Remind(ctx context.Context, address string, r remind.Reminder) error {
	_, err := s.send(ctx, address, content{text: reminderText(r)}, reminderNonce(r, address))
	return err
}

// Check asks Discord who we are.
func (s *service) Check(ctx context.Context) error {
	return s.do(ctx, getSelf, "", func(api *discordgo.Session, with discordgo.RequestOption) error {
		u, err := api.User("@me", with)
		if err == nil && u != nil {
			s.mu.Lock()
			s.self = u.ID
			s.mu.Unlock()
		}
		return err
	})
}

// me is our own user id.
func (s *service) me(ctx context.Context) (string, error) {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	if self != "" {
		return self, nil
	}
	if err := s.Check(ctx); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.self, nil
}
