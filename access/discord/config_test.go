package discord

import (
	"os"
	"strings"
	"testing"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/config/configtest"
	"teleport-plugins/lib/config/documented"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/recipient"
)

func load(t *testing.T, text string) (*Config, config.Report, error) {
	t.Helper()
	c := Integration().New().(*Config)
	report, err := configtest.Load(t, "discord.toml", text, c)
	return c, report, err
}

const minimal = `
[teleport]
addr = "localhost:3025"
identity = "/nowhere/auth_id"
[discord]
token = "abc.def"
[role_to_recipients]
"*" = "1"
`

func TestAConfigOfTheExistingPluginIsTaken(t *testing.T) {
	c, report, err := load(t, strings.Replace(minimal, "token", "apiurl = \"http://127.0.0.1:1\"\ntoken", 1)+"dev = [\"2\", \"3\"]\n")
	if err != nil || len(report.Warnings) != 0 {
		t.Fatalf("%v, %v", report.Warnings, err)
	}
	if c.Discord.APIURL != "http://127.0.0.1:1/" || len(c.RoleToRecipients["dev"]) != 2 {
		t.Errorf("got %+v", c)
	}
	if c, _, _ := load(t, minimal); c.Discord.APIURL != defaultAPI {
		t.Errorf("default address %s", c.Discord.APIURL)
	}
}

func TestUsersAreFoundWhateverTheirCase(t *testing.T) {
	c, _, err := load(t, minimal+"[discord.users]\n\"Alice@Example.com\" = \"12\"\n")
	people := identity.People{Section: c.Identity, Known: known}
	if got := people.Find(t.Context(), "alice@example.com"); err != nil || got.Name != "user:12" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAConfigThatCannotWorkSaysWhy(t *testing.T) {
	for name, c := range map[string]struct{ from, to, says string }{
		"no token":        {`token = "abc.def"`, "", "there is no token"},
		"token with Bot":  {`"abc.def"`, `"Bot abc.def"`, `without the word "Bot"`},
		"no address":      {"[discord]", "[discord]\napi_url = \"discord\"", "not a web address"},
		"the web site":    {"[discord]", "[discord]\napi_url = \"https://discord.com\"", "this leads to the service's web site and not to its API; write https://discord.com/api/"},
		"foreign scheme":  {"[discord]", "[discord]\napi_url = \"ftp://x/\"", "not a web address"},
		"user by name":    {"[role_to", "[discord.users]\n\"a@b.c\" = \"alice#1\"\n[role_to", "not a Discord user id"},
		"no recipients":   {`"*" = "1"`, "", "missing or empty"},
		"nobody for rest": {`"*" = "1"`, `dev = "1"`, `no entry for "*"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := load(t, strings.Replace(minimal, c.from, c.to, 1))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "abc.def") {
				t.Errorf("the token is in %v", err)
			}
		})
	}
}

func TestTheExampleWorksOnceItIsFilledIn(t *testing.T) {
	text := strings.NewReplacer(`# addr =`, `addr =`, `# identity =`, `identity =`, `# "*" =`, `"*" =`).Replace(example)
	c, report, err := load(t, text)
	if err != nil || len(report.Warnings) != 0 {
		t.Fatalf("%v, %v", report.Warnings, err)
	}
	if len(c.RoleToRecipients[recipient.Anyone]) != 1 {
		t.Errorf("got %+v", c.RoleToRecipients)
	}
}

func TestTheExampleAndTheGuideNameEveryKey(t *testing.T) {
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := config.Keys(Integration().New())
	for name, names := range map[string][]string{
		"README.md": documented.InReference(string(guide)), "example.toml": documented.InExample(example),
	} {
		missing, stale := documented.Compare(keys, names)
		for _, key := range missing {
			if key != "TeleportUser" { // no rule approves requests by Discord
				t.Errorf("%s does not name %s", name, key)
			}
		}
		for _, key := range stale {
			t.Errorf("%s names %s, which does not exist", name, key)
		}
	}
}

func TestEverythingIsBuiltWithoutACall(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	if b.parts.Service == nil || b.parts.Router == nil || b.parts.Codec == nil {
		t.Errorf("got %+v", b.parts)
	}
	if n := b.discord.Counts(); len(n) != 0 {
		t.Errorf("calls were made: %v", n)
	}
}
