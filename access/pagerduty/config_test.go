package pagerduty

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/config/documented"
)

func TestConfigFixtures(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/config/*.toml")
	if err != nil || len(fixtures) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range fixtures {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, report, err := load(t, string(text))
			got := ""
			if err != nil {
				got = err.Error() + "\n"
			}
			for _, w := range report.Warnings {
				got += "warning: " + w.String() + "\n"
			}
			got = withoutDir(got)
			if err == nil {
				p := c.PagerDuty
				got += fmt.Sprintf("annotations %q %q, endpoint %s, approval %+v\n", p.NotifyService, p.Services, p.APIEndpoint, p.AutoApprove)
			}
			golden := strings.TrimSuffix(file, ".toml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			keepsSecrets(t, got)
		})
	}
}

// withoutDir takes the temporary directory away from each line.
func withoutDir(text string) string {
	var b strings.Builder
	for l := range strings.Lines(text) {
		if i := strings.Index(l, "teleport-pagerduty.toml"); i >= 0 {
			if strings.HasPrefix(l, "warning: ") {
				b.WriteString("warning: ")
			}
			l = l[i:]
		}
		b.WriteString(l)
	}
	return b.String()
}

func TestTheExampleLoads(t *testing.T) {
	c, report, err := load(t, example)
	if err != nil || len(report.Warnings) > 0 {
		t.Fatalf("%v %v", err, report.Warnings)
	}
	if c.PagerDuty.UserEmail == "" || !c.PagerDuty.APIKey.IsSet() || !c.PagerDuty.AutoApprove.Enabled {
		t.Errorf("the example gives %+v", c.PagerDuty)
	}
}

func TestEverySettingIsInTheExampleAndTheGuide(t *testing.T) {
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := config.Keys(Integration().New())
	for what, names := range map[string][]string{
		"example": documented.InExample(example), "guide": documented.InReference(string(guide)),
	} {
		missing, stale := documented.Compare(keys, names)
		for _, k := range missing {
			// The name of the author and the time budgets are for few.
			if what == "example" || strings.HasPrefix(k, "pagerduty.") {
				t.Errorf("the %s lacks %s", what, k)
			}
		}
		for _, k := range stale {
			t.Errorf("the %s has %s, which is no setting", what, k)
		}
	}
}

func TestTheRulesOfApprovalAreListedAsSettings(t *testing.T) {
	found := 0
	for _, k := range config.Keys(Integration().New()) {
		if strings.HasPrefix(k.Path, "pagerduty.auto_approve.") && k.Doc != "" {
			found++
		}
	}
	if found != 9 {
		t.Errorf("%d rules are listed", found)
	}
}
