// Package child keeps a program running: it starts it, starts it again when it
// ends, and ends it in good order when told to.
package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"teleport-plugins/lib/pace"
)

// Times of a Child where its fields are zero.
const (
	// DefaultGrace is how long a program has to end after SIGTERM.
	DefaultGrace = 20 * time.Second
	// DefaultPause is the wait before the first new start; it doubles with
	// each further one up to sixteen times that.
	DefaultPause = time.Second
	// steady is how long a program has to run for the pause to be short again.
	steady = 30 * time.Second
)

// maxLine is the longest line that is told in one piece.
const maxLine = 64 << 10

// Child is a program that is to be kept running. The fields must not be changed
// once Run was called.
type Child struct {
	Path string
	Args []string
	// Output is called with each line that the program writes to its standard
	// output and standard error, without the line's end; never twice at once.
	Output func(line string)
	// Event is called with one sentence on each start and end.
	Event func(sentence string)
	// Grace and Pause are DefaultGrace and DefaultPause when zero.
	Grace, Pause time.Duration

	mu      sync.Mutex
	status  Status
	process *os.Process
}

// Status is what is known of a program.
type Status struct {
	// PID is zero while the program is not running.
	PID int `json:"pid"`
	// Starts is how often it was started.
	Starts int `json:"starts"`
	// LastError tells how it ended last.
	LastError string `json:"last_error,omitempty"`
}

// Status tells how the program is.
func (c *Child) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Kill kills the program without warning, as a crash does; Run starts it again.
// It is an error when the program is not running.
func (c *Child) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status.PID == 0 {
		return errors.New("the program is not running")
	}
	// os.Process knows whether the program was waited for, so this never hits
	// another that got its PID.
	if err := c.process.Kill(); err != nil {
		return fmt.Errorf("killing %s: %w", c.Path, err)
	}
	return nil
}

// Run keeps the program running until ctx ends; then the program gets SIGTERM
// and, when the grace is over, is killed. Run returns once it has ended. On Linux the
// program ends, too, when we are killed.
func (c *Child) Run(ctx context.Context) {
	// A program that is to end with us ends with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	first := c.Pause
	if first == 0 {
		first = DefaultPause
	}
	pause := first
	for {
		began := time.Now()
		err := c.once(ctx)
		if ctx.Err() != nil {
			c.Event("stopped")
			return
		}
		if time.Since(began) >= steady {
			pause = first
		}
		c.Event(fmt.Sprintf("ended (%s); starting it again in %s", ending(err), pause))
		if !pace.Sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, 16*first)
	}
}

func ending(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// once runs the program from its start to its end.
func (c *Child) once(ctx context.Context) error {
	out, in := io.Pipe()
	var reader sync.WaitGroup
	reader.Go(func() { c.read(out) })
	defer reader.Wait()
	defer in.Close() //nolint:errcheck // closing a pipe in memory cannot fail
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Stdout, cmd.Stderr = in, in
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = c.Grace
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = DefaultGrace
	}
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		c.ended(err)
		return err
	}
	c.started(cmd.Process)
	err := cmd.Wait()
	c.ended(err)
	return err
}

func (c *Child) started(p *os.Process) {
	c.mu.Lock()
	c.process, c.status.PID = p, p.Pid
	c.status.Starts++
	c.mu.Unlock()
	c.Event(fmt.Sprintf("started with PID %d", p.Pid))
}

func (c *Child) ended(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.PID, c.status.LastError = 0, ""
	if err != nil {
		c.status.LastError = err.Error()
	}
}

// read passes on what the program writes, until it has ended.
func (c *Child) read(r io.Reader) {
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			return
		}
		c.Output(string(line))
	}
}
