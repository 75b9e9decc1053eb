// Package command runs a program once, as a bounded child: without a shell, with next to
// nothing of our environment, in a group of its own that ends with the run, and with an
// answer that is no longer than it may be.
package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"teleport-plugins/lib/outbound"
)

const (
	// tryLater is the exit code by which a program asks to be started again: EX_TEMPFAIL.
	tryLater = 75
	// afterEnd is how long what a program left behind may keep its output open.
	afterEnd = time.Second
)

// Executable says why a program cannot be started, or nothing.
func Executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the program %q does not exist", path)
	case err != nil:
		return fmt.Errorf("the program %q cannot be looked at: %w", path, errors.Unwrap(err))
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return fmt.Errorf("the program %q is not executable", path)
	}
	return nil
}

// Program is a program that is run now and then.
type Program struct {
	path    string
	args    []string
	longest int // answer, in bytes
	room    *semaphore.Weighted
}

// New returns a program, given by its whole path and its arguments. Of its runs so many
// go on at once, and an answer has at most so many bytes.
func New(path string, args []string, atOnce, longest int) *Program {
	return &Program{path: path, args: args, longest: longest, room: semaphore.NewWeighted(int64(atOnce))}
}

// Run runs the program with an input, and returns what it writes to its standard output;
// what it writes to stderr is logged. It finds PATH and LANG in its environment, and what
// is given here. An error is an *outbound.Error of the kind Retry, or Unclear for a program
// that was ended while it worked.
func (p *Program) Run(ctx context.Context, input []byte, environment []string, log *zap.Logger) ([]byte, error) {
	if err := Executable(p.path); err != nil {
		return nil, &outbound.Error{Kind: outbound.Retry, Err: err, Hint: "put it there, and make it executable for the user that runs the plugin"}
	}
	if p.room.Acquire(ctx, 1) != nil {
		return nil, &outbound.Error{Kind: outbound.Retry, Err: errors.New("other runs of the program took all the time")}
	}
	defer p.room.Release(1)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(ctx, p.path, p.args...) //nolint:gosec // the operator names the program
	cmd.Dir = "/"
	cmd.Env = append([]string{
		"PATH=" + cmp.Or(os.Getenv("PATH"), "/usr/local/bin:/usr/bin:/bin"),
		"LANG=" + cmp.Or(os.Getenv("LANG"), "C.UTF-8"),
	}, environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	group := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = group, afterEnd
	out := &bounded{most: p.longest, over: func() { cancel(errTooLong) }}
	complaints := &lines{log: log}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), out, complaints
	err := cmd.Run()
	complaints.flush()
	if cmd.Process != nil {
		_ = group() // what the program left behind; none is the rule
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return nil, p.broken(ctx, err)
	}
	return out.kept, nil
}

// broken says why a program did not answer.
func (p *Program) broken(ctx context.Context, err error) *outbound.Error {
	f := &outbound.Error{Kind: outbound.Retry}
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case errors.Is(context.Cause(ctx), errTooLong):
		f.Err = fmt.Errorf("the answer is longer than %d KiB; the program was ended", p.longest>>10)
	case ctx.Err() != nil:
		f.Kind, f.Err = outbound.Unclear, errors.New("the program did not answer in time and was ended")
	case exited && exit.ExitCode() == tryLater:
		f.Err = errors.New("the program asks to be started again later")
	case exited:
		f.Err, f.Hint = fmt.Errorf("the program failed: %w", err), "at severity debug the log has what it wrote to stderr"
	default:
		if path, ok := errors.AsType[*fs.PathError](err); ok {
			err = path.Err
		}
		f.Err, f.Hint = fmt.Errorf("the program could not be started: %w", err), "see that it begins with #! and an interpreter that exists, or is a binary for this machine"
	}
	return f
}
