package config_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
)

func TestSecretsAreListedByTheirFiles(t *testing.T) {
	type section struct {
		Token config.Secret `toml:"token"`
		Key   config.Secret `toml:"key"`
		Other string        `toml:"other"`
	}
	for name, c := range map[string]struct {
		token, key string
		files      []string
		inline     bool
	}{
		"none":     {},
		"a file":   {"/a", "env:B", []string{"/a"}, false},
		"in place": {"xoxb", "/b", []string{"/b"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			into := struct {
				Service section `toml:"service"`
			}{section{Token: config.NewSecret(c.token), Key: config.NewSecret(c.key)}}
			if files, inline := config.Secrets(&into); !slices.Equal(files, c.files) || inline != c.inline {
				t.Errorf("got %q, %v", files, inline)
			}
		})
	}
}

func TestAFaultSparesTheOtherSections(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		spares bool
	}{
		"in another section":  {strings.Replace(minimal, `"t0ken"`, "1", 1), true},
		"a table is missing":  {minimal[:strings.Index(minimal, "[role_to")], true},
		"in the section":      {strings.Replace(minimal, `"/var/lib/id"`, "1", 1), false},
		"in its own words":    {strings.Replace(minimal, "[teleport]\nidentity", "[Teleport]\nIdentity = 1\n#", 1), false},
		"not TOML":            {minimal + "[", false},
		"not TOML in a value": {minimal + "x = y", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := load(t, c.text)
			var faults *config.Error
			if !errors.As(err, &faults) {
				t.Fatalf("got %v", err)
			}
			if got := faults.Spares("teleport"); got != c.spares {
				t.Errorf("got %v for %v", got, err)
			}
		})
	}
	if _, err := config.Load("/nowhere/at/all", &struct{}{}); err == nil || err.(*config.Error).Spares("teleport") {
		t.Errorf("of a file that cannot be read: %v", err)
	}
}
