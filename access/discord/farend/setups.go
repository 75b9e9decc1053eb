package farend

import (
	"strings"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/sandbox/farend"
)

// setUps are those at which something is wrong that only Discord has.
func setUps() []farend.SetUp {
	warns := func(name string, spoil func(farend.FarEnd, map[string]any), recipient, sentence string) farend.SetUp {
		sentence = "recipient " + recipient + ": " + sentence
		return farend.SetUp{
			Name: name, Spoil: spoil, Recipients: []string{recipient},
			Check: []string{"FAIL  " + sentence}, Start: []string{"WARN   Before the first request shows it: " + sentence},
		}
	}
	config := func(name, key string, value any, sentence string) farend.SetUp {
		sentence = "{dir}/config.toml:…: discord." + key + ": " + sentence
		return farend.SetUp{Name: name, Spoil: farend.Keyed(key, value), Ends: true, Check: []string{"FAIL  config " + sentence}, Start: []string{"ERROR  " + sentence}}
	}
	const refused = "GET /users/@me: 401: Unauthorized (HTTP status 401); set discord.token to the bot's current token"
	return []farend.SetUp{
		farend.Revoked("FAIL  Discord credentials: not accepted: "+refused, "ERROR  Discord does not accept the credentials: "+refused),
		config("a token with the word before it", "token", "Bot abc.def.ghi", `the token holds white space; write it alone, without the word "Bot"`),
		config("the address of the web site", "api_url", "https://discord.com", "this leads to the service's web site and not to its API; write https://discord.com/api/"),
		{
			Name: "an address without /api/", Spoil: func(far farend.FarEnd, section map[string]any) {
				section["api_url"] = strings.TrimSuffix(far.URL(), "/api/")
			},
			Check: []string{"FAIL  Discord credentials: " + elsewhere},
			Start: []string{"ERROR  Not accepted by the service: it did not answer the last check: " + elsewhere + ` condition:"accepted by the service"`},
			Ready: "failed accepted by the service: it did not answer the last check: " + elsewhere,
		},
		warns("a server without the bot", removed, discordapi.AccessRequestsChannel, unseen),
		warns("a channel that the bot cannot see", nil, discordapi.HiddenChannel, unseen),
		warns("a channel in which the bot may not post", nil, discordapi.ReadOnlyChannel, `the bot lacks the permission "Send Messages" in the channel #read-only, so nothing can be posted; grant it there, or invite the bot anew with …`),
		warns("a channel that does not exist", nil, farend.Nowhere, unseen),
		warns("a user who does not exist", nil, "user:"+farend.Nowhere, "GET /users/{user}: 10013 Unknown User (HTTP status 404); check the user's id"),
	}
}

const (
	unseen    = `the bot cannot see the channel; invite it to the server with https://discord.com/oauth2/authorize?client_id=…, and give it the permission "View Channel" in the channel`
	elsewhere = "GET /users/@me: the answer is not Discord's, or not whole (HTTP status 404); see that discord.api_url leads to Discord's API, and whether a proxy or gateway on the way answers in its place"
)

// removed takes the bot from the server.
func removed(far farend.FarEnd, _ map[string]any) {
	guild := discordapi.DefaultGuilds()[0]
	guild.WithoutBot = true
	far.(*Guild).AddGuild(guild)
}
