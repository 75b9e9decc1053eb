// Package published provides the folder of the vendors' published API descriptions,
// which contract tests hold calls and answers against.
package published

import (
	"os"
	"testing"
)

// EnvDir names the environment variable with the folder. The contract package of
// each service says what it expects below it.
const EnvDir = "TELEPORT_PLUGINS_API_SPECS"

// Load loads a service's descriptions from the folder. It skips the test when the
// variable is not set and fails it when they cannot be read.
func Load[T any](t testing.TB, load func(dir string) (T, error)) T {
	t.Helper()
	dir := os.Getenv(EnvDir)
	if dir == "" {
		t.Skipf("skipped: %s does not name a folder with the vendors' published descriptions", EnvDir)
	}
	loaded, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}
