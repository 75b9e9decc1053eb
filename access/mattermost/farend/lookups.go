package farend

import (
	"slices"
	"strings"

	"teleport-plugins/lib/sandbox/apiserver"
)

// wire is an account as a bot is shown it: of nobody is it said whether the address is
// verified.
func (a *account) wire() map[string]any {
	return map[string]any{
		"id": a.id, "username": a.name, "email": a.email, "is_bot": a.bot, "delete_at": a.deleted,
		"roles": a.roles, "locale": "de",
	}
}

func (m *Mattermost) me(*apiserver.Call, any) (any, *problem) { return m.w.bot.wire(), nil }

func (m *Mattermost) myTeams(*apiserver.Call, any) (any, *problem) {
	return []any{map[string]any{"id": m.w.team, "name": teamName, "display_name": teamDisplay, "delete_at": 0}}, nil
}

func (m *Mattermost) user(c *apiserver.Call, _ any) (any, *problem) {
	id := c.R.PathValue("id")
	if !isID(id) {
		return nil, badParam
	}
	return shownAccount(m.w.accountBy(id), noUser)
}

// userByEmail finds users who are deactivated too.
func (m *Mattermost) userByEmail(c *apiserver.Call, _ any) (any, *problem) {
	email := c.R.PathValue("email")
	switch {
	case m.w.hidden:
		return nil, hiddenEmail
	case !strings.Contains(email, "@"):
		return nil, badParam
	}
	return shownAccount(find(m.w.accounts, func(a *account) bool { return strings.EqualFold(a.email, email) }), noUser)
}

func (m *Mattermost) userByName(c *apiserver.Call, _ any) (any, *problem) {
	name := c.R.PathValue("username")
	if name != strings.ToLower(name) {
		return nil, badParam
	}
	return shownAccount(find(m.w.accounts, func(a *account) bool { return a.name == name }), noUserName)
}

func shownAccount(a *account, otherwise *problem) (any, *problem) {
	if a == nil {
		return nil, otherwise
	}
	return a.wire(), nil
}

func (s *space) wire() map[string]any {
	deleted := 0
	if s.archived {
		deleted = 1700000000000
	}
	return map[string]any{"id": s.id, "team_id": s.team, "name": s.name, "display_name": s.display, "type": s.kind, "delete_at": deleted}
}

// channel shows public channels to everybody in the team.
func (m *Mattermost) channel(c *apiserver.Call, _ any) (any, *problem) {
	s := m.w.spaceBy(c.R.PathValue("id"))
	switch {
	case !isID(c.R.PathValue("id")):
		return nil, badParam
	case s == nil:
		return nil, noChannelID
	case s.kind != "O" && !s.members[m.w.bot.id]:
		return nil, noRight
	}
	return s.wire(), nil
}

func (m *Mattermost) membership(c *apiserver.Call, _ any) (any, *problem) {
	s := m.w.spaceBy(c.R.PathValue("id"))
	if s == nil || !s.members[m.w.bot.id] {
		return nil, noRight
	}
	return map[string]any{"channel_id": s.id, "user_id": m.w.bot.id, "roles": "channel_user"}, nil
}

func (m *Mattermost) channelByNames(c *apiserver.Call, _ any) (any, *problem) {
	if c.R.PathValue("team_name") != teamName {
		return nil, noTeam
	}
	s := find(m.w.spaces, func(s *space) bool { return s.team != "" && s.name == c.R.PathValue("channel_name") })
	archived := s != nil && s.archived && c.R.URL.Query().Get("include_deleted") != "true"
	if s == nil || archived || s.kind == "P" && !s.members[m.w.bot.id] {
		return nil, noChannel
	}
	return s.wire(), nil
}

// searchChannels finds public channels by either name.
func (m *Mattermost) searchChannels(c *apiserver.Call, body any) (any, *problem) {
	sent, _ := body.(map[string]any)
	term, _ := sent["term"].(string)
	switch {
	case c.R.PathValue("id") != m.w.team:
		return nil, noRight
	case term == "":
		return nil, badBody
	}
	found := []any{}
	for _, s := range m.w.spaces {
		named := strings.Contains(strings.ToLower(s.name+"\n"+s.display), strings.ToLower(term))
		if s.kind == "O" && !s.archived && named {
			found = append(found, s.wire())
		}
	}
	return found, nil
}

// openDirect opens a conversation of the bot's, with users who are deactivated too.
func (m *Mattermost) openDirect(_ *apiserver.Call, body any) (any, *problem) {
	sent, _ := body.([]any)
	var ids []string
	for _, one := range sent {
		id, _ := one.(string)
		if m.w.accountBy(id) == nil {
			return nil, badBody
		}
		ids = append(ids, id)
	}
	switch {
	case len(ids) != 2:
		return nil, badBody
	case !slices.Contains(ids, m.w.bot.id):
		return nil, noRight
	}
	return m.w.direct(ids[0], ids[1]).wire(), nil
}
