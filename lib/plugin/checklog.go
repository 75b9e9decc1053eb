package plugin

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/diag"
)

// logOutput opens the log as start does. A file that was not there before is removed.
func (c *checker) logOutput(context.Context) error {
	if !c.fit {
		return check.Skip("it takes a config without faults, see above")
	}
	path := c.settings.Common().Log.Output
	_, err := os.Stat(path)
	absent := errors.Is(err, fs.ErrNotExist)
	log, err := diag.NewLogger(diag.LogOptions(c.settings.Common().Log), false)
	if err != nil {
		return err
	}
	if err := log.Close(); err != nil {
		return err
	}
	if !absent || path == "stdout" || path == "stderr" {
		return nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if info, err := os.Stat(real); err == nil && info.Size() == 0 {
		return os.Remove(real)
	}
	return nil
}
