package discordapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"teleport-plugins/lib/sandbox/panel"
)

// payload is the body of the calls that post and change messages. Members that
// the sandbox does not know are ignored, as Discord does.
type payload struct {
	Content         *string          `json:"content"`
	Embeds          json.RawMessage  `json:"embeds"`
	Components      json.RawMessage  `json:"components"`
	AllowedMentions *allowedMentions `json:"allowed_mentions"`
	Nonce           json.RawMessage  `json:"nonce"`
	EnforceNonce    bool             `json:"enforce_nonce"`
	Reference       *reference       `json:"message_reference"`
}

// reference names the message of the channel that a message answers.
type reference struct {
	MessageID       string `json:"message_id"`
	FailIfNotExists *bool  `json:"fail_if_not_exists"`
}

// answers is the message that a message answers; empty where that is gone and need
// not be there.
func (w *world) answers(ch *channel, r *reference) (string, error) {
	if r == nil {
		return "", nil
	}
	if !w.permissions(ch).Has(ReadMessageHistory) {
		return "", failure(160002)
	}
	id, _ := strconv.ParseInt(r.MessageID, 10, 64)
	if m := ch.Find(id); m != nil && !m.Deleted {
		return r.MessageID, nil
	}
	if r.FailIfNotExists == nil || *r.FailIfNotExists {
		var f form
		f.add("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")
		return "", f.err()
	}
	return "", nil
}

// allowedMentions says who may be pinged. An absent list of kinds and one that
// is null are both taken as "none".
type allowedMentions struct {
	Parse []string `json:"parse"`
	Users []string `json:"users"`
	Roles []string `json:"roles"`
}

// decodePayload reads and checks the body of a call.
func decodePayload(c *call) (payload, error) {
	var p payload
	if err := json.Unmarshal(c.Body, &p); err != nil {
		var f form
		f.add("_", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
		return p, f.err()
	}
	return p, p.check()
}

// nonce is the nonce as text; a number and a text of the same digits are one.
func (p payload) nonce() string {
	var text string
	if json.Unmarshal(p.Nonce, &text) == nil {
		return text
	}
	if text = string(p.Nonce); text == "null" {
		return ""
	}
	return text
}

// hasItems reports whether the list holds anything.
func hasItems(list json.RawMessage) bool {
	var items []json.RawMessage
	return json.Unmarshal(list, &items) == nil && len(items) > 0
}

func createMessage(s *Server, c *call) (int, any, error) {
	p, err := decodePayload(c)
	if err != nil {
		return 0, nil, err
	}
	ch, err := s.state.writable(c.Target)
	if err != nil {
		return 0, nil, err
	}
	if err := ch.wake(); err != nil {
		return 0, nil, err
	}
	if p.EnforceNonce && p.nonce() != "" {
		if m, ch, err := s.state.repeated(p.nonce(), s.Now()); m != nil || err != nil {
			return http.StatusOK, s.state.bodyOrNil(ch, m), err
		}
	}
	made := message{id: s.state.newID(s.Now()), Message: Message{Author: s.state.botID, Nonce: p.nonce(), Payload: c.Body}}
	if made.Answers, err = s.state.answers(ch, p.Reference); err != nil {
		return 0, nil, err
	}
	if err := s.state.fill(ch, &made, p); err != nil {
		return 0, nil, err
	}
	m := made.written()
	ch.Put(int64(m.id), m)
	if m.Nonce != "" {
		s.state.nonces[m.Nonce] = nonceUse{ch.ID, m.id, s.Now()}
	}
	s.Changed()
	return http.StatusOK, s.state.body(ch, m), nil
}

// wake brings an archived thread back, as a new message does.
func (ch *channel) wake() error {
	if !ch.IsThread() || !ch.Archived {
		return nil
	}
	if ch.Locked {
		return failure(50083)
	}
	ch.Archived = false
	return nil
}

func (w *world) bodyOrNil(ch *channel, m *message) any {
	if m == nil {
		return nil
	}
	return w.body(ch, m)
}

// repeated finds the message that an earlier call with the nonce posted. One
// that was deleted since is Unknown Message.
func (w *world) repeated(nonce string, now time.Time) (*message, *channel, error) {
	use, ok := w.nonces[nonce]
	if !ok {
		return nil, nil, nil
	}
	if now.Sub(use.at) > NonceWindow {
		delete(w.nonces, nonce)
		return nil, nil, nil
	}
	ch := w.channels[use.channel]
	if ch == nil {
		return nil, nil, failure(10008)
	}
	m := ch.Find(int64(use.message))
	if m == nil || m.Deleted {
		return nil, nil, failure(10008)
	}
	return m, ch, nil
}

// writable finds a channel in which the bot may write.
func (w *world) writable(id string) (*channel, error) {
	ch, err := w.visible(id)
	if err != nil {
		return nil, err
	}
	switch ch.Type {
	case CategoryChannel:
		return nil, failure(50024)
	case ForumChannel:
		return nil, failure(50008)
	}
	if u := w.users[ch.User]; ch.Type == DMChannel && u != nil {
		switch {
		case u.Stranger:
			return nil, failure(50278)
		case u.DMsClosed:
			return nil, failure(50007)
		}
	}
	need := SendMessages
	if ch.IsThread() {
		need = SendMessagesInThreads
	}
	if !w.permissions(ch).Has(need) {
		return nil, failure(50013)
	}
	return ch, nil
}

// fill makes m what the payload says; what the payload leaves out stays.
//
// Embeds need the permission EMBED_LINKS. Without it Discord drops them from a
// message that has other content, and refuses a message of embeds alone; that
// is known from reports of developers, its documentation is silent.
func (w *world) fill(ch *channel, m *message, p payload) error {
	if p.Content != nil {
		m.Content = strings.TrimSpace(*p.Content)
	}
	if p.Components != nil {
		m.Components = list(p.Components)
	}
	if p.Embeds != nil {
		m.Embeds = list(p.Embeds)
		m.Stripped = m.Embeds != nil && !w.permissions(ch).Has(EmbedLinks)
	}
	if m.Content == "" && m.Components == nil && m.Embeds == nil {
		return failure(50006)
	}
	if m.Stripped {
		if m.Content == "" && m.Components == nil {
			return failure(50013)
		}
		m.Embeds = nil
	}
	m.Mentions = append(m.Mentions, pinged(m.Content, p.AllowedMentions)...)
	slices.Sort(m.Mentions)
	m.Mentions = slices.Compact(m.Mentions)
	return nil
}

// list is a list that holds something, or nil.
func list(raw json.RawMessage) json.RawMessage {
	if !hasItems(raw) {
		return nil
	}
	return raw
}

func editMessage(s *Server, c *call) (int, any, error) {
	p, err := decodePayload(c)
	if err != nil {
		return 0, nil, err
	}
	ch, old, err := s.state.message(c)
	if err != nil {
		return 0, nil, err
	}
	if old.Author != s.state.botID {
		return 0, nil, failure(50005)
	}
	next := *old
	next.Payload, next.Edits, next.Edited = c.Body, next.Edits+1, s.Now().UTC()
	next.Mentions = slices.Clone(next.Mentions)
	if err := s.state.fill(ch, &next, p); err != nil {
		return 0, nil, err
	}
	m := next.written()
	ch.Put(int64(m.id), m)
	s.Changed()
	return http.StatusOK, s.state.body(ch, m), nil
}

// message finds the message of a call's path.
func (w *world) message(c *call) (*channel, *message, error) {
	ch, err := w.visible(c.Target)
	if err != nil {
		return nil, nil, err
	}
	m := ch.live(c.R.PathValue("message"))
	if m == nil {
		return nil, nil, failure(10008)
	}
	return ch, m, nil
}

func deleteMessage(s *Server, c *call) (int, any, error) {
	ch, m, err := s.state.message(c)
	if err != nil {
		return 0, nil, err
	}
	if m.Author != s.state.botID && !s.state.permissions(ch).Has(ManageMessages) {
		return 0, nil, failure(50013)
	}
	ch.remove(m)
	s.Changed()
	return http.StatusNoContent, nil, nil
}

func getMessage(s *Server, c *call) (int, any, error) {
	ch, err := s.state.visible(c.Target)
	if err != nil {
		return 0, nil, err
	}
	if !s.state.permissions(ch).Has(ReadMessageHistory) { // whether the message exists is not told
		return 0, nil, failure(50001)
	}
	ch, m, err := s.state.message(c)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.state.body(ch, m), nil
}

// listMessages gives messages newest first. Without READ_MESSAGE_HISTORY there
// are none, as documented.
func listMessages(s *Server, c *call) (int, any, error) {
	limit, err := number(c.R.URL.Query().Get("limit"), 50, 100)
	if err != nil {
		return 0, nil, err
	}
	after, err := snowflake(c, "after")
	if err != nil {
		return 0, nil, err
	}
	before, err := snowflake(c, "before")
	if err != nil {
		return 0, nil, err
	}
	ch, err := s.state.visible(c.Target)
	if err != nil {
		return 0, nil, err
	}
	found := []*message{}
	if s.state.permissions(ch).Has(ReadMessageHistory) {
		found = ch.between(after, before, limit)
	}
	out := make([]any, 0, len(found))
	for _, m := range slices.Backward(found) {
		out = append(out, s.state.body(ch, m))
	}
	return http.StatusOK, out, nil
}

// between are the messages after one id and before another, either may be
// zero: those next to "after" when it is given, else the newest.
func (ch *channel) between(after, before uint64, limit int) []*message {
	var found []*message
	for id, m := range ch.Backward() {
		if !m.Deleted && uint64(id) > after && (before == 0 || uint64(id) < before) {
			found = append(found, m)
		}
	}
	slices.Reverse(found)
	if len(found) <= limit {
		return found
	}
	if after != 0 {
		return found[:limit]
	}
	return found[len(found)-limit:]
}

// archiveMinutes are the documented times after which a quiet thread is archived.
func archiveMinutes() []int { return []int{60, 1440, 4320, 10080} }

// startThread makes the thread of a message; its ID is the message's.
func startThread(s *Server, c *call) (int, any, error) {
	var body struct {
		Name    string `json:"name"`
		Archive *int   `json:"auto_archive_duration"`
	}
	if err := json.Unmarshal(c.Body, &body); err != nil {
		return 0, nil, failure(50035)
	}
	var f form
	if n := utf8.RuneCountInString(strings.TrimSpace(body.Name)); n < 1 || units(body.Name) > 100 {
		f.add("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
	}
	if body.Archive != nil && !slices.Contains(archiveMinutes(), *body.Archive) {
		f.add("auto_archive_duration", "BASE_TYPE_CHOICES", "Value must be one of {60, 1440, 4320, 10080}.")
	}
	if err := f.err(); err != nil {
		return 0, nil, err
	}
	ch, m, err := s.state.message(c)
	if err != nil {
		return 0, nil, err
	}
	kind, err := s.state.threadKind(ch)
	if err != nil {
		return 0, nil, err
	}
	id := formatID(m.id)
	if _, exists := s.state.channels[id]; exists {
		return 0, nil, failure(160004)
	}
	s.state.addChannel(Channel{ID: id, Name: body.Name, Type: kind, GuildID: ch.GuildID, ParentID: ch.ID})
	s.Changed()
	return http.StatusCreated, s.state.channelBody(s.state.channels[id]), nil
}

// threadKind is the kind of thread that the bot may open in a channel.
func (w *world) threadKind(ch *channel) (ChannelType, error) {
	kind := PublicThread
	switch ch.Type {
	case TextChannel:
	case AnnouncementChannel:
		kind = AnnouncementThread
	default:
		return 0, failure(50024)
	}
	if !w.permissions(ch).Has(CreatePublicThreads) {
		return 0, failure(50013)
	}
	return kind, nil
}

// pinged are those who are notified of a content. Without allowed mentions it is
// everyone who is mentioned in it.
func pinged(content string, allowed *allowedMentions) (ids []string) {
	for n := range panel.All(markdown().Parse(content)) {
		if n.Kind == panel.Mention && !strings.HasPrefix(n.Text, "#") && (allowed == nil || allowed.hold(n)) {
			ids = append(ids, n.Href)
		}
	}
	return ids
}

// hold reports whether a mention may ping.
func (a *allowedMentions) hold(n panel.Node) bool {
	switch {
	case strings.HasPrefix(n.Text, "@&"):
		return slices.Contains(a.Parse, "roles") || slices.Contains(a.Roles, n.Href)
	case n.Href == "everyone" || n.Href == "here":
		return slices.Contains(a.Parse, "everyone")
	}
	return slices.Contains(a.Parse, "users") || slices.Contains(a.Users, n.Href)
}
