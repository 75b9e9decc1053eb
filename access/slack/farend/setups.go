package farend

import (
	"slices"
	"strings"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/farend"
)

// setUps are those at which something is wrong that only Slack has.
func setUps() []farend.SetUp {
	warns := func(name string, spoil func(farend.FarEnd, map[string]any), recipients []string, sentence string) farend.SetUp {
		return farend.SetUp{
			Name: name, Spoil: spoil, Recipients: recipients,
			Check: []string{"FAIL  " + sentence}, Start: []string{"WARN   Before the first request shows it: " + sentence},
		}
	}
	config := func(name, key string, value any, sentence string) farend.SetUp {
		sentence = "{dir}/config.toml:…: slack." + key + ": " + sentence
		return farend.SetUp{Name: name, Spoil: farend.Keyed(key, value), Ends: true, Check: []string{"FAIL  config " + sentence}, Start: []string{"ERROR  " + sentence}}
	}
	const refused = "auth.test: token_revoked; set slack.token to the app's current bot token, which begins with xoxb-"
	return []farend.SetUp{
		farend.Revoked("FAIL  Slack credentials: not accepted: "+refused, "ERROR  Slack does not accept the credentials: "+refused),
		config("an app-level token", "token", "xapp-1-A0-1-0", "this is an app-level token; set the bot token, which begins with xoxb-"),
		config("the address of the web site", "api_url", "https://slack.com", "this leads to the service's web site and not to its API; write https://slack.com/api/"),
		{
			Name: "an address without /api/", Spoil: func(far farend.FarEnd, section map[string]any) {
				section["api_url"] = strings.TrimSuffix(far.URL(), "/api/")
			},
			Check: []string{"FAIL  Slack credentials: " + elsewhere},
			Start: []string{"ERROR  Not accepted by the service: it did not answer the last check: " + elsewhere + ` condition:"accepted by the service"`},
			Ready: "failed accepted by the service: it did not answer the last check: " + elsewhere,
		},
		config("an address without https://", "api_url", "slack.com/api", "this is not a web address; write for example https://slack.com/api/"),
		warns("an app that may not post", without("chat:write"), nil, "scopes of the Slack app: chat:write is missing, without which nothing can be posted; add it under OAuth & Permissions and install the app again"),
		warns("an app that may not find people, who are named", without("users:read.email"), []string{"bob@example.com"}, "scopes of the Slack app: users:read.email is missing, without which people cannot be found by their e-mail addresses; add it under OAuth & Permissions and install the app again"),
		warns("a channel that does not exist", nil, []string{farend.Nowhere}, "recipient "+farend.Nowhere+": there is no such channel, it is archived, or it is private; invite the app to it with /invite"),
		warns("a channel without the app", channel(slackapi.Channel{Name: "secret-place", Kind: slackapi.Private, WithoutBot: true}), []string{"secret-place"}, "recipient secret-place: there is no such channel, it is archived, or it is private; invite the app to it with /invite"),
		warns("a channel that is archived", channel(slackapi.Channel{Name: "old-place", Archived: true}), []string{"old-place"}, "recipient old-place: there is no such channel, it is archived, or it is private; invite the app to it with /invite"),
		warns("a person who does not exist", nil, []string{"nobody@example.com"}, "recipient nobody@example.com: users.lookupByEmail: users_not_found; no active member of the workspace has this address"),
		{
			Name: "the address of a webhook for a recipient", Recipients: []string{"https://hooks.slack.example/services/T0/B0/secret"}, Ends: true,
			Check: []string{"FAIL  config " + webhook}, Start: []string{"ERROR  " + webhook},
		},
		{
			Name: "an app that may not look up what it posted", Spoil: without("channels:history", "groups:history", "im:history", "mpim:history"),
			Check: []string{"note  looking messages up: " + blind}, Ready: "note   looking messages up: " + blind,
		},
	}
}

const elsewhere = "auth.test: the answer is not one of Slack's (HTTP status 404); see that slack.api_url leads to Slack's API, and whether a proxy or gateway on the way answers in its place"

const blind = "off: a crash or a lost answer may double one message in each; add to the Slack app the scope channels:history, groups:history, im:history"

const webhook = `{dir}/config.toml:…: role_to_recipients."*": a recipient is a web address, which may hold a secret; name a channel or a person`

// without takes scopes from the token.
func without(scopes ...string) func(farend.FarEnd, map[string]any) {
	return func(far farend.FarEnd, _ map[string]any) {
		left := slices.DeleteFunc(slackapi.DefaultScopes(), func(s string) bool { return slices.Contains(scopes, s) })
		far.(*Workspace).SetScopes(far.Token(), left...)
	}
}

// channel adds a channel.
func channel(c slackapi.Channel) func(farend.FarEnd, map[string]any) {
	return func(far farend.FarEnd, _ map[string]any) { far.(*Workspace).AddChannel(c) }
}
