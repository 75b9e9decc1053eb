package documented_test

import (
	"slices"
	"testing"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/config/documented"
)

func TestInExample(t *testing.T) {
	got := documented.InExample(`
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

func TestInReference(t *testing.T) {
	got := documented.InReference("# Settings\n" +
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
		{Path: "tables.NAME.key"},
	}
	missing, stale := documented.Compare(keys, []string{"a.one", `map."*"`, "a.gone", "mapped", "tables.mine.key", `tables."b.c".key`, "tables.key"})
	if !slices.Equal(missing, []string{"a.two"}) || !slices.Equal(stale, []string{"a.gone", "mapped", "tables.key"}) {
		t.Errorf("missing %q, stale %q", missing, stale)
	}
}
