package config_test

import (
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/config"
)

func TestLogValuesInUse(t *testing.T) {
	for text, want := range map[string]config.Log{
		``:                              config.DefaultLog(),
		`output = ""`:                   config.DefaultLog(),
		`output = "error"`:              {Output: "stderr", Severity: "info", Format: "text"},
		`output = "1"`:                  {Output: "stdout", Severity: "info", Format: "text"},
		`output = "out"`:                {Output: "stdout", Severity: "info", Format: "text"},
		`output = "/var/log/p.log"`:     {Output: "/var/log/p.log", Severity: "info", Format: "text"},
		`severity = "ERR"`:              {Output: "stderr", Severity: "error", Format: "text"},
		`severity = "Error"`:            {Output: "stderr", Severity: "error", Format: "text"},
		`severity = "warning"`:          {Output: "stderr", Severity: "warn", Format: "text"},
		`severity = "trace"`:            {Output: "stderr", Severity: "trace", Format: "text"},
		"severity = 'DEBUG'":            {Output: "stderr", Severity: "debug", Format: "text"},
		"Format = 'Json'\nSEVERITY= ''": {Output: "stderr", Severity: "info", Format: "json"},
	} {
		t.Run(text, func(t *testing.T) {
			if got, _ := mustLoad(t, minimal+"[log]\n"+text); got.Log != want {
				t.Errorf("got %+v, want %+v", got.Log, want)
			}
		})
	}
}

func TestDurationForms(t *testing.T) {
	for text, c := range map[string]struct {
		want  time.Duration
		warns bool
	}{
		`"90s"`:       {90 * time.Second, false},
		`"1h30m"`:     {90 * time.Minute, false},
		`60000000000`: {time.Minute, false},
		`0`:           {time.Minute, false}, // the default
		`60`:          {60, true},
		`"60ns"`:      {60, false}, // said in so many words
	} {
		t.Run(text, func(t *testing.T) {
			got, report := mustLoad(t, strings.Replace(minimal, "[teleport]", "[teleport]\nrefresh_identity_interval = "+text, 1))
			if interval := time.Duration(got.Teleport.RefreshIdentityInterval); interval != c.want {
				t.Errorf("got %v, want %v", interval, c.want)
			}
			if warned := len(report.Warnings) == 1; warned != c.warns {
				t.Errorf("warnings: %q", messages(report.Warnings))
			}
		})
	}
	for _, text := range []string{`"60"`, `""`, `1.5`, `true`, `["1s"]`} {
		_, _, err := load(t, strings.Replace(minimal, "[teleport]", "[teleport]\nrefresh_identity_interval = "+text, 1))
		if err == nil || !strings.Contains(err.Error(), ":3: teleport.refresh_identity_interval: ") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestEmbeddedSectionSharesItsTable(t *testing.T) {
	type Inner struct {
		Name string `toml:"name"`
	}
	type plugin struct {
		Service struct {
			Inner
			Token config.Secret `toml:"token"`
		} `toml:"service"`
		Teleport config.Ignored `toml:"teleport"`
		Roles    config.Ignored `toml:"role_to_recipients"`
	}
	var into plugin
	path := t.TempDir() + "/config.toml"
	write(t, path, strings.Replace(minimal, "[service]", "[service]\nname = \"n\"", 1), 0)
	report, err := config.Load(path, &into)
	if err != nil || len(report.Warnings) != 0 || into.Service.Name != "n" {
		t.Errorf("got %+v, %v, %v", into, report, err)
	}
	if keys := config.Keys(&into); len(keys) != 3 || keys[0].Path != "service.name" {
		t.Errorf("got %+v", keys)
	}
}

func TestLoadWantsAPointerToAStruct(t *testing.T) {
	path := t.TempDir() + "/config.toml"
	write(t, path, "", 0)
	for _, into := range []any{nil, sample{}, new(int)} {
		if _, err := config.Load(path, into); err == nil {
			t.Errorf("%T is taken", into)
		}
	}
}
