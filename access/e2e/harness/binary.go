package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// BinVariable names the environment variable that holds the directory of the
// binaries.
const BinVariable = "PLUGINS_BIN"

// ErrNotBuilt says that nobody named a directory with binaries and that there
// are none at the place where they are usually built.
var ErrNotBuilt = errors.New("the plugins are not built; run make build, or name their directory in " + BinVariable)

// Binary finds the binary of a service's plugin: in the directory that
// PLUGINS_BIN names, where it must be, or in build/ at the root of the module.
// Without PLUGINS_BIN a binary that is absent is ErrNotBuilt.
func Binary(service string) (path string, err error) {
	dir := os.Getenv(BinVariable)
	named := dir != ""
	if !named {
		root, err := moduleRoot()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, "build")
	}
	path, err = filepath.Abs(filepath.Join(dir, "teleport-"+service))
	if err != nil {
		return "", fmt.Errorf("finding the plugin of %s: %w", service, err)
	}
	switch _, err = os.Stat(path); {
	case errors.Is(err, os.ErrNotExist) && !named:
		return "", ErrNotBuilt
	case err != nil:
		return "", fmt.Errorf("finding the plugin of %s, by %s: %w", service, BinVariable, err)
	}
	return path, nil
}

// moduleRoot is the directory of the go.mod above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("finding the plugins: the working directory is not within the module")
		}
		dir = filepath.Dir(dir)
	}
	return "", fmt.Errorf("finding the plugins: %w", err)
}
