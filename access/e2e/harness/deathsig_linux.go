package harness

import "syscall"

// attributes put a child in a process group of its own, so that a Ctrl-C reaches
// it only through us, and let it die with the thread that started it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
