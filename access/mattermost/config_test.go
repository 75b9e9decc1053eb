package mattermost

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"teleport-plugins/lib/config/configtest"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// load loads a text as the file mattermost.toml, and gives the warnings and faults one a
// line without the folder.
func load(t *testing.T, text string) (c *Config, warnings, faults string) {
	t.Helper()
	c = Integration().New().(*Config)
	warnings, faults = configtest.Said(t, "mattermost.toml", text, c)
	return c, warnings, faults
}

const (
	teleportPart = "[teleport]\naddr = \"teleport.example.com:443\"\nidentity = \"/var/lib/teleport/id\"\n"
	serverPart   = "[mattermost]\nurl = \"https://mattermost.example.com\"\ntoken = \"do-not-show\"\n"
	namedPart    = serverPart + "recipients = [\"a/b\"]\n"
	reviewPart   = "[review]\nenabled = true\nlisten = \"0.0.0.0:3000\"\nurl = \"https://plugin.example.com/\"\nsecret = \"a secret of sixteen\"\nmattermost_user_id_trait = \"uid\"\n"
)

func TestEachFaultOfAConfigIsTold(t *testing.T) {
	for name, c := range map[string]struct{ text, warnings, faults string }{
		"sound":               {text: teleportPart + namedPart},
		"sound, with buttons": {text: teleportPart + namedPart + reviewPart},
		"nobody is named": {
			text:     teleportPart + serverPart,
			warnings: "mattermost.toml:4: mattermost.recipients: there are none, so that only suggested reviewers are told; write for example recipients = [\"team/channel\"]\n",
		},
		"no token": {
			text:   teleportPart + "[mattermost]\nurl = \"https://a.example\"\nrecipients = [\"a/b\"]\n",
			faults: "mattermost.toml:4: mattermost.token: there is no token; set the access token that Mattermost shows when the bot account is made\n",
		},
		"no address": {
			text:   teleportPart + "[mattermost]\ntoken = \"t\"\nrecipients = [\"a/b\"]\n",
			faults: "mattermost.toml:4: mattermost.url: there is no address; set the address of the Mattermost server as browsers know it, for example https://mattermost.example.com\n",
		},
		"recipients that are no list": {
			text:   teleportPart + serverPart + "recipients = \"a/b\"\n",
			faults: "mattermost.toml:7: mattermost.recipients: this is a string, not a list; write the values in brackets, as in [\"a\", \"b\"]\n",
		},
		"a recipient that is a web address": {
			text:   teleportPart + serverPart + "recipients = [\"https://hooks.example.com/do-not-show\"]\n",
			faults: "mattermost.toml:7: mattermost.recipients: a recipient is a web address, which may hold a secret; name a channel as team/channel, or a person\n",
		},
		"both name everybody": {
			text:     teleportPart + namedPart + "[role_to_recipients]\n\"*\" = \"c/d\"\n",
			warnings: "mattermost.toml:7: mattermost.recipients: it has no effect beside \"*\" in [role_to_recipients]; remove one of the two\n",
		},
		"a table for some roles alone": {
			text:   teleportPart + serverPart + "[role_to_recipients]\n\"x\" = \"c/d\"\n",
			faults: "mattermost.toml:7: role_to_recipients: there is no entry for \"*\"; add \"*\" = [\"recipient\"], which holds for every role without an entry of its own\n",
		},
		"somebody whom Mattermost cannot know": {
			text:     teleportPart + namedPart + "[identity.users]\n\"alice\" = \"Alice A\"\n",
			warnings: "mattermost.toml:9: identity.users.alice: this is neither an e-mail address nor @username nor the id of a Mattermost user, so the user is not told; write one of the three\n",
		},
		"people by an address of which nobody says whether it is theirs": {
			text:     teleportPart + namedPart + strings.Replace(reviewPart, "mattermost_user_id_trait = \"uid\"", "allow_email_username_match = true\nemail_domains = [\"example.com\"]", 1),
			warnings: "mattermost.toml:13: review.allow_email_username_match: Mattermost tells a bot of nobody that the e-mail address is verified, so that nobody is recognised by it; set mattermost_user_id_trait, or list the people in [review.users]\n",
		},
		"buttons without anything": {
			text: teleportPart + namedPart + "[review]\nenabled = true\n",
			faults: "mattermost.toml:8: review.identity: nothing says who a person is in Teleport; set mattermost_user_id_trait, [review.users] or [identity], or allow_email_username_match with email_domains\n" +
				"mattermost.toml:8: review.listen: this is not host:port; write for example \"0.0.0.0:3000\"\n" +
				"mattermost.toml:8: review.secret: it is missing or short, and anybody could press; set one of 16 characters or more, as openssl rand -hex 32 makes it\n" +
				"mattermost.toml:8: review.url: this is not a web address; write for example https://plugin.example.com:3000/\n",
		},
		"a short secret, half a certificate and a name for an id": {
			text: teleportPart + namedPart + strings.ReplaceAll(strings.ReplaceAll(reviewPart, "a secret of sixteen", "short"), "mattermost_user_id_trait = \"uid\"\n", "") +
				"listen_cert = \"/a\"\n[review.users]\n\"bob\" = \"bob@example.com\"\n",
			faults: "mattermost.toml:12: review.secret: it is missing or short, and anybody could press; set one of 16 characters or more, as openssl rand -hex 32 makes it\n" +
				"mattermost.toml:13: review.listen_cert: listen_cert and listen_key go together; set both or none\n" +
				"mattermost.toml:15: review.users.bob: this is not a Mattermost user id; write the 26 letters and digits that the System Console or mmctl shows\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, warnings, faults := load(t, c.text)
			if warnings != c.warnings || faults != c.faults {
				t.Errorf("warnings\n%s\nfaults\n%s\nwant\n%s\n%s", warnings, faults, c.warnings, c.faults)
			}
			if strings.Contains(warnings+faults, "do-not-show") {
				t.Error("a secret is shown")
			}
		})
	}
}

// Both ways to name recipients count together.
func TestRouting(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want map[string][]string // by the role that is asked for
	}{
		"recipients alone":   {serverPart + "recipients = [\"a/b\", \"\", \"bob@example.com\"]\n", map[string][]string{"x": {"a/b", "bob@example.com"}}},
		"a table beside":     {namedPart + "[role_to_recipients]\n\"x\" = \"c/d\"\n", map[string][]string{"x": {"c/d"}, "y": {"a/b"}}},
		"a whole table":      {serverPart + "[role_to_recipients]\n\"*\" = \"c/d\"\n", map[string][]string{"x": {"c/d"}}},
		"a table for nobody": {namedPart + "[role_to_recipients]\n\"*\" = []\n", map[string][]string{"x": nil}},
		"nobody":             {serverPart, map[string][]string{"x": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			config, _, faults := load(t, teleportPart+c.text)
			if faults != "" {
				t.Fatal(faults)
			}
			parts := built(t, config)
			for role, want := range c.want {
				if got := parts.Router.Recipients(t.Context(), request.View{Roles: []string{role}}).Recipients(); !slices.Equal(got, want) {
					t.Errorf("%s: %q, want %q", role, got, want)
				}
			}
		})
	}
}

func built(t *testing.T, c *Config) plugin.Parts {
	t.Helper()
	transport := outbound.NewTransport(outbound.Options{})
	t.Cleanup(transport.CloseIdle)
	parts, err := c.Build(plugin.Deps{Log: zap.NewNop(), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func TestTheAddressIsThatOfTheServer(t *testing.T) {
	for in, want := range map[string]string{
		"https://mm.example.com": "https://mm.example.com/api/v4", "https://mm.example.com/": "https://mm.example.com/api/v4",
		"https://mm.example.com/chat//": "https://mm.example.com/chat/api/v4", "https://mm.example.com/api/v4/": "https://mm.example.com/api/v4",
	} {
		config, _, faults := load(t, teleportPart+strings.Replace(namedPart, "https://mattermost.example.com", in, 1))
		if got := built(t, config).Service.(*service).base; got != want || faults != "" {
			t.Errorf("%s: calls go to %s, faults %s", in, got, faults)
		}
	}
}

// Requesters hear of their requests if the config says so, and not otherwise.
func TestNotices(t *testing.T) {
	for text, want := range map[string]string{"": "", "requester_notice = true\n": "mia@example.com"} {
		config, _, _ := load(t, teleportPart+namedPart+text)
		s := built(t, config).Service.(*service)
		if got := s.Requester(t.Context(), request.View{User: "mia@example.com"}); got != want || s.Tells("notice") != (want != "") {
			t.Errorf("with %q the requester is %q, told %v", text, got, s.Tells("notice"))
		}
	}
}

// Records of both generations of Teleport's own plugin are read, and written as the newer
// one reads them.
func TestRecords(t *testing.T) {
	a, b := plugindata.Message{Channel: "c1", ID: "p1"}, plugindata.Message{Channel: "c2", ID: "p2"}
	for name, c := range map[string]struct {
		data map[string]string
		want []plugindata.Message
	}{
		"pairs":                     {map[string]string{"messages": "c1/p1,c2/p2"}, []plugindata.Message{a, b}},
		"the oldest":                {map[string]string{"channel_id": "c1", "postID": "p1"}, []plugindata.Message{a}},
		"the oldest, and rewritten": {map[string]string{"channel_id": "c1", "postID": "p1", "messages": "c2/p2,c1/p1"}, []plugindata.Message{a, b}},
		"half a pair":               {map[string]string{"channel_id": "c1", "messages": "c2,c2/p2,/p,c/"}, []plugindata.Message{b}},
		"none":                      {map[string]string{"postID": "p1"}, nil},
	} {
		got, err := codec{}.Decode(c.data)
		if err != nil || !slices.Equal(got.Messages, c.want) {
			t.Errorf("%s: %+v, %v", name, got.Messages, err)
		}
	}
	known := plugindata.Known{User: "u", Roles: []string{"r"}, Messages: []plugindata.Message{a, b}, Resolution: request.Denied}
	set := codec{}.Encode(known)
	if set["messages"] != "c1/p1,c2/p2" || set["resolution"] != "DENIED" || set["channel_id"] != "" || set["postID"] != "" {
		t.Errorf("written is %v", set)
	}
}
