package farend

import (
	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/sandbox/farend"
)

// setUps are those at which something is wrong that only PagerDuty has.
func setUps() []farend.SetUp {
	warns := func(name string, spoil func(farend.FarEnd, map[string]any), sentence string) farend.SetUp {
		return farend.SetUp{
			Name: name, Spoil: spoil,
			Check: []string{"FAIL  " + sentence}, Start: []string{"WARN   Before the first request shows it: " + sentence},
		}
	}
	config := func(name, key string, value any, sentence string) farend.SetUp {
		sentence = "{dir}/config.toml:…: pagerduty." + key + ": " + sentence
		return farend.SetUp{Name: name, Spoil: farend.Keyed(key, value), Ends: true, Check: []string{"FAIL  config " + sentence}, Start: []string{"ERROR  " + sentence}}
	}
	const refused = "GET /abilities: 2006 Authentication Failed (HTTP status 401); set pagerduty.api_key to a valid key, and pagerduty.region to the account's"
	return []farend.SetUp{
		farend.Revoked("FAIL  PagerDuty credentials: not accepted: "+refused, "ERROR  PagerDuty does not accept the credentials: "+refused),
		config("a region that does not exist", "region", "asia", "there is no such service region; write us or eu"),
		config("a user without an address", "user_email", "teleport", "this is not an e-mail address; set the address of the PagerDuty user in whose name the plugin works"),
		warns("a user who does not exist", farend.Keyed("user_email", "nobody@example.com"), "PagerDuty user nobody@example.com: there is none with this address; set pagerduty.user_email to that of a user of the account"),
		warns("a key that may only read", func(far farend.FarEnd, section map[string]any) {
			a := far.(*Account)
			reader := a.AddUser(pagerdutyapi.User{Name: "Reader", Email: "reader@example.com", Role: "read_only_user"})
			a.PutKey(pagerdutyapi.Key{Token: "u+readOnlyKey1234", ReadOnly: true, User: reader.ID})
			section["api_key"] = "u+readOnlyKey1234"
		}, `role of the API key's user: it is "read_only_user", which may not open incidents; use another key in pagerduty.api_key`),
		{
			Name: "a service that does not exist", Recipients: []string{"Nobody's Service"},
			Check: []string{"FAIL  recipient Nobody's Service: GET /services: PagerDuty has no service \"Nobody's Service\"; correct the annotation pagerduty_notify_service of the role, or the access monitoring rule"},
		},
	}
}
