package hook

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// share lets several sockets listen at one address. The kernel keeps other users out.
func share(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, failed)
}
