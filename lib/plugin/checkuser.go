package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"strconv"
	"syscall"

	"teleport-plugins/lib/check"
)

// userName is the user as whom this process runs.
func userName() string {
	if u, err := user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Geteuid())
}

// serviceUser is the user as whom the unit that is delivered runs the plugin, if there
// is one on this machine.
func serviceUser(i Integration) string {
	name := "teleport-" + i.Name
	if _, err := user.Lookup(name); err != nil {
		return ""
	}
	return name
}

// checkAs has root run the command check once more, as the user of the service, since
// root may read and write what that user may not. It reports false where there is
// nothing to change.
func checkAs(i Integration, f flags, args []string, stdout, stderr io.Writer) (code int, done bool, err error) {
	name := f.checking.user
	if name == "" {
		name = serviceUser(i)
	}
	if os.Geteuid() != 0 && f.checking.user != "" && f.checking.user != userName() {
		return 0, false, fmt.Errorf("--run-as %s: only root can run check as another user", f.checking.user)
	}
	if os.Geteuid() != 0 || name == "" {
		return 0, false, nil
	}
	credential, err := credentialOf(name)
	if err != nil || credential.Uid == 0 {
		return 0, false, err
	}
	return runAs(name, credential, args, stdout, stderr)
}

// runAs runs this program once more, as another user.
func runAs(name string, credential *syscall.Credential, args []string, stdout, stderr io.Writer) (code int, done bool, err error) {
	program, err := os.Executable()
	if err != nil { // without /proc, as in a bare chroot
		program, err = exec.LookPath(os.Args[0])
	}
	if err != nil {
		return 0, false, fmt.Errorf("running check as user %s: %w", name, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends what it has begun
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), true, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("running check as user %s, which must be allowed to run %s: %w; name another user with --run-as", name, program, err)
	}
	return 0, true, nil
}

// credentialOf is what a process of the user may do.
func credentialOf(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("--run-as: this machine has no user %s; name the one that the service runs as", name)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("looking up the groups of user %s: %w", name, err)
	}
	var groups []uint32
	for _, id := range append([]string{u.Uid, u.Gid}, ids...) {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("the id %q of user %s is no number", id, name)
		}
		groups = append(groups, uint32(n))
	}
	return &syscall.Credential{Uid: groups[0], Gid: groups[1], Groups: groups[2:]}, nil
}

// runAs says whether check runs as the service does: the files that it may read and
// write are then those that the service may.
func (c *checker) runAs(context.Context) error {
	if name := serviceUser(c.integration); name != "" && os.Geteuid() != 0 && userName() != name {
		return check.Lack("the service may run as user %s; run this command with sudo to check as that user", name)
	}
	return nil
}
