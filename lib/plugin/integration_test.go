package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// Times that cannot work are named with their key, and those that can are taken.
func TestTimesInTheConfig(t *testing.T) {
	for name, tc := range map[string]struct{ lines, fault string }{
		"the defaults":            {"", ""},
		"the shortest":            {"[delivery]\ncall_timeout = '100ms'\nlease = '200ms'\nretry_max = '10ms'\nresync = '100ms'\nheartbeat = '10ms'\ncatch_up = '0s'", ""},
		"a short call":            {"[delivery]\ncall_timeout = '99ms'", "call_timeout"},
		"a short lease":           {"[delivery]\nlease = '199ms'\ncall_timeout = '100ms'", "lease"},
		"a short pause":           {"[delivery]\nretry_max = '9ms'", "retry_max"},
		"a short resync":          {"[delivery]\nresync = '99ms'", "resync"},
		"a short heartbeat":       {"[delivery]\nheartbeat = '9ms'", "heartbeat"},
		"a time that is negative": {"[delivery]\ncatch_up = '-1s'", "catch_up"},
		"lease and call too near": {"[delivery]\nlease = '19s'\ncall_timeout = '10s'", "less than twice call_timeout"},
		"lease twice the call":    {"[delivery]\nlease = '20s'\ncall_timeout = '10s'", ""},
		"a short delay":           {"[access_list_reminders]\ndelay = '99ms'", "delay"},
		"a short interval":        {"[access_list_reminders]\ninterval = '99ms'", "interval"},
		"short reminders":         {"[access_list_reminders]\ndelay = '100ms'\ninterval = '100ms'", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.toml")
			text := "[teleport]\naddr = 'localhost:3025'\nidentity = 'identity'\n" + tc.lines + "\n"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := load(integrationOf(&desk{}), path, zap.NewNop())
			if tc.fault == "" && err != nil || tc.fault != "" && (err == nil || !strings.Contains(err.Error(), tc.fault)) {
				t.Errorf("got %v, want %q", err, tc.fault)
			}
		})
	}
}
