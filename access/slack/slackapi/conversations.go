package slackapi

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// wireChannel is a conversation as the API tells it.
type wireChannel struct {
	ID             string `json:"id"`
	Name           string `json:"name,omitempty"`
	NameNormalized string `json:"name_normalized,omitempty"`
	User           string `json:"user,omitempty"`
	IsChannel      bool   `json:"is_channel"`
	IsGroup        bool   `json:"is_group"`
	IsIM           bool   `json:"is_im"`
	IsMPIM         bool   `json:"is_mpim"`
	IsPrivate      bool   `json:"is_private"`
	IsArchived     bool   `json:"is_archived"`
	IsMember       bool   `json:"is_member"`
	IsOpen         bool   `json:"is_open,omitempty"`
	NumMembers     int    `json:"num_members,omitempty"`
}

func (ch *channel) wire() wireChannel {
	direct := ch.Kind == DM || ch.Kind == GroupDM
	return wireChannel{
		ID: ch.ID, Name: ch.Name, NameNormalized: ch.Name, User: ch.User,
		IsChannel: !direct, IsIM: ch.Kind == DM, IsMPIM: ch.Kind == GroupDM,
		IsPrivate: ch.Kind != Public, IsArchived: ch.Archived, IsMember: !ch.WithoutBot && !direct, IsOpen: direct,
	}
}

type channelBody struct {
	OK          bool              `json:"ok"`
	Channel     wireChannel       `json:"channel"`
	NoOp        bool              `json:"no_op,omitempty"`
	AlreadyOpen bool              `json:"already_open,omitempty"`
	Warning     string            `json:"warning,omitempty"`
	Meta        *responseMetadata `json:"response_metadata,omitempty"`
}

// includes says whether the user is in the conversation. Everyone counts as
// being in a channel whose members were not listed.
func (ch *channel) includes(user string) bool {
	return ch.Members == nil && ch.Kind != DM || slices.Contains(ch.Members, user)
}

func (s *Server) conversationsOpen(c call) (any, error) {
	if id := c.args["channel"]; id != "" {
		return s.state.resume(id, c)
	}
	if c.args["users"] == "" {
		return nil, failure("users_list_not_supplied")
	}
	ids := strings.Split(c.args["users"], ",")
	for i := range ids {
		ids[i] = strings.TrimSpace(ids[i])
	}
	if len(ids) > 8 {
		return nil, failure("too_many_users")
	}
	if err := s.state.checkInvited(ids, c.scopes); err != nil {
		return nil, err
	}
	return s.open(ids, c.args)
}

// resume opens a conversation that is known by its ID.
func (ws *workspace) resume(id string, c call) (any, error) {
	ch, err := ws.visible(id)
	if err != nil {
		return nil, err
	}
	if ch.Kind != DM && ch.Kind != GroupDM {
		return nil, failure("method_not_supported_for_channel_type")
	}
	if err := c.scopes.need(scopeOf(ch.Kind, "write")); err != nil {
		return nil, err
	}
	return openBody(ch, true, c.args), nil
}

func (ws *workspace) checkInvited(ids []string, scopes scopeSet) error {
	kind := DM
	if len(ids) > 1 {
		kind = GroupDM
	}
	if err := scopes.need(scopeOf(kind, "write")); err != nil {
		return err
	}
	for _, id := range ids {
		u, ok := ws.users[id]
		switch {
		case !ok:
			return failure("user_not_found")
		case u.Deleted:
			return failure("user_disabled")
		case u.Bot:
			return failure("cannot_dm_bot")
		}
	}
	return nil
}

// open finds or makes the conversation with the users.
func (s *Server) open(ids []string, args Args) (any, error) {
	ws := &s.state
	slices.Sort(ids)
	key := strings.Join(slices.Compact(ids), ",")
	if _, ok := ws.dms[key]; !ok && args.truth("prevent_creation") {
		return nil, failure("channel_not_found")
	}
	if !strings.Contains(key, ",") {
		ch, existed := ws.openDM(key)
		s.Changed()
		return openBody(ch, existed, args), nil
	}
	id, existed := ws.dms[key]
	if !existed {
		id = ws.addChannel(Channel{Kind: GroupDM, Members: strings.Split(key, ",")}).ID
		ws.dms[key] = id
		s.Changed()
	}
	return openBody(ws.channels[id], existed, args), nil
}

// openBody is the answer of conversations.open: the ID alone, or the whole
// conversation when return_im is set.
func openBody(ch *channel, existed bool, args Args) any {
	if args.truth("return_im") {
		return channelBody{OK: true, Channel: ch.wire(), NoOp: existed, AlreadyOpen: existed}
	}
	body := map[string]any{"ok": true, "channel": map[string]string{"id": ch.ID}}
	if existed {
		body["no_op"], body["already_open"] = true, true
	}
	return body
}

func (s *Server) conversationsJoin(c call) (any, error) {
	ch, err := s.state.visible(c.args["channel"])
	switch {
	case err != nil:
		return nil, err
	case ch.Kind != Public:
		return nil, failure("method_not_supported_for_channel_type")
	case ch.Archived:
		return nil, failure("is_archived")
	}
	body := channelBody{OK: true}
	if !ch.WithoutBot {
		body.Warning = "already_in_channel"
		body.Meta = &responseMetadata{Warnings: []string{body.Warning}}
	}
	ch.WithoutBot = false
	s.Changed()
	body.Channel = ch.wire()
	return body, nil
}

// readable finds a conversation for a call that needs a right to its kind.
func (ws *workspace) readable(c call, right string) (*channel, error) {
	ch, err := ws.visible(c.args["channel"])
	if err != nil {
		return nil, err
	}
	return ch, c.scopes.need(scopeOf(ch.Kind, right))
}

func (s *Server) conversationsInfo(c call) (any, error) {
	ch, err := s.state.readable(c, "read")
	if err != nil {
		return nil, err
	}
	body := channelBody{OK: true, Channel: ch.wire()}
	if c.args.truth("include_num_members") {
		body.Channel.NumMembers = len(s.state.members(ch))
	}
	return body, nil
}

// members lists the users in a conversation, the bot included.
func (ws *workspace) members(ch *channel) []string {
	var out []string
	for id := range ws.users {
		if id == ws.botUser && !ch.WithoutBot || id != ws.botUser && ch.includes(id) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func (s *Server) conversationsMembers(c call) (any, error) {
	ch, err := s.state.readable(c, "read")
	if err != nil {
		return nil, err
	}
	page, meta, err := pageOf(s.state.members(ch), c.args, 999)
	if err != nil {
		return nil, err
	}
	return struct {
		OK      bool             `json:"ok"`
		Members []string         `json:"members"`
		Meta    responseMetadata `json:"response_metadata"`
	}{true, page, meta}, nil
}

func (s *Server) conversationsList(c call) (any, error) {
	kinds, err := listedKinds(c)
	if err != nil {
		return nil, err
	}
	all := []wireChannel{}
	for _, id := range s.state.order {
		ch, err := s.state.visible(id)
		if err != nil || !slices.Contains(kinds, ch.Kind) || ch.Archived && c.args.truth("exclude_archived") {
			continue
		}
		all = append(all, ch.wire())
	}
	page, meta, err := pageOf(all, c.args, 999)
	if err != nil {
		return nil, err
	}
	return struct {
		OK       bool             `json:"ok"`
		Channels []wireChannel    `json:"channels"`
		Meta     responseMetadata `json:"response_metadata"`
	}{true, page, meta}, nil
}

// listedKinds reads the argument types and checks the scope for each.
func listedKinds(c call) ([]Kind, error) {
	names := map[string]Kind{"public_channel": Public, "private_channel": Private, "im": DM, "mpim": GroupDM}
	types := c.args["types"]
	if types == "" {
		types = "public_channel"
	}
	var kinds []Kind
	for name := range strings.SplitSeq(types, ",") {
		k, ok := names[strings.TrimSpace(name)]
		if !ok {
			return nil, failure("invalid_types")
		}
		if err := c.scopes.need(scopeOf(k, "read")); err != nil {
			return nil, err
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

// pageOf cuts the page out of all that limit and cursor ask for.
func pageOf[T any](all []T, args Args, largest int) ([]T, responseMetadata, error) {
	limit, err := args.limit(100, largest)
	if err != nil {
		return nil, responseMetadata{}, err
	}
	start, err := readCursor("offset", args["cursor"])
	if err != nil || start > int64(len(all)) {
		return nil, responseMetadata{}, failure("invalid_cursor")
	}
	rest := all[start:]
	if len(rest) <= limit {
		return rest, responseMetadata{}, nil
	}
	return rest[:limit], responseMetadata{NextCursor: writeCursor("offset", start+int64(limit))}, nil
}

// writeCursor makes the opaque text that the next call brings back.
func writeCursor(kind string, n int64) string {
	return base64.StdEncoding.EncodeToString([]byte(kind + ":" + strconv.FormatInt(n, 10)))
}

// readCursor reads what writeCursor wrote; an empty cursor is 0.
func readCursor(kind, cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	raw, err := base64.StdEncoding.DecodeString(cursor)
	if err != nil {
		return 0, failure("invalid_cursor")
	}
	text, ok := strings.CutPrefix(string(raw), kind+":")
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, failure("invalid_cursor")
	}
	return n, nil
}
