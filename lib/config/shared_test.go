package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
)

// budget is a section that every program has.
type budget struct {
	Timeout config.Duration `toml:"timeout"`
}

// Common holds what every program has.
type Common struct {
	Delivery budget `toml:"delivery"`
}

// sharing is a config whose own struct has further keys of the same section.
type sharing struct {
	Common
	Mail struct {
		Sender string `toml:"sender"`
	} `toml:"delivery"`
}

func TestTwoStructsCanShareATable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	for text, want := range map[string][]string{
		"[delivery]\ntimeout = \"3s\"\nsender = \"a@example.com\"\n": nil,
		"[delivery]\nSender = \"a@example.com\"\nTimeout = \"3s\"\n": nil,
		"[delivery]\nsendr = \"x\"\ntimeot = \"3s\"\n":               {"did you mean delivery.sender", "did you mean delivery.timeout"},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var c sharing
		report, err := config.Load(path, &c)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Warnings) != len(want) {
			t.Errorf("%s: warnings %v", text, report.Warnings)
			continue
		}
		for i, w := range report.Warnings {
			if !strings.Contains(w.Do, want[i]) {
				t.Errorf("%s: advice %q, want %q", text, w.Do, want[i])
			}
		}
		if len(want) == 0 && (c.Mail.Sender != "a@example.com" || c.Delivery.Timeout.String() != "3s") {
			t.Errorf("%s: read %+v", text, c)
		}
	}
}
