//go:build !linux

package hook

import "syscall"

// share does nothing: a second process finds the address taken.
func share(_, _ string, _ syscall.RawConn) error { return nil }
