package slackapi

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// object is a value of the API as it is written out.
type object = map[string]any

// done is an answer to a call that has worked.
func done(fields object) object {
	fields["ok"] = true
	return fields
}

// wire is a conversation as the API tells it.
func (ch *channel) wire() object {
	direct := ch.Kind == DM || ch.Kind == GroupDM
	out := object{
		"id": ch.ID, "is_channel": !direct, "is_group": false, "is_im": ch.Kind == DM, "is_mpim": ch.Kind == GroupDM,
		"is_private": ch.Kind != Public, "is_archived": ch.Archived, "is_member": !ch.WithoutBot && !direct,
	}
	if ch.Name != "" {
		out["name"], out["name_normalized"] = ch.Name, ch.Name
	}
	if direct {
		out["is_open"] = true
	}
	if ch.User != "" {
		out["user"] = ch.User
	}
	return out
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
	body := done(object{"channel": object{"id": ch.ID}})
	if args.truth("return_im") {
		body["channel"] = ch.wire()
	}
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
	body := object{}
	if !ch.WithoutBot {
		body["warning"], body["response_metadata"] = "already_in_channel", object{"warnings": []string{"already_in_channel"}}
	}
	ch.WithoutBot = false
	s.Changed()
	body["channel"] = ch.wire()
	return done(body), nil
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
	shown := ch.wire()
	if c.args.truth("include_num_members") {
		shown["num_members"] = len(s.state.members(ch))
	}
	return done(object{"channel": shown}), nil
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
	return done(object{"members": page, "response_metadata": meta}), nil
}

func (s *Server) conversationsList(c call) (any, error) {
	kinds, err := listedKinds(c)
	if err != nil {
		return nil, err
	}
	all := []object{}
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
	return done(object{"channels": page, "response_metadata": meta}), nil
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
