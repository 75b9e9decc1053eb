package slackapi

import (
	"cmp"
	"strings"
)

func (s *Server) authTest(call) (any, error) {
	out := object{
		"url": "https://" + s.opts.TeamDomain + ".slack.com/", "team": s.opts.TeamName, "user": s.opts.BotName,
		"team_id": s.state.teamID, "user_id": s.state.botUser, "bot_id": s.state.botID,
	}
	if s.opts.Enterprise != "" {
		out["enterprise_id"] = s.opts.Enterprise
	}
	return done(out), nil
}

func (s *Server) teamInfo(call) (any, error) {
	return done(object{"team": object{"id": s.state.teamID, "name": s.opts.TeamName, "domain": s.opts.TeamDomain}}), nil
}

func (s *Server) usergroupsList(call) (any, error) { return done(object{"usergroups": []any{}}), nil }

// lookupByEmail finds an active account. Slack does not document what it says
// of a deactivated one; here it is as if it were not there.
func (s *Server) lookupByEmail(c call) (any, error) {
	u, ok := s.state.users[s.state.byEmail[strings.ToLower(c.args["email"])]]
	if !ok || u.Deleted {
		return nil, failure("users_not_found")
	}
	return done(object{"user": s.state.wireUser(u, c.scopes)}), nil
}

func (s *Server) usersInfo(c call) (any, error) {
	u, ok := s.state.users[c.args["user"]]
	if !ok {
		return nil, failure("user_not_found")
	}
	return done(object{"user": s.state.wireUser(u, c.scopes)}), nil
}

// wireUser writes a user out; the address is only told to those who may see it.
func (ws *workspace) wireUser(u *User, scopes scopeSet) object {
	team := cmp.Or(u.Team, ws.teamID)
	profile := object{"real_name": u.RealName, "display_name": u.Name, "team": team}
	if scopes.has("users:read.email") && u.Email != "" {
		profile["email"] = u.Email
	}
	return object{
		"id": u.ID, "team_id": team, "name": u.Name, "real_name": u.RealName, "deleted": u.Deleted, "is_bot": u.Bot,
		"is_app_user": false, "is_restricted": u.Restricted, "is_ultra_restricted": false, "is_email_confirmed": u.Email != "" && !u.Unconfirmed,
		"profile": profile,
	}
}
