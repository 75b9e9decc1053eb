package config_test

import (
	"errors"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
)

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
