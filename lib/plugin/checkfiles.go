package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/diag"
)

// accessWrite asks the system whether a file may be written to.
const accessWrite = 2

// Permissions of those who are neither the owner nor of the group.
const (
	othersRead  fs.FileMode = 0o004
	othersWrite fs.FileMode = 0o002
)

// files looks who may read and change the files that the plugin reads. Whether the
// plugin itself may read them, the other legs say.
func (c *checker) files(context.Context) error {
	secrets, inline := config.Secrets(c.settings)
	private := slices.Concat(c.session.credentials().Files(), secrets)
	if inline {
		private = append(private, c.flags.config)
	}
	var found check.Findings
	for _, path := range slices.Concat([]string{c.flags.config}, private) {
		found = append(found, writable(path))
	}
	slices.Sort(private)
	for _, path := range slices.Compact(private) {
		if info, err := os.Stat(path); err == nil && info.Mode()&othersRead != 0 {
			found = append(found, check.Lack("every user of this machine can read %s; take the permission away with chmod o-r", path))
		}
	}
	if name := serviceUser(c.integration); name != "" && os.Geteuid() != 0 && userName() != name {
		found = append(found, check.Lack("the service may run as user %s; run this command with sudo to check as that user", name))
	}
	return slices.CompactFunc(found, func(a, b error) bool { return a != nil && b != nil && a.Error() == b.Error() })
}

// writable says whether everybody may change a file, or put another in its place.
func writable(path string) error {
	info, err := os.Stat(path)
	if err != nil || errors.Is(syscall.Access(path, accessWrite), syscall.EROFS) {
		return nil // whoever needs it says so; a file system that is read-only nobody changes
	}
	if info.Mode()&othersWrite != 0 {
		return fmt.Errorf("every user of this machine can change %s; take the permission away with chmod o-w", path)
	}
	dir := filepath.Dir(path)
	info, err = os.Stat(dir)
	if err == nil && info.Mode()&othersWrite != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("every user of this machine can replace %s; take the permission to write to %s away with chmod o-w", path, dir)
	}
	return nil
}

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
