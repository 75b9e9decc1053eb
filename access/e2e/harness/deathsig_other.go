//go:build !linux

package harness

import "syscall"

// attributes put a child in a process group of its own, so that a Ctrl-C reaches
// it only through us.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
