package slack

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/config/configtest"
	"teleport-plugins/lib/config/documented"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/request"
)

// load loads a text as the file slack.toml, and gives the warnings and faults
// one a line without the folder.
func load(t *testing.T, text string) (c *Config, warnings, faults string) {
	t.Helper()
	c = Integration().New().(*Config)
	warnings, faults = configtest.Said(t, "slack.toml", text, c)
	return c, warnings, faults
}

const (
	teleportPart = "[teleport]\naddr = \"teleport.example.com:443\"\nidentity = \"/var/lib/teleport/id\"\n"
	slackPart    = "[slack]\ntoken = \"xoxb-1\"\n"
	routingPart  = "[role_to_recipients]\n\"*\" = \"general\"\n"
)

func TestEachFaultOfAConfigIsTold(t *testing.T) {
	const secret = "do-not-show"
	t.Setenv("TELEPORT_SLACK_TEST_TOKEN", "xapp-"+secret)
	for name, c := range map[string]struct{ text, warnings, faults string }{
		"sound": {text: teleportPart + slackPart + routingPart},
		"no token": {
			text:   teleportPart + "[slack]\n" + routingPart,
			faults: "slack.toml:4: slack.token: there is no token; set the bot token that Slack shows under OAuth & Permissions\n",
		},
		"no section": {
			text:   teleportPart + routingPart,
			faults: "slack.toml: slack.token: there is no token; set the bot token that Slack shows under OAuth & Permissions\n",
		},
		"an app-level token": {
			text:   teleportPart + "[slack]\ntoken = \"xapp-" + secret + "\"\n" + routingPart,
			faults: "slack.toml:5: slack.token: this is an app-level token; set the bot token, which begins with xoxb-\n",
		},
		"an app-level token in the environment": {
			text:   teleportPart + "[slack]\ntoken = \"env:TELEPORT_SLACK_TEST_TOKEN\"\n" + routingPart,
			faults: "slack.toml:5: slack.token: this is an app-level token; set the bot token, which begins with xoxb-\n",
		},
		"a variable that is not set": {
			text:   teleportPart + "[slack]\ntoken = \"env:TELEPORT_SLACK_TEST_UNSET\"\n" + routingPart,
			faults: "slack.toml:5: slack.token: the environment variable \"TELEPORT_SLACK_TEST_UNSET\" is not set; set it in the environment of the plugin\n",
		},
		"a user token": {
			text:     teleportPart + "[slack]\ntoken = \"xoxp-" + secret + "\"\n" + routingPart,
			warnings: "slack.toml:5: slack.token: this is a user token; messages are sent in that user's name; set the bot token, which begins with xoxb-\n",
		},
		"a rotating token": {text: teleportPart + "[slack]\ntoken = \"xoxe.xoxb-1\"\n" + routingPart},
		"something else": {
			text:     teleportPart + "[slack]\ntoken = \"" + secret + "\"\n" + routingPart,
			warnings: "slack.toml:5: slack.token: this does not look like a bot token; set the bot token, which begins with xoxb-\n",
		},
		"an address that is none": {
			text:   teleportPart + slackPart + "api_url = \"slack.com\"\n" + routingPart,
			faults: "slack.toml:6: slack.api_url: this is not a web address; write for example https://slack.com/api/\n",
		},
		"the address of the web site": {
			text:   teleportPart + slackPart + "api_url = \"https://slack.com\"\n" + routingPart,
			faults: "slack.toml:6: slack.api_url: this leads to the service's web site and not to its API; write https://slack.com/api/\n",
		},
		"an address of another kind": {
			text:   teleportPart + slackPart + "api_url = \"ftp://slack.com/\"\n" + routingPart,
			faults: "slack.toml:6: slack.api_url: this is not a web address; write for example https://slack.com/api/\n",
		},
		"no recipients": {
			text:     teleportPart + slackPart,
			warnings: "slack.toml: role_to_recipients: the table is missing, so that only suggested reviewers are told; add it with at least \"*\" = [\"recipient\"]\n",
		},
		"an empty table": {
			text:   teleportPart + slackPart + "[role_to_recipients]\n",
			faults: "slack.toml:6: role_to_recipients: the table is missing or empty; add it with at least \"*\" = [\"recipient\"]\n",
		},
		"the channel of the very first plugin": {
			text:     teleportPart + slackPart + "channel = \"general\"\n",
			warnings: "slack.toml:6: slack.channel: this key is deprecated; write it as \"*\" = \"...\" in [role_to_recipients]\n",
		},
		"the channel of the very first plugin beside a table": {
			text: teleportPart + slackPart + "channel = \"general\"\n" + routingPart,
			warnings: "slack.toml:6: slack.channel: this key is deprecated; write it as \"*\" = \"...\" in [role_to_recipients]\n" +
				"slack.toml:6: slack.channel: it has no effect beside [role_to_recipients]; remove it\n",
		},
		"no recipients for other roles": {
			text:   teleportPart + slackPart + "[role_to_recipients]\nprod = \"general\"\n",
			faults: "slack.toml:6: role_to_recipients: there is no entry for \"*\"; add \"*\" = [\"recipient\"], which holds for every role without an entry of its own\n",
		},
		"recipients as the oldest plugins had them": {
			text:     teleportPart + slackPart + "recipients = [\"general\"]\n",
			warnings: "slack.toml:6: slack.recipients: this key is deprecated; write them as \"*\" = [...] in [role_to_recipients]\n",
		},
		"no recipient in the oldest form": {
			text: teleportPart + slackPart + "recipients = [\"\"]\n",
			warnings: "slack.toml:6: slack.recipients: this key is deprecated; write them as \"*\" = [...] in [role_to_recipients]\n" +
				"slack.toml: role_to_recipients: the table is missing, so that only suggested reviewers are told; add it with at least \"*\" = [\"recipient\"]\n",
		},
		"recipients in both forms": {
			text: teleportPart + slackPart + "recipients = [\"general\"]\n" + routingPart,
			warnings: "slack.toml:6: slack.recipients: this key is deprecated; write them as \"*\" = [...] in [role_to_recipients]\n" +
				"slack.toml:6: slack.recipients: it has no effect beside [role_to_recipients]; remove it\n",
		},
		"all at once": {
			text: teleportPart + "[slack]\napi_url = \"x\"\n",
			faults: "slack.toml:4: slack.token: there is no token; set the bot token that Slack shows under OAuth & Permissions\n" +
				"slack.toml:5: slack.api_url: this is not a web address; write for example https://slack.com/api/\n",
			warnings: "slack.toml: role_to_recipients: the table is missing, so that only suggested reviewers are told; add it with at least \"*\" = [\"recipient\"]\n",
		},
		"webhooks as recipients": {
			text: teleportPart + slackPart + "recipients = [\"https://hooks.slack.com/" + secret + "\"]\nchannel = \"https://hooks.slack.com/" + secret + "\"\n" +
				"[role_to_recipients]\n\"*\" = \"https://hooks.slack.com/services/" + secret + "\"\n",
			warnings: "slack.toml:6: slack.recipients: this key is deprecated; write them as \"*\" = [...] in [role_to_recipients]\n" +
				"slack.toml:6: slack.recipients: it has no effect beside [role_to_recipients]; remove it\n" +
				"slack.toml:7: slack.channel: this key is deprecated; write it as \"*\" = \"...\" in [role_to_recipients]\n" +
				"slack.toml:7: slack.channel: it has no effect beside [role_to_recipients]; remove it\n",
			faults: "slack.toml:6: slack.recipients: a recipient is a web address, which may hold a secret; name a channel or a person\n" +
				"slack.toml:7: slack.channel: a recipient is a web address, which may hold a secret; name a channel or a person\n" +
				"slack.toml:9: role_to_recipients.\"*\": a recipient is a web address, which may hold a secret; name a channel or a person\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, warnings, faults := load(t, c.text)
			if warnings != c.warnings {
				t.Errorf("warnings\n%s\nwant\n%s", warnings, c.warnings)
			}
			if faults != c.faults {
				t.Errorf("faults\n%s\nwant\n%s", faults, c.faults)
			}
			if strings.Contains(warnings+faults, secret) {
				t.Error("the token is shown")
			}
		})
	}
}

func TestTheOldestFormOfRecipientsIsTakenOver(t *testing.T) {
	c, _, faults := load(t, teleportPart+slackPart+"recipients = [\"general\", \"\", \"alice@example.com\"]\n")
	if faults != "" {
		t.Fatal(faults)
	}
	if got := c.RoleToRecipients.For([]string{"any"}); !slices.Equal(got, []string{"general", "alice@example.com"}) {
		t.Errorf("got %q", got)
	}
}

func TestTheAddressOfTheAPIEndsInASlash(t *testing.T) {
	for text, want := range map[string]string{
		"": defaultAPI,
		"api_url = \"http://127.0.0.1:8080/api\"\n":  "http://127.0.0.1:8080/api/",
		"api_url = \"http://127.0.0.1:8080/api/\"\n": "http://127.0.0.1:8080/api/",
		"apiurl = \"http://127.0.0.1:8080\"\n":       "http://127.0.0.1:8080/",
	} {
		c, _, faults := load(t, teleportPart+slackPart+text+routingPart)
		if faults != "" || c.Slack.APIURL != want {
			t.Errorf("%q gives %q, %s", text, c.Slack.APIURL, faults)
		}
	}
}

func TestATokenFileIsFoundBesideTheConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "slack.toml")
	text := teleportPart + "[slack]\ntoken_file = \"slack-token\"\n" + routingPart
	for name, content := range map[string]string{path: text, filepath.Join(dir, "slack-token"): "xoxb-from-file\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := Integration().New().(*Config)
	if _, err := config.Load(path, c); err != nil {
		t.Fatal(err)
	}
	if token, err := c.Slack.Token.Read(); err != nil || token != "xoxb-from-file" {
		t.Errorf("%q, %v", token, err)
	}
}

func TestTheExampleNamesEverySettingAndNoOther(t *testing.T) {
	i := Integration()
	missing, stale := documented.Compare(config.Keys(i.New()), documented.InExample(i.Example))
	// Reviews are not submitted by this plugin.
	missing = slices.DeleteFunc(missing, func(key string) bool { return key == "TeleportUser" })
	if len(missing) > 0 || len(stale) > 0 {
		t.Errorf("not in the example: %q; only in the example: %q", missing, stale)
	}
}

// commented is a setting or a table that is commented out.
var commented = regexp.MustCompile(`(?m)^# ((?:\[[a-z_.]+\]|"?[a-zA-Z@*_-]+"?) *(?:=.*)?)$`)

func TestTheExampleLoadsOnceCredentialsAreSet(t *testing.T) {
	uncomment := func(prefixes ...string) string {
		return commented.ReplaceAllStringFunc(Integration().Example, func(line string) string {
			bare := strings.TrimPrefix(line, "# ")
			for _, p := range prefixes {
				if strings.HasPrefix(bare, p) {
					return bare
				}
			}
			return line
		})
	}
	for name, text := range map[string]string{
		"the least": uncomment("addr", "identity =", `"*"`),
		"nearly all": uncomment("addr", "identity", "refresh", "api_url", "[", `"`, "format", "catch_up", "call_timeout",
			"lease", "retry_max", "resync", "heartbeat", "after", "recipients"),
	} {
		t.Run(name, func(t *testing.T) {
			c, warnings, faults := load(t, text)
			if warnings != "" || faults != "" {
				t.Fatalf("%s%s", warnings, faults)
			}
			if c.Delivery != plugin.DefaultDelivery() || c.Slack.APIURL != defaultAPI {
				t.Errorf("what the example shows are not the defaults: %+v, %s", c.Delivery, c.Slack.APIURL)
			}
			if name == "nearly all" && (len(c.Identity.Users) != 2 || len(c.RoleToRecipients) != 3) {
				t.Errorf("not all was read: %q, %q", c.Identity.Users, c.RoleToRecipients)
			}
		})
	}
}

func TestSuggestedReviewersAreLookedUpInTheConfig(t *testing.T) {
	c, _, faults := load(t, teleportPart+slackPart+"[slack.users]\nbob = \"bob@example.com\"\n\"carol@sso.example\" = \"U0SANDBOX03\"\n"+routingPart)
	if faults != "" {
		t.Fatal(faults)
	}
	parts, err := c.Build(plugin.Deps{Log: zap.NewNop(), Transport: outbound.NewTransport(outbound.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	got := parts.Router.Recipients(t.Context(), request.View{
		Roles: []string{"editor"}, SuggestedReviewers: []string{"bob", "carol@sso.example", "dave@example.com", "eve"},
	})
	if want := []string{"general", "bob@example.com", "U0SANDBOX03", "dave@example.com"}; !slices.Equal(got.Recipients(), want) {
		t.Errorf("got %+v, want %q", got, want)
	}
}
