package slackapi

import "strings"

func (s *Server) authTest(call) (any, error) {
	return struct {
		OK     bool   `json:"ok"`
		URL    string `json:"url"`
		Team   string `json:"team"`
		User   string `json:"user"`
		TeamID string `json:"team_id"`
		UserID string `json:"user_id"`
		BotID  string `json:"bot_id"`
	}{
		true, "https://" + s.opts.TeamDomain + ".slack.com/", s.opts.TeamName, s.opts.BotName,
		s.state.teamID, s.state.botUser, s.state.botID,
	}, nil
}

func (s *Server) teamInfo(call) (any, error) {
	return map[string]any{"ok": true, "team": map[string]any{
		"id": s.state.teamID, "name": s.opts.TeamName, "domain": s.opts.TeamDomain,
	}}, nil
}

func (s *Server) usergroupsList(call) (any, error) {
	return map[string]any{"ok": true, "usergroups": []any{}}, nil
}

type userBody struct {
	OK   bool     `json:"ok"`
	User wireUser `json:"user"`
}

type wireUser struct {
	ID                string      `json:"id"`
	TeamID            string      `json:"team_id"`
	Name              string      `json:"name"`
	RealName          string      `json:"real_name"`
	Deleted           bool        `json:"deleted"`
	IsBot             bool        `json:"is_bot"`
	IsAppUser         bool        `json:"is_app_user"`
	IsRestricted      bool        `json:"is_restricted"`
	IsUltraRestricted bool        `json:"is_ultra_restricted"`
	IsEmailConfirmed  bool        `json:"is_email_confirmed"`
	Profile           wireProfile `json:"profile"`
}

type wireProfile struct {
	RealName    string `json:"real_name"`
	DisplayName string `json:"display_name"`
	Email       string `json:"email,omitempty"`
	Team        string `json:"team"`
}

// lookupByEmail finds an active account. Slack does not document what it says
// of a deactivated one; here it is as if it were not there.
func (s *Server) lookupByEmail(c call) (any, error) {
	u, ok := s.state.users[s.state.byEmail[strings.ToLower(c.args["email"])]]
	if !ok || u.Deleted {
		return nil, failure("users_not_found")
	}
	return userBody{true, s.state.wireUser(u, c.scopes)}, nil
}

func (s *Server) usersInfo(c call) (any, error) {
	u, ok := s.state.users[c.args["user"]]
	if !ok {
		return nil, failure("user_not_found")
	}
	return userBody{true, s.state.wireUser(u, c.scopes)}, nil
}

// wireUser writes a user out; the address is only told to those who may see it.
func (ws *workspace) wireUser(u *User, scopes scopeSet) wireUser {
	w := wireUser{
		ID: u.ID, TeamID: ws.teamID, Name: u.Name, RealName: u.RealName,
		Deleted: u.Deleted, IsBot: u.Bot, IsRestricted: u.Restricted, IsEmailConfirmed: u.Email != "",
		Profile: wireProfile{RealName: u.RealName, DisplayName: u.Name, Team: ws.teamID},
	}
	if scopes.has("users:read.email") {
		w.Profile.Email = u.Email
	}
	return w
}
