package discordapi

import (
	"encoding/json"
	"net/http"
	"strconv"
)

func getSelf(s *Server, _ *call) (int, any, error) {
	return http.StatusOK, s.state.userBody(s.state.botID), nil
}

func getUser(s *Server, c *call) (int, any, error) {
	if _, ok := s.state.users[c.Target]; !ok {
		return 0, nil, failure(10013)
	}
	return http.StatusOK, s.state.userBody(c.Target), nil
}

func getApplication(s *Server, _ *call) (int, any, error) {
	var endpoint any
	if s.state.endpoint != "" {
		endpoint = s.state.endpoint
	}
	return http.StatusOK, map[string]any{
		"id": s.opts.ApplicationID, "name": s.opts.BotName, "description": "", "icon": nil,
		"bot_public": false, "bot_require_code_grant": false, "verify_key": "", "flags": 0,
		"interactions_endpoint_url": endpoint,
	}, nil
}

// listOwnGuilds lists the guilds of the bot, 200 at a time as the API does.
func listOwnGuilds(s *Server, c *call) (int, any, error) {
	limit, err := number(c.R.URL.Query().Get("limit"), 200, 200)
	if err != nil {
		return 0, nil, err
	}
	after, err := snowflake(c, "after")
	if err != nil {
		return 0, nil, err
	}
	list := []any{}
	for _, id := range s.state.guildOrder {
		g := s.state.guilds[id]
		if n, _ := strconv.ParseUint(id, 10, 64); g.WithoutBot || n <= after || len(list) == limit {
			continue
		}
		list = append(list, map[string]any{
			"id": g.ID, "name": g.Name, "icon": nil, "owner": false, "permissions": (g.Everyone | g.Bot).String(), "features": []any{},
		})
	}
	return http.StatusOK, list, nil
}

func getGuild(s *Server, c *call) (int, any, error) {
	g, err := s.state.guild(c.Target)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.state.guildBody(g), nil
}

// listChannels lists a guild's channels without its threads, also those that
// the bot may not view.
func listChannels(s *Server, c *call) (int, any, error) {
	if _, err := s.state.guild(c.Target); err != nil {
		return 0, nil, err
	}
	list := []any{}
	for _, id := range s.state.order {
		if ch := s.state.channels[id]; ch.GuildID == c.Target && !ch.IsThread() {
			list = append(list, s.state.channelBody(ch))
		}
	}
	return http.StatusOK, list, nil
}

func getMember(s *Server, c *call) (int, any, error) {
	g, err := s.state.guild(c.R.PathValue("guild"))
	if err != nil {
		return 0, nil, err
	}
	user := c.R.PathValue("user")
	roles := []string{}
	if user == s.state.botID {
		roles = append(roles, botRole(g.ID))
	} else if u := s.state.users[user]; u == nil || u.Stranger {
		return 0, nil, failure(10007)
	}
	return http.StatusOK, map[string]any{
		"user": s.state.userBody(user), "roles": roles, "nick": nil, "avatar": nil, "deaf": false, "mute": false,
		"joined_at": "2024-01-01T00:00:00Z", "flags": 0,
	}, nil
}

func getChannel(s *Server, c *call) (int, any, error) {
	ch, err := s.state.visible(c.Target)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.state.channelBody(ch), nil
}

func openDM(s *Server, c *call) (int, any, error) {
	var body struct {
		Recipient string `json:"recipient_id"`
	}
	var f form
	if err := json.Unmarshal(c.Body, &body); err != nil || body.Recipient == "" {
		f.add("recipient_id", "BASE_TYPE_REQUIRED", "This field is required")
		return 0, nil, f.err()
	}
	if _, ok := s.state.users[body.Recipient]; !ok || body.Recipient == s.state.botID {
		return 0, nil, failure(50033)
	}
	ch := s.state.openDM(body.Recipient, s.Now())
	s.Changed()
	return http.StatusOK, s.state.channelBody(ch), nil
}

// number reads a count in the query: 1 to most, or the default when absent.
func number(text string, absent, most int) (int, error) {
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		var f form
		f.add("limit", "NUMBER_TYPE_RANGE", "int value should be between 1 and "+strconv.Itoa(most)+".")
		return 0, f.err()
	}
	return n, nil
}

// snowflake reads an ID in the query; absent is zero.
func snowflake(c *call, name string) (uint64, error) {
	text := c.R.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		var f form
		f.add(name, "NUMBER_TYPE_COERCE", "Value \""+text+"\" is not snowflake.")
		return 0, f.err()
	}
	return n, nil
}
