package slackapi

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Limits of the chat methods, from Slack's reference of chat.postMessage and
// chat.update.
const (
	maxPostText      = 40_000
	maxUpdateText    = 4_000
	maxMarkdownText  = 12_000
	maxAttachments   = 100
	maxMetadataBytes = 8_000 // Slack has a limit but does not tell it; ours is a guess on the low side.
)

// content is what a message says, checked.
type content struct {
	text                  string
	blocks, metadata      json.RawMessage
	hasText, hasBlocks    bool
	hasMetadata, hasOther bool
}

// content reads and checks text, blocks, attachments and metadata.
func (a Args) content() (content, error) {
	c := content{text: a["text"], hasText: a["text"] != ""}
	if md := a["markdown_text"]; md != "" {
		if c.hasText || a["blocks"] != "" {
			return content{}, failure("markdown_text_conflict")
		}
		if utf8.RuneCountInString(md) > maxMarkdownText {
			return content{}, failure("msg_too_long")
		}
		c.text, c.hasText = md, true
	}
	var err error
	if c.blocks, err = checkBlocks(a["blocks"]); err != nil {
		return content{}, err
	}
	c.hasBlocks = a["blocks"] != ""
	if c.hasOther, err = checkAttachments(a["attachments"]); err != nil {
		return content{}, err
	}
	if c.metadata, err = checkMetadata(a["metadata"]); err != nil {
		return content{}, err
	}
	c.hasMetadata = a["metadata"] != ""
	return c, nil
}

// empty says that there is nothing to show.
func (c content) empty() bool { return !c.hasText && len(c.blocks) == 0 && !c.hasOther }

func checkAttachments(raw string) (some bool, err error) {
	if raw == "" {
		return false, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		return false, failure("invalid_attachments")
	}
	if len(list) > maxAttachments {
		return false, failure("too_many_attachments")
	}
	return len(list) > 0, nil
}

// checkMetadata checks the form of a message's metadata: a name for the event
// and a payload whose values are scalars, or objects and lists of scalars.
func checkMetadata(raw string) (json.RawMessage, error) {
	if raw == "" {
		return nil, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &fields); err != nil {
		return nil, failure("invalid_metadata_format")
	}
	if len(fields) == 0 {
		return nil, nil // {} clears the metadata.
	}
	if len(raw) > maxMetadataBytes {
		return nil, failure("metadata_too_large")
	}
	var event string
	if json.Unmarshal(fields["event_type"], &event) != nil || event == "" {
		return nil, failure("invalid_metadata_format")
	}
	var payload map[string]any
	if json.Unmarshal(fields["event_payload"], &payload) != nil || payload == nil {
		return nil, failure("invalid_metadata_format")
	}
	for _, v := range payload {
		if depth(v) > 1 {
			return nil, failure("invalid_metadata_schema")
		}
	}
	return json.RawMessage(raw), nil
}

// depth is how deeply lists and objects are nested in a decoded JSON value.
func depth(v any) int {
	deepest := -1
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	case []any:
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	default:
		return 0
	}
	return max(deepest, 0) + 1
}

// posting returns what a call posts and where.
func (s *Server) posting(c call) (body content, ch *channel, err error) {
	body, err = c.args.content()
	if err != nil {
		return body, nil, err
	}
	if body.empty() {
		return body, nil, failure("no_text")
	}
	ch, err = s.state.postTarget(c.args["channel"], c.scopes)
	return body, ch, err
}

func (s *Server) postMessage(c call) (any, error) {
	body, ch, err := s.posting(c)
	if err != nil {
		return nil, err
	}
	parent, err := ch.parent(c.args["thread_ts"])
	if err != nil {
		return nil, err
	}
	m := message{ts: s.state.nextTS(s.Now()), thread: parent, Message: Message{
		Author: s.state.botUser, Text: cutRunes(body.text, maxPostText), Blocks: body.blocks, Metadata: body.metadata,
		Broadcast: parent != 0 && c.args.truth("reply_broadcast"),
	}}.written()
	ch.add(m)
	s.Changed()
	return done(object{"channel": ch.ID, "ts": m.TS, "message": s.state.wire(ch, m, true)}), nil
}

// postTarget finds where a post goes: a conversation's ID, a channel's name with
// or without #, or a user's ID, which stands for the app's DM with that user.
func (ws *workspace) postTarget(name string, scopes scopeSet) (*channel, error) {
	if u, ok := ws.users[name]; ok {
		if err := ws.checkDM(u); err != nil {
			return nil, err
		}
		ch, _ := ws.openDM(u.ID)
		return ch, nil
	}
	if id, ok := ws.byName[strings.TrimPrefix(name, "#")]; ok {
		name = id
	}
	ch, err := ws.visible(name)
	if err != nil {
		return nil, err
	}
	switch {
	case ch.Archived:
		return nil, failure("is_archived")
	case ch.WithoutBot && !scopes.has("chat:write.public"):
		return nil, failure("not_in_channel")
	case ch.Kind == DM:
		return ch, ws.checkDM(ws.users[ch.User])
	}
	return ch, nil
}

// checkDM says whether the bot may write to the user. What Slack answers for a
// deactivated user is not documented; channel_not_found is the nearest code
// that chat.postMessage lists.
func (ws *workspace) checkDM(u *User) error {
	switch {
	case u == nil || u.Deleted:
		return failure("channel_not_found")
	case u.Bot:
		return failure("cannot_dm_bot")
	case ws.messagesTabDisabled:
		return failure("messages_tab_disabled")
	}
	return nil
}

// parent finds the message that a reply belongs to; 0 means it is no reply.
// Slack's reference only advises against naming a reply as the parent; here it
// is refused, so that the mistake shows.
func (ch *channel) parent(threadTS string) (int64, error) {
	if threadTS == "" {
		return 0, nil
	}
	m := ch.live(threadTS)
	if m == nil {
		return 0, failure("thread_not_found")
	}
	if m.thread != 0 {
		return 0, failure("cannot_reply_to_message")
	}
	return m.ts, nil
}

// cutRunes is the beginning of s with at most n code points.
func cutRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func (s *Server) updateMessage(c call) (any, error) {
	body, err := c.args.content()
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(c.args["text"]) > maxUpdateText {
		return nil, failure("msg_too_long")
	}
	if body.empty() && !body.hasBlocks && !body.hasMetadata {
		return nil, failure("no_text")
	}
	ch, old, err := s.state.own(c.args, "cant_update_message")
	if err != nil {
		return nil, err
	}
	if ch.Archived {
		return nil, failure("is_inactive")
	}
	if s.state.editWindowClosed {
		return nil, failure("edit_window_closed")
	}
	m, err := old.changedTo(body)
	if err != nil {
		return nil, err
	}
	m.editedTS = s.Now().UnixMicro()
	ch.Put(m.ts, m)
	s.Changed()
	return done(object{"channel": ch.ID, "ts": m.TS, "text": m.Text, "message": s.state.wire(ch, m, true)}), nil
}

// own finds a message of the bot's by the arguments channel, which must be the
// conversation's ID, and ts.
func (ws *workspace) own(args Args, foreign string) (*channel, *message, error) {
	ch, err := ws.visible(args["channel"])
	if err != nil {
		return nil, nil, err
	}
	m := ch.live(args["ts"])
	if m == nil {
		return nil, nil, failure("message_not_found")
	}
	if m.Author != ws.botUser {
		return nil, nil, failure(foreign)
	}
	return ch, m, nil
}

func (s *Server) deleteMessage(c call) (any, error) {
	ch, m, err := s.state.own(c.args, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	ch.remove(m)
	s.Changed()
	return done(object{"channel": ch.ID, "ts": m.TS}), nil
}

func (s *Server) postEphemeral(c call) (any, error) {
	body, ch, err := s.posting(c)
	if err != nil {
		return nil, err
	}
	if err := s.state.checkListener(ch, c.args["user"]); err != nil {
		return nil, err
	}
	parent, err := ch.parent(c.args["thread_ts"])
	if err != nil {
		return nil, err
	}
	m := message{ts: s.state.nextTS(s.Now()), thread: parent, Message: Message{
		Author: s.state.botUser, EphemeralTo: c.args["user"], Text: body.text, Blocks: body.blocks,
	}}.written()
	ch.add(m)
	s.state.live.show(m.EphemeralTo, m.Rendered.Text)
	s.Changed()
	return done(object{"message_ts": m.TS}), nil
}

// checkListener says whether the user can be shown something in the channel.
// Everyone counts as being in a channel whose members were not listed.
func (ws *workspace) checkListener(ch *channel, user string) error {
	if _, ok := ws.users[user]; !ok || !ch.includes(user) {
		return failure("user_not_in_channel")
	}
	return nil
}

func (s *Server) getPermalink(c call) (any, error) {
	ch, err := s.state.visible(c.args["channel"])
	if err != nil {
		return nil, err
	}
	m := ch.live(c.args["message_ts"])
	if m == nil {
		return nil, failure("message_not_found")
	}
	link := "https://" + s.opts.TeamDomain + ".slack.com/archives/" + ch.ID + "/" + permalinkName(m.ts)
	if m.thread != 0 {
		link += "?thread_ts=" + formatTS(m.thread) + "&cid=" + ch.ID
	}
	return done(object{"channel": ch.ID, "permalink": link}), nil
}
