package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Bits of a file's mode that concern every user of the machine.
const (
	othersRead  fs.FileMode = 0o004
	othersWrite fs.FileMode = 0o002
)

// accessWrite asks the system whether a file may be written to.
const accessWrite = 2

// open says how everybody may change a file, in words that go before its name, and what
// to do; empty for one that is closed to them. A file system that is read-only nobody
// changes.
func open(path string) (verb, do string) {
	if errors.Is(syscall.Access(path, accessWrite), syscall.EROFS) {
		return "", ""
	}
	if modeOf(path)&othersWrite != 0 {
		return "write", "take the permission away with chmod o-w"
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err == nil && info.Mode()&othersWrite != 0 && info.Mode()&fs.ModeSticky == 0 {
		return "replace", "take the permission to write to " + dir + " away with chmod o-w"
	}
	return "", ""
}

// modeOf gives the permissions of a file, or none of what is no file or cannot be
// looked at.
func modeOf(path string) fs.FileMode {
	info, err := os.Stat(path)
	if path == "" || err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Mode().Perm()
}

// Guarded warns if every user of the machine can write or replace the file that a key
// names, or can read it where it holds a secret. What the file is, as in "identity
// file", is said in the warnings.
func (f *Faults) Guarded(key, path, what string, secret bool) {
	if path == "" {
		return
	}
	if verb, do := open(path); verb != "" {
		f.grave(key, fmt.Sprintf("every user of this machine can %s the %s %q", verb, what, path), do)
	}
	if secret && modeOf(path)&othersRead != 0 {
		f.Warn(key, fmt.Sprintf("every user of this machine can read the %s %q", what, path), "take the permission away with chmod o-r")
	}
}

// grave records a warning about what may do harm.
func (f *Faults) grave(key, what, do string) {
	path := f.join(key)
	f.l.warnings = append(f.l.warnings, Problem{
		File: f.l.file, Line: f.l.line(path), Key: f.l.shown(path), What: what, Do: do, Grave: true,
	})
}
