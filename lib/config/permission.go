package config

import (
	"fmt"
	"io/fs"
	"os"
)

// Bits of a file's mode that concern every user of the machine.
const (
	othersRead  fs.FileMode = 0o004
	othersWrite fs.FileMode = 0o002
)

// modeOf gives the permissions of a file, or none of what is no file or cannot be
// looked at.
func modeOf(path string) fs.FileMode {
	info, err := os.Stat(path)
	if path == "" || err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Mode().Perm()
}

// Guarded warns if every user of the machine can write the file that a key names, or
// can read it where it holds a secret. What the file is, as in "identity file", is
// said in the warnings.
func (f *Faults) Guarded(key, path, what string, secret bool) {
	mode := modeOf(path)
	if mode&othersWrite != 0 {
		f.grave(key, fmt.Sprintf("every user of this machine can write the %s %q", what, path), "take the permission away with chmod o-w")
	}
	if secret && mode&othersRead != 0 {
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
