package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Patience is how long a process may take to do what it must; it is a bound for
// broken code and no measure of speed.
const Patience = time.Minute

// Replica is one process of the plugin, which can be ended and started again.
// Its methods may be called at the same time.
type Replica struct {
	path  string
	args  []string
	env   []string
	lines *lines

	mu      sync.Mutex
	process *process // the present one, or the last
}

// process is one run of a replica.
type process struct {
	cmd   *exec.Cmd
	began time.Time
	ended chan struct{} // closed once it has ended and all its output was read
}

// NewReplica describes a process of another program than the plugin, which is
// started by Start. Whoever made it ends it.
func NewReplica(path string, args ...string) *Replica {
	return &Replica{path: path, args: args, lines: newLines()}
}

// Setenv adds variables, as NAME=value, to the environment of later starts.
func (r *Replica) Setenv(env ...string) { r.env = append(r.env, env...) }

// errRunning says that a replica is to be started that runs.
var errRunning = errors.New("the replica is running")

// Start starts the replica, for the first time or again. It does not wait for
// it to be ready.
func (r *Replica) Start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process != nil && !r.process.hasEnded() {
		return errRunning
	}
	r.lines.restart()
	p := &process{cmd: exec.Command(r.path, r.args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), r.env...)
	p.cmd.Stdout, p.cmd.Stderr = r.lines, r.lines
	p.cmd.SysProcAttr = attributes()
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", r.path, err)
	}
	r.process = p
	return nil
}

// run starts the process and waits for its end, on a thread of its own: a child
// that is to die with its parent dies with the thread that started it.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.began = time.Now()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is in the process state
	}
	close(p.ended)
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (r *Replica) current() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process
}

// Began is when the present process was started.
func (r *Replica) Began() time.Time { return r.current().began }

// Running reports whether there is a process that has not ended.
func (r *Replica) Running() bool {
	p := r.current()
	return p != nil && !p.hasEnded()
}

// Signal sends a signal to the process.
func (r *Replica) Signal(sig syscall.Signal) error {
	if err := r.current().cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("sending %v to the replica: %w", sig, err)
	}
	return nil
}

// Kill ends the process as a crash does, and waits until it has ended. On one
// that has ended it does nothing.
func (r *Replica) Kill() error {
	if !r.Running() {
		return nil
	}
	if err := r.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-r.current().ended
	return nil
}

// Stop asks the process to end, by SIGTERM, and tells its exit code and how long
// it took. One that does not end within Patience is killed, which is an error.
func (r *Replica) Stop() (code int, took time.Duration, err error) {
	asked := time.Now()
	if err := r.Signal(syscall.SIGTERM); err != nil {
		return 0, 0, err
	}
	code, err = r.Wait()
	return code, time.Since(asked), err
}

// Wait waits for the process to end and tells its exit code. One that does not
// end within Patience is killed, which is an error.
func (r *Replica) Wait() (code int, err error) {
	p := r.current()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(Patience):
		return 0, errors.Join(errors.New("the replica did not end in time"), r.Kill())
	}
}

// Logs returns the newest lines that the replica wrote in all its runs.
func (r *Replica) Logs() []Line {
	kept, _ := r.lines.all()
	return kept
}

// LogText is Logs as one text.
func (r *Replica) LogText() string {
	var b strings.Builder
	for _, l := range r.Logs() {
		b.WriteString(l.Text + "\n")
	}
	return b.String()
}

// Logged waits for a line with the text that was written at or after a time, and
// returns it. It fails if the process ends without it.
func (r *Replica) Logged(ctx context.Context, text string, since time.Time) (Line, error) {
	for {
		ended := r.current().hasEnded()
		kept, more := r.lines.all()
		for _, l := range kept {
			if !l.Time.Before(since) && strings.Contains(l.Text, text) {
				return l, nil
			}
		}
		if ended {
			return Line{}, fmt.Errorf("the replica ended and did not log %q", text)
		}
		select {
		case <-more:
		case <-r.current().ended:
		case <-ctx.Done():
			return Line{}, fmt.Errorf("waiting for the log to say %q: %w", text, ctx.Err())
		}
	}
}

// pollPause is how often a process is asked for what it does not tell by itself.
const pollPause = time.Millisecond

// Ready waits until /readyz says that the plugin is connected and delivers. It
// fails if the process ends before that.
func (r *Replica) Ready(ctx context.Context) error {
	var last string
	for {
		status, body, err := r.get(ctx, "/readyz")
		if err == nil && status == http.StatusOK {
			return nil
		}
		if err == nil {
			last = body
		}
		select {
		case <-r.current().ended:
			return fmt.Errorf("the replica ended before it was ready:\n%s", r.LogText())
		case <-ctx.Done():
			return fmt.Errorf("waiting for the replica to be ready: %w; it said:\n%s", ctx.Err(), last)
		case <-time.After(pollPause):
		}
	}
}

// Readiness tells whether the plugin says that it is connected and delivers, and
// the words in which it says so.
func (r *Replica) Readiness(ctx context.Context) (ready bool, words string, err error) {
	status, words, err := r.get(ctx, "/readyz")
	return err == nil && status == http.StatusOK, words, err
}

// get asks the process for one of its pages.
func (r *Replica) get(ctx context.Context, path string) (status int, body string, err error) {
	addr, more := r.lines.address()
	for ; addr == ""; addr, more = r.lines.address() {
		select {
		case <-more:
		case <-r.current().ended:
			return 0, "", errors.New("the replica has ended")
		case <-ctx.Done():
			return 0, "", fmt.Errorf("waiting for the address of health and metrics: %w", ctx.Err())
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return 0, "", fmt.Errorf("asking the replica for %s: %w", path, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("asking the replica for %s: %w", path, err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", fmt.Errorf("reading the replica's %s: %w", path, err)
	}
	return resp.StatusCode, string(text), nil
}

// Metrics reads the plugin's metrics, by their names with labels as they are
// printed.
func (r *Replica) Metrics(ctx context.Context) (map[string]float64, error) {
	_, text, err := r.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	metrics := make(map[string]float64)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("reading the metric %q: %w", line, err)
		}
		metrics[line[:i]] = value
	}
	return metrics, nil
}

// RSS is the resident memory of the process in bytes, as the kernel counts it:
// with the pages of the binary that are in use. It is known on Linux only.
func (r *Replica) RSS() (bytes int64, err error) { return r.status("VmRSS") }

// PeakRSS is the most that RSS ever was.
func (r *Replica) PeakRSS() (bytes int64, err error) { return r.status("VmHWM") }

// Descriptors is how many files and connections the process has open. It is known
// on Linux only.
func (r *Replica) Descriptors() (int, error) {
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.current().cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the descriptors of the replica: %w", err)
	}
	return len(open), nil
}

// status reads a size of which proc(5) tells under the name.
func (r *Replica) status(name string) (bytes int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.current().cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory of the replica: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, name+":"); found {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading the memory of the replica: %w", err)
			}
			return kib << 10, nil
		}
	}
	return 0, errors.New("reading the memory of the replica: the kernel does not tell it")
}

// ticksPerSecond is the unit in which Linux tells processor time, see proc(5);
// it is the same on every architecture that Go supports.
const ticksPerSecond = 100

// CPU is the processor time that the process has used so far, to a hundredth of a
// second. It is known on Linux only.
func (r *Replica) CPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.current().cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the processor time of the replica: %w", err)
	}
	// The second field is the program's name in parentheses; utime and stime
	// are the fields 14 and 15.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int64
	for _, i := range []int{11, 12} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the processor time of the replica: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}
