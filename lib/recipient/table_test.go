package recipient_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/recipient"
)

func TestRecipientsForRoles(t *testing.T) {
	table := recipient.Table{
		"*":         {"all"},
		"dev":       {"devs", "lead"},
		"dev-*":     {"dev-any"},
		"dev-*-ro":  {"readers", "lead"},
		"*-prod":    {"oncall"},
		"nobody":    {},
		"blank":     nil,
		"blank*":    nil,
		"silent-*":  {},
		"a*b*c":     {"abc"},
		"x-*":       {"x-first"},
		"*-x":       {"x-last"},
		"odd*name*": {"odd"},
	}
	for name, c := range map[string]struct {
		roles []string
		want  []string
	}{
		"no role":                            {nil, []string{"all"}},
		"an unknown role":                    {[]string{"ops"}, []string{"all"}},
		"an exact name":                      {[]string{"dev"}, []string{"devs", "lead"}},
		"a pattern":                          {[]string{"dev-web"}, []string{"dev-any"}},
		"the longest pattern":                {[]string{"dev-web-ro"}, []string{"readers", "lead"}},
		"a pattern from the end":             {[]string{"web-prod"}, []string{"oncall"}},
		"an empty list is for nobody":        {[]string{"nobody"}, nil},
		"a pattern for nobody":               {[]string{"silent-1"}, nil},
		"nobody beside somebody":             {[]string{"nobody", "dev"}, []string{"devs", "lead"}},
		"an entry of blanks falls back":      {[]string{"blank", "blank-1"}, []string{"all"}},
		"several stars":                      {[]string{"a1b2c"}, []string{"abc"}},
		"stars match nothing too":            {[]string{"abc"}, []string{"abc"}},
		"parts in the wrong order":           {[]string{"acb"}, []string{"all"}},
		"prefix and suffix must not overlap": {[]string{"dev-ro"}, []string{"dev-any"}},
		"a tie goes by the text":             {[]string{"x-x"}, []string{"x-last"}},
		"a name that is a pattern":           {[]string{"odd*name*"}, []string{"odd"}},
		"each recipient once, in order":      {[]string{"dev-web-ro", "dev", "ops", "dev"}, []string{"readers", "lead", "devs", "all"}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 10 { // whatever the order of the map
				if got := table.For(c.roles); !slices.Equal(got, c.want) {
					t.Fatalf("got %q, want %q", got, c.want)
				}
			}
		})
	}
}

func TestRecipientsWithoutTable(t *testing.T) {
	if got := recipient.Table(nil).For([]string{"dev"}); got != nil {
		t.Errorf("got %q", got)
	}
}

// FuzzRecipientsFor checks the matching of patterns against what a pattern is:
// texts in order with anything between them.
func FuzzRecipientsFor(f *testing.F) {
	f.Add("a", "b", "x", "y")
	f.Add("", "", "", "")
	f.Add("aa", "a", "", "a")
	f.Fuzz(func(t *testing.T, first, last, inner, rest string) {
		if strings.Contains(first+last+inner, "*") {
			t.Skip("a star in a text would be a pattern")
		}
		pattern := first + "*" + inner + "*" + last
		table := recipient.Table{pattern: {"hit"}, "*": {"miss"}}
		if got := table.For([]string{first + rest + inner + rest + last}); !slices.Equal(got, []string{"hit"}) {
			t.Errorf("%q does not match %q", pattern, first+rest+inner+rest+last)
		}
		if got := table.For([]string{"\x00" + first + "\x01"}); first != "" && first[0] != 0 && !slices.Equal(got, []string{"miss"}) {
			t.Errorf("%q matches what does not begin with %q", pattern, first)
		}
	})
}

// routing is a config with nothing but a table.
type routing struct {
	Table recipient.Table   `toml:"role_to_recipients"`
	Users map[string]string `toml:"users"`
}

func (r *routing) Validate(f *config.Faults) { r.Table.Require(f.In("role_to_recipients")) }

func TestMistakesInATable(t *testing.T) {
	const (
		quote   = "this is a table, as a key with a dot makes one; put the whole key in quotes, as in "
		hook    = "a recipient is a web address, which may hold a secret; name a channel or a person"
		pattern = "this looks like a regular expression, and is none: only * has a meaning, that of any text; write for example \"dev-*\""
	)
	for line, want := range map[string]string{
		`db.admin = "x"`:                           "role_to_recipients.db: " + quote + `"db.admin"`,
		`db.eu.admin = "x"`:                        "role_to_recipients.db: " + quote + `"db.eu.admin"`,
		"db.a = \"x\"\ndb.b = \"y\"":               "role_to_recipients.db: " + quote + `"db"`,
		`"db.admin" = "x"`:                         "",
		"[users]\nalice.smith = \"x\"":             "users.alice: " + quote + `"alice.smith"`,
		"[role_to_recipients.prod]\n\"*\" = \"x\"": "role_to_recipients.prod: " + quote + `"prod.*"`,
		`"^dev-.*$" = "x"`:                         `role_to_recipients."^dev-.*$": ` + pattern,
		`"db.*" = "x"`:                             "",
		`"dev-.*" = "x"`:                           `role_to_recipients."dev-.*": ` + pattern,
		`'dev\d' = "x"`:                            `role_to_recipients."dev\\d": ` + pattern,
		`"dev-*" = "x"`:                            "",
		`".*" = "x"`:                               `role_to_recipients.".*": ` + pattern,
		`dev = "https://hooks.example/SECRET"`:     "role_to_recipients.dev: " + hook,
		`dev = []`:                                 "",
		`dev = ["a", "https://x/SECRET"]`:          "role_to_recipients.dev: " + hook,
	} {
		t.Run(line, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(path, []byte("[role_to_recipients]\n\"*\" = \"all\"\n"+line+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			report, err := config.Load(path, &routing{})
			got := ""
			if err != nil {
				got = err.Error()
			} else if len(report.Warnings) > 0 {
				got = report.Warnings[0].String()
			}
			if _, says, _ := strings.Cut(got, "config.toml:3: "); says != want && !(want == "" && got == "") && !strings.HasSuffix(got, ": "+want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
