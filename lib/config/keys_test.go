package config_test

import (
	"slices"
	"testing"

	"teleport-plugins/lib/config"
)

func TestKeysDescribeEverySetting(t *testing.T) {
	var got []string
	byPath := map[string]config.Key{}
	for _, k := range config.Keys(defaults()) {
		got = append(got, k.Path+": "+k.Type+" = "+k.Default)
		byPath[k.Path] = k
	}
	want := []string{
		`teleport.addr: string = "localhost:3025"`,
		`teleport.auth_server: string = `,
		`teleport.identity: string = `,
		`teleport.client_key: string = `,
		`teleport.client_crt: string = `,
		`teleport.root_cas: string = `,
		`teleport.refresh_identity: true or false = true with identity, else false`,
		`teleport.refresh_identity_interval: duration = "1m0s"`,
		`service.token: secret = `,
		`service.token_file: path = `,
		`service.api_url: string = "https://service.example.com/"`,
		`service.channels: list of string = `,
		`service.limit: whole number = 8`,
		`service.ratio: number = `,
		`service.labels: table of string = `,
		`service.Deep.on: true or false = false`,
		`service.routes[].name: string = `,
		`service.teams: table of table = `,
		`role_to_recipients: table of recipients = `,
		`log.output: string = "stderr"`,
		`log.severity: string = "info"`,
		`log.format: string = "text"`,
		`TeleportUser: string = `,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%q\nwant:\n%q", got, want)
	}
	for path, k := range byPath {
		if k.Doc == "" {
			t.Errorf("%s has no doc", path)
		}
	}
	if byPath["teleport.auth_server"].Deprecated == "" || !byPath["role_to_recipients"].Open {
		t.Error("deprecated or open is not told")
	}
}

func TestKeysInExample(t *testing.T) {
	got := config.KeysInExample(`
# This is an example; set = in prose does not begin a line.
top = 1
[teleport]
addr = "x" # comment = 1
# identity = "y"
#refresh_identity = true
# [role_to_recipients]
# "*" = "all"
#   admin = ["a"]
[[service.routes]] # routes
  name = "n"
[service.Deep]
a.b = 1
`)
	want := []string{
		"top", "teleport.addr", "teleport.identity", "teleport.refresh_identity",
		`role_to_recipients."*"`, "role_to_recipients.admin", "service.routes[].name", "service.Deep.a.b",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestKeysInReference(t *testing.T) {
	got := config.KeysInReference("# Settings\n" +
		"| Key | Type |\n|---|---|\n| `TeleportUser` | string, see `other.key` |\n" +
		"## The table `[teleport]`\n\n| `addr` | string |\n| `teleport.identity` | string |\n| plain | - |\n" +
		"## More\n| `service.routes[].name` | string |\n" +
		"```toml\n[log]\noutput = \"x\"\n```\n" +
		"```sh\nother = 1\n```\n| `log.format` | |\n")
	want := []string{"TeleportUser", "teleport.addr", "teleport.identity", "service.routes[].name", "log.output", "log.format"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestCompareFindsWhatIsMissingAndWhatIsStale(t *testing.T) {
	keys := []config.Key{
		{Path: "a.one"},
		{Path: "a.two"},
		{Path: "a.old", Deprecated: "write one"},
		{Path: "map", Open: true},
	}
	missing, stale := config.Compare(keys, []string{"a.one", `map."*"`, "a.gone", "mapped"})
	if !slices.Equal(missing, []string{"a.two"}) || !slices.Equal(stale, []string{"a.gone", "mapped"}) {
		t.Errorf("missing %q, stale %q", missing, stale)
	}
}
