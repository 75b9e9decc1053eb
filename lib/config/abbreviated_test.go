package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
)

// mode is a table that was a mere switch once.
type mode struct {
	On    bool `toml:"on" doc:"whether it is on"`
	Level int  `toml:"level" doc:"how much of it"`
}

func (m *mode) FromValue(raw any) error {
	on, ok := raw.(bool)
	if !ok {
		return errors.New("this is neither a table nor true or false; write [mode]")
	}
	m.On = on
	return nil
}

func TestATableMayBeAbbreviated(t *testing.T) {
	for text, want := range map[string]mode{
		"":                        {Level: 1},
		"mode = true":             {On: true, Level: 1},
		"mode = false":            {Level: 1},
		"[mode]\non = true":       {On: true, Level: 1},
		"mode = {level = 3}":      {Level: 3},
		"mode = 'x' # is a fault": {Level: 1},
	} {
		path := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var into struct {
			Mode mode `toml:"mode"`
		}
		into.Mode.Level = 1
		_, err := config.Load(path, &into)
		if (err != nil) != strings.Contains(text, "fault") {
			t.Errorf("%q: %v", text, err)
		}
		if into.Mode != want {
			t.Errorf("%q: got %+v, want %+v", text, into.Mode, want)
		}
	}
	if keys := config.Keys(&struct {
		Mode mode `toml:"mode"`
	}{}); len(keys) != 2 || keys[0].Path != "mode.on" {
		t.Errorf("the keys of the table are not listed: %+v", keys)
	}
}

// ban is a table in which a misspelt key must not pass.
type ban struct {
	Roles []string `toml:"roles" doc:"what is forbidden"`
}

// Exact makes unknown keys a fault.
func (ban) Exact() {}

func TestATableOfBansTakesNoUnknownKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(path, []byte("typo = 1\n[ban]\nrolse = ['a']\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var into struct {
		Ban ban `toml:"ban"`
	}
	report, err := config.Load(path, &into)
	if err == nil || !strings.Contains(err.Error(), "ban.rolse") || !strings.Contains(err.Error(), "did you mean ban.roles") {
		t.Errorf("error %v", err)
	}
	if len(report.Warnings) != 1 || report.Warnings[0].Key != "typo" {
		t.Errorf("warnings %v", report.Warnings)
	}
}
