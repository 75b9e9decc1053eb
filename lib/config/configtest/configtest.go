// Package configtest provides what the tests of configs have in common.
package configtest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
)

// Load loads a text as a file of the given name.
func Load(t testing.TB, name, text string, into any) (config.Report, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path, into) //nolint:wrapcheck // for the test
}

// Said loads a text as Load does, and gives the warnings and the faults, one a line, without
// the folder.
func Said(t testing.TB, name, text string, into any) (warnings, faults string) {
	t.Helper()
	report, err := Load(t, name, text, into)
	if e := (*config.Error)(nil); errors.As(err, &e) {
		faults = lines(e.Faults)
	} else if err != nil {
		t.Fatal(err)
	}
	return lines(report.Warnings), faults
}

func lines(problems []config.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		p.File = filepath.Base(p.File)
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}
