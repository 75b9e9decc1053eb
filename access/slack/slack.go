package slack

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"teleport-plugins/lib/history"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/remind"
)

// service carries requests to one Slack workspace.
type service struct {
	client
	log        *zap.Logger
	note       func(name, text string)
	configured []string          // recipients that the config names
	users      map[string]string // Teleport user to recipient
	history    *history.Index

	mu    sync.Mutex
	ids   map[string]found // e-mail address to user id
	bot   string           // our own bot id, once known
	scope string           // scopes of the token, as Slack tells them
}

// found is an answer of Slack's directory.
type found struct {
	id    string
	until time.Time
}

// directoryAge is how long an answer of Slack's directory is trusted.
const directoryAge = 10 * time.Minute

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
		client: client{token: section.Token, api: section.APIURL, transport: d.Transport, http: d.Transport.Client()},
		log:    d.Log, note: d.Note, ids: make(map[string]found),
	}
	s.history = history.New(s.readHistory)
	return s
}

// Resolve finds the user with an e-mail address; any other recipient is a
// channel or an id, which Slack takes as it is.
func (s *service) Resolve(ctx context.Context, name string) (string, error) {
	if !recipient.IsEmail(name) {
		return name, nil
	}
	if id, ok := s.cached(name); ok {
		return id, nil
	}
	var id string
	err := s.do(ctx, "users.lookupByEmail", "", func(ctx context.Context, api *slack.Client) error {
		user, err := api.GetUserByEmailContext(ctx, name)
		if err != nil {
			return err
		}
		id = user.ID
		return answered(id != "")
	})
	if err != nil {
		return "", ownTrouble(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ids) >= 10_000 {
		clear(s.ids)
	}
	s.ids[name] = found{id, time.Now().Add(directoryAge)}
	return id, nil
}

func (s *service) cached(email string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.ids[email]
	return f.id, ok && time.Now().Before(f.until)
}

// ownTrouble makes a missing scope the trouble of the one recipient that needs
// it: the others go on.
func ownTrouble(err error) error {
	if e, ok := err.(*outbound.Error); ok && hasCode(err, "missing_scope", "no_permission", "access_denied") {
		e.Kind = outbound.Permanent
	}
	return err
}

// Post announces a request.
func (s *service) Post(ctx context.Context, address string, v message.View) (plugindata.Message, error) {
	c := announcement(v)
	c.mark = mark(v, announced)
	return s.post(ctx, address, c)
}

// post sends a message. Should Slack refuse its form, a plain one goes out in its
// place.
func (s *service) post(ctx context.Context, address string, c content, opts ...slack.MsgOption) (plugindata.Message, error) {
	m, err := s.send(ctx, address, append(c.options(), opts...))
	if aboutContent(err) {
		s.log.Warn("Slack refused the form of a message; a plain one is sent", zap.Error(err))
		m, err = s.send(ctx, address, append(c.plain().options(), opts...))
	}
	return m, err
}

func (s *service) send(ctx context.Context, address string, opts []slack.MsgOption) (m plugindata.Message, err error) {
	err = s.do(ctx, "chat.postMessage", address, func(ctx context.Context, api *slack.Client) error {
		channel, ts, err := api.PostMessageContext(ctx, address, append(opts,
			slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())...)
		if err != nil {
			return err
		}
		m = plugindata.Message{Channel: channel, ID: ts}
		return answered(channel != "" && ts != "")
	})
	return m, err
}

// Edit makes a post show the view. Where Slack does not let it be edited any
// more, the new state is told in its thread.
func (s *service) Edit(ctx context.Context, m plugindata.Message, v message.View) error {
	c := announcement(v)
	err := s.update(ctx, m, c)
	if aboutContent(err) {
		s.log.Warn("Slack refused the form of a message; it is made a plain one", zap.String("request_id", v.ID), zap.Error(err))
		err = s.update(ctx, m, c.plain())
	}
	if hasCode(err, "edit_window_closed", "cant_update_message") {
		_, err = s.post(ctx, m.Channel, stateReply(v), thread(m))
	}
	return err
}

func (s *service) update(ctx context.Context, m plugindata.Message, c content) error {
	return s.do(ctx, "chat.update", m.Channel, func(ctx context.Context, api *slack.Client) error {
		_, ts, _, err := api.UpdateMessageContext(ctx, m.Channel, m.ID, c.options()...)
		if err != nil {
			return err
		}
		return answered(ts != "")
	})
}

// Reply tells a review in the thread of the announcement.
func (s *service) Reply(ctx context.Context, m plugindata.Message, v message.View, review int) error {
	c := reviewReply(v, review)
	c.mark = mark(v, review)
	_, err := s.post(ctx, m.Channel, c, thread(m))
	return err
}

func thread(m plugindata.Message) slack.MsgOption { return slack.MsgOptionTS(m.ID) }

// Requester is the recipient that stands for the Teleport user who asks.
func (s *service) Requester(v message.View) string { return s.Person(v.User) }

// person is the recipient that the config names for a Teleport user, or the
// user's name if it is an e-mail address.
func (s *service) person(user string) (name string, ok bool) {
	if name := s.users[user]; name != "" {
		return name, true
	}
	if recipient.IsEmail(user) {
		return user, true
	}
	return "", false
}

// Notice tells the requester how the request ended.
func (s *service) Notice(ctx context.Context, address string, v message.View) error {
	_, err := s.post(ctx, address, notice(v))
	return err
}

// Person is the recipient that stands for a Teleport user.
func (s *service) Person(user string) string {
	name, _ := s.person(user)
	return name
}

// Remind tells an owner of the access lists that are to be reviewed.
func (s *service) Remind(ctx context.Context, address string, r remind.Reminder) error {
	_, err := s.post(ctx, address, reminder(r))
	return err
}

// Check asks Slack who we are, and notes what it does not let us do.
func (s *service) Check(ctx context.Context) error {
	err := s.do(ctx, "auth.test", "", func(ctx context.Context, api *slack.Client) error {
		r, err := api.AuthTestContext(ctx)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bot, s.scope = r.BotID, r.Header.Get("X-OAuth-Scopes")
		return answered(r.UserID != "")
	})
	if err == nil && s.note != nil {
		text := ""
		if missing := s.unsearchable(); len(missing) > 0 {
			text = "off: recipients are told one after another, and a crash may double one message; add to the Slack app the scope " +
				strings.Join(missing, ", ")
		}
		s.note("looking messages up", text)
	}
	return err
}

func (s *service) known() (bot, scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bot, s.scope
}

// The metadata of our messages, by which they are found again. Every member of
// a channel may read it, so it holds ids alone.
const (
	markType    = "teleport_access_request"
	markRequest = "request"
	markCreated = "created"
	markIndex   = "review"
)

// maxMark bounds the id in the metadata, whose size Slack limits. Teleport's own
// ids have 36 characters.
const maxMark = 200

// announced stands in the place of a review's index for the announcement.
const announced = -1

// mark is the metadata of the announcement, or of the reply that tells a review.
func mark(v message.View, review int) *slack.SlackMetadata {
	payload := map[string]any{markRequest: message.Cut(v.ID, maxMark), markCreated: strconv.FormatInt(v.Created.Unix(), 10)}
	if review != announced {
		payload[markIndex] = strconv.Itoa(review)
	}
	return &slack.SlackMetadata{EventType: markType, EventPayload: payload}
}

// ours reports whether a message of ours carries the mark.
func (s *service) ours(m slack.Message, want *slack.SlackMetadata) bool {
	return s.own(m) && reflect.DeepEqual(m.Metadata, *want)
}

// own reports whether a message comes from our own app, as far as that is known.
func (s *service) own(m slack.Message) bool {
	bot, _ := s.known()
	return bot == "" || m.BotID == bot
}

// CanFind says whether the app may read all kinds of conversations that it posts
// in. Slack names the scopes of a token in each answer; before the first one
// they count as missing.
func (s *service) CanFind() bool { return len(s.unsearchable()) == 0 }

// unsearchable are the scopes that are missing for that.
func (s *service) unsearchable() (missing []string) {
	_, scope := s.known()
	for _, need := range []string{"channels:history", "groups:history", "im:history", "im:write"} {
		if !hasScope(scope, need) {
			missing = append(missing, need)
		}
	}
	return missing
}

// hasScope looks for a scope in Slack's list, which commas part.
func hasScope(list, scope string) bool {
	return strings.Contains(","+strings.ReplaceAll(list, " ", "")+",", ","+scope+",")
}

// Find looks for an announcement in what was said since the request was made.
// Without the scope to read the conversation it finds nothing.
func (s *service) Find(ctx context.Context, address string, v message.View) (m plugindata.Message, ok bool, err error) {
	channel, err := s.conversation(ctx, address)
	if err != nil || channel == "" {
		return m, false, unreadable(err)
	}
	ts, err := s.history.Find(ctx, channel, v.Created, markKey(mark(v, announced)))
	if err != nil || ts == "" {
		return m, false, unreadable(err)
	}
	return plugindata.Message{Channel: channel, ID: ts}, true, nil
}

// FindReply looks for a reply in the thread of the announcement.
func (s *service) FindReply(ctx context.Context, m plugindata.Message, v message.View, review int) (ok bool, err error) {
	params := &slack.GetConversationRepliesParameters{
		ChannelID: m.Channel, Timestamp: m.ID, Limit: 200, Inclusive: true, IncludeAllMetadata: true,
	}
	for range searchPages {
		var page []slack.Message
		var more bool
		err := s.do(ctx, "conversations.replies", m.Channel, func(ctx context.Context, api *slack.Client) (err error) {
			page, more, params.Cursor, err = api.GetConversationRepliesContext(ctx, params)
			if err != nil {
				return err
			}
			return answered(len(page) > 0) // the announcement leads every page
		})
		if err != nil {
			return false, unreadable(err)
		}
		for _, msg := range page {
			if s.ours(msg, mark(v, review)) {
				return true, nil
			}
		}
		if !more || params.Cursor == "" {
			break
		}
	}
	return false, nil
}

// conversation turns an address into the id under which its history is read.
func (s *service) conversation(ctx context.Context, address string) (id string, err error) {
	if !isUser(address) {
		return s.channelID(ctx, address)
	}
	err = s.do(ctx, "conversations.open", "", func(ctx context.Context, api *slack.Client) error {
		ch, _, _, err := api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{address}})
		if err != nil {
			return err
		}
		if ch != nil { // it is nil when the answer holds none
			id = ch.ID
		}
		return answered(id != "")
	})
	return id, err
}

// channelID finds the id of a channel that the config gives by name.
func (s *service) channelID(ctx context.Context, name string) (string, error) {
	if isID(name) {
		return name, nil
	}
	name = strings.TrimPrefix(name, "#")
	params := &slack.GetConversationsParameters{Limit: 200, ExcludeArchived: true, Types: []string{"public_channel", "private_channel"}}
	for range searchPages * 5 {
		var page []slack.Channel
		err := s.do(ctx, "conversations.list", "", func(ctx context.Context, api *slack.Client) (err error) {
			page, params.Cursor, err = api.GetConversationsContext(ctx, params)
			return err
		})
		if err != nil {
			return "", err
		}
		for _, ch := range page {
			if ch.Name == name {
				return ch.ID, nil
			}
		}
		if params.Cursor == "" {
			break
		}
	}
	return "", nil
}

// isID reports whether a recipient has the form of Slack's own ids.
func isID(s string) bool {
	if len(s) < 9 || !strings.ContainsRune("CGDUW", rune(s[0])) {
		return false
	}
	for _, r := range s {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// isUser reports whether a recipient is the id of a user.
func isUser(s string) bool { return isID(s) && (s[0] == 'U' || s[0] == 'W') }

// unreadable turns a lasting refusal to let us look into "not found": whoever
// cannot look has to post.
func unreadable(err error) error {
	switch outbound.KindOf(err) {
	case outbound.Credentials, outbound.Permanent, outbound.Gone:
		return nil
	}
	return err
}

// Inspect looks whether the token may do its work and whether the configured
// recipients can be reached.
func (s *service) Inspect(ctx context.Context) (faults []string) {
	_, scope := s.known()
	for _, need := range []struct{ scope, why string }{
		{"chat:write", "nothing can be posted"},
		{"users:read.email", "recipients cannot be found by e-mail address"},
	} {
		if scope != "" && !hasScope(scope, need.scope) {
			faults = append(faults, fmt.Sprintf("the Slack app lacks the scope %s, without which %s; add it under OAuth & Permissions and install the app again", need.scope, need.why))
		}
	}
	for _, name := range s.configured {
		if fault := s.inspect(ctx, name); fault != "" {
			faults = append(faults, fault)
		}
	}
	return faults
}

func (s *service) inspect(ctx context.Context, name string) string {
	if recipient.IsEmail(name) {
		if _, err := s.Resolve(ctx, name); outbound.KindOf(err) == outbound.Permanent && err != nil {
			return fmt.Sprintf("the recipient %s cannot be told: %v", name, err)
		}
		return ""
	}
	if !isID(name) || isUser(name) {
		return ""
	}
	var ch *slack.Channel
	err := s.do(ctx, "conversations.info", "", func(ctx context.Context, api *slack.Client) (err error) {
		ch, err = api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: name})
		return err
	})
	switch {
	case hasCode(err, "channel_not_found"):
		return fmt.Sprintf("the channel %s does not exist or is private; invite the app to it with /invite", name)
	case err != nil || ch == nil:
		return "" // cannot be looked at, which is no fault of the channel
	case ch.IsArchived:
		return fmt.Sprintf("the channel %s (#%s) is archived; name another one", name, ch.Name)
	case !ch.IsMember && !ch.IsIM:
		return fmt.Sprintf("the app is no member of the channel %s (#%s); invite it there with /invite", name, ch.Name)
	}
	return ""
}
