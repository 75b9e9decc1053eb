package child

import "syscall"

// attributes put a program into a process group of its own: a Ctrl-C at the terminal goes
// to a whole group, and the program would get that signal and ours. It is killed when the
// thread that started it ends, which is when we are killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
