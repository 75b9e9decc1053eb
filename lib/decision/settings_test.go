package decision_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
)

// chat is the config of a service at which people decide.
type chat struct {
	Review section `toml:"review"`
}

type section struct {
	decision.Settings
	Trait string `toml:"chat_user_id_trait" doc:"trait"`
}

// Validate checks the section.
func (s *section) Validate(f *config.Faults) { s.Settings.Validate(f, "chat_user_id_trait", s.Trait) }

// What has no effect, or lets nobody decide, is named.
func TestWhatIsWrongWithTheSection(t *testing.T) {
	const trait = "chat_user_id_trait = \"uid\"\n"
	for name, c := range map[string]struct {
		text string
		want []string // a key and what is said of it
	}{
		"nothing":                          {text: trait},
		"nothing, with a table":            {text: "[review.users]\nU1 = \"alice\""},
		"nothing, as the plugin":           {text: trait + "submit_as = \"plugin\"\n[review.reviewers]\neditor = [\"alice\"]"},
		"nothing, by e-mail":               {text: "allow_email_username_match = true\nemail_domains = [\"example.com\"]"},
		"somebody who is nobody":           {text: "[review.users]\nU1 = \"\"\nU2 = \"bob\"", want: []string{"users: somebody is mapped to no"}},
		"no source":                        {text: "", want: []string{"identity: nothing says who"}},
		"no roles":                         {text: trait + "roles = []", want: []string{"roles: it is empty"}},
		"a table beside the trait":         {text: trait + "[review.users]\nU1 = \"alice\"", want: []string{"users: it is not used"}},
		"domains beside the trait":         {text: trait + "email_domains = [\"example.com\"]", want: []string{"email_domains: it is not used"}},
		"e-mail beside the trait":          {text: trait + "allow_email_username_match = true", want: []string{"allow_email_username_match: it is not used"}},
		"reviewers where the cluster does": {text: trait + "[review.reviewers]\neditor = [\"alice\"]", want: []string{"reviewers: it is not used"}},
		"no reviewers":                     {text: trait + "submit_as = \"plugin\"", want: []string{"reviewers: nobody may decide"}},
		"a pattern of reviewers":           {text: trait + "submit_as = \"plugin\"\n[review.reviewers]\neditor = [\"*\"]", want: []string{"reviewers.editor: a pattern"}},
		"no domains":                       {text: "allow_email_username_match = true", want: []string{"email_domains: it is empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(path, []byte("[review]\nenabled = true\n"+c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			report, err := config.Load(path, &chat{Review: section{Settings: decision.DefaultSettings()}})
			var said []string
			for _, w := range report.Warnings {
				said = append(said, w.String())
			}
			if err != nil {
				said = append(said, strings.Split(strings.TrimSpace(err.Error()), "\n")...)
			}
			all := strings.Join(said, "\n")
			for _, want := range c.want {
				if !strings.Contains(all, "review."+want) {
					t.Errorf("%q is not said of:\n%s\nbut:\n%s", want, c.text, all)
				}
			}
			if len(c.want) == 0 && all != "" {
				t.Errorf("without need it is said:\n%s", all)
			}
		})
	}
}
