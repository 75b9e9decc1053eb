package farend

import (
	"strings"

	"teleport-plugins/lib/sandbox/farend"
)

// setUps are those at which something is wrong that only Mattermost has.
func setUps() []farend.SetUp {
	warns := func(name, recipient, sentence string, change func(w *world)) farend.SetUp {
		sentence = "recipient " + recipient + ": " + sentence
		return farend.SetUp{
			Name: name, Spoil: changed(change), Recipients: []string{recipient},
			Check: []string{"FAIL  " + sentence}, Start: []string{"WARN   Before the first request shows it: " + sentence},
		}
	}
	config := func(name, key string, value any, sentence string) farend.SetUp {
		sentence = "{dir}/config.toml:…: mattermost." + key + ": " + sentence
		return farend.SetUp{Name: name, Spoil: farend.Keyed(key, value), Ends: true, Check: []string{"FAIL  config " + sentence}, Start: []string{"ERROR  " + sentence}}
	}
	const refused = "GET /users/me: api.context.session_expired.app_error (HTTP status 401); set mattermost.token to the bot's current access token, and see that the bot is enabled"
	const byNames = "GET /teams/name/{team_name}/channels/name/{channel_name}: "
	const unseen = byNames + "app.channel.get_by_name.missing.app_error (HTTP status 404); there is no such channel, or it is private; check the names as they stand in the channel's address, and invite the bot to it"
	return []farend.SetUp{
		farend.Revoked("FAIL  Mattermost credentials: not accepted: "+refused, "ERROR  Mattermost does not accept the credentials: "+refused),
		config("a token with the word before it", "token", "Bearer x7gk3mqp9tbybxwo5p4c1d8rse", `the token holds white space; write it alone, without the word "Bearer"`),
		config("an address without https://", "url", "mattermost.example.com", "this is not a web address; write for example https://mattermost.example.com"),
		config("no address", "url", "", "there is no address; set the address of the Mattermost server as browsers know it, for example https://mattermost.example.com"),
		elsewhere("an address without the server's sub-path", func(url string) string { return strings.TrimSuffix(url, subPath) }),
		elsewhere("the address of something below the API", func(url string) string { return url + "/api/v4/main" }),
		warns("a channel that the bot is not in", "main/town-square", "the bot is no member of the channel town-square, so that its posts there would never show what has become of a request; invite it with /invite @teleport", nil),
		warns("a channel that does not exist", "main/nowhere", unseen, nil),
		warns("a private channel without the bot", "main/db-team", unseen, func(w *world) { delete(w.named("db-team").members, w.bot.id) }),
		warns("a private channel without the bot, by its id", "00000000000000000000000009", "GET /channels/{id}: api.context.permissions.app_error (HTTP status 403); add the bot to the team, and invite it to the channel", func(w *world) { delete(w.spaceBy("00000000000000000000000009").members, w.bot.id) }),
		warns("a team that does not exist", "elsewhere/security", byNames+"app.team.get_by_name.missing.app_error (HTTP status 404); check the team's name as it stands in its address, and add the bot to the team", nil),
		warns("a channel that is archived", "main/security", "resolve: the channel security is archived; unarchive it, or name another one", func(w *world) { w.named("security").archived = true }),
		warns("two channels that people see by one name", "main/Same Name", "POST /teams/{id}/channels/search: there is more than one public channel in the team main that people see by this name; write the names of team and channel as they stand in the channel's address", func(w *world) {
			w.space("one", "Same Name", "O")
			w.space("other", "Same Name", "O")
		}),
		{
			Name: "a channel by the name that people see", Recipients: []string{"Main Team/Security"},
			Check: []string{"note  the recipient Main Team/Security is found by a name that others can give to a channel too; write the names in the channel's address, where it is called security"},
		},
		warns("a person who does not exist", "nobody@example.com", "GET /users/email/{email}: app.user.missing_account.const (HTTP status 404); no account has this address, name or id", nil),
		warns("a person who is deactivated", "bob@example.com", "GET /users/email/{email}: the user bob is deactivated; name another one", func(w *world) {
			find(w.accounts, func(a *account) bool { return a.name == "bob" }).deleted = 1700000000000
		}),
		warns("a server that hides addresses", "bob@example.com", "GET /users/email/{email}: api.user.get_user_by_email.permissions.app_error (HTTP status 403); the server hides e-mail addresses; write @username, or let the bot see addresses (PrivacySettings.ShowEmailAddress)", func(w *world) { w.hidden = true }),
		warns("a name that is no recipient", farend.Nowhere, "resolve: this is no recipient; write team/channel, an e-mail address, @username, or the id of a channel", nil),
		{Name: "a username with capital letters", Recipients: []string{"@Bob"}},
		{
			Name: "the token of a person", Spoil: changed(func(w *world) { w.bot.bot = false }),
			Check: []string{"note  account in Mattermost: the token is that of the user teleport and not of a bot, so that messages are sent in that name"},
		},
	}
}

// elsewhere is a set-up with an address that leads to something else.
func elsewhere(name string, address func(url string) string) farend.SetUp {
	const sentence = "GET /users/me: the answer is not one of Mattermost's (HTTP status 404); see that mattermost.url is the address of the server as browsers know it, with its sub-path, and whether a proxy or gateway on the way answers in its place"
	return farend.SetUp{
		Name: name, Spoil: func(far farend.FarEnd, section map[string]any) { section["url"] = address(far.URL()) },
		Check: []string{"FAIL  Mattermost credentials: " + sentence},
		Start: []string{"ERROR  Not accepted by the service: it did not answer the last check: " + sentence + ` condition:"accepted by the service"`},
		Ready: "failed accepted by the service: it did not answer the last check: " + sentence,
	}
}

// changed changes what the server knows.
func changed(change func(w *world)) func(farend.FarEnd, map[string]any) {
	return func(far farend.FarEnd, _ map[string]any) {
		if m := far.(*Mattermost); change != nil {
			m.Change(func() { change(m.w) })
		}
	}
}

// named is a channel by its name in addresses.
func (w *world) named(name string) *space {
	return find(w.spaces, func(s *space) bool { return s.name == name })
}
