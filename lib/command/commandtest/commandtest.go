// Package commandtest provides programs for tests.
package commandtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Script writes a program of lines for the shell, and returns its path.
func Script(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+strings.Join(lines, "\n")+"\n"), 0o700); err != nil { //nolint:gosec // is to be run
		t.Fatal(err)
	}
	return path
}
