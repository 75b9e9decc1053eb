package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// fate is what became of a mutant.
type fate int

const (
	survived fate = iota
	noticed
	tooSlow // noticed as well: the tests did not end in their time
	equal   // the compiler makes the same of it
	broken  // does not compile
)

func (f fate) String() string {
	return [...]string{"SURVIVED", "noticed", "too slow", "equal", "does not compile"}[f]
}

// runner compiles and runs the tests of packages below root. It is safe for use
// by several goroutines once it is prepared.
type runner struct {
	root string
	work string // folder for what is made
	// patience is the time by the clock that the tests of a mutant are given, beside
	// four times what they take without a change. Of the processor's time they are
	// given four times as much, too.
	patience time.Duration
	programs map[string]*program // by package
	made     atomic.Int64
}

// try runs the tests of a package against a mutant of it.
func (r *runner) try(ctx context.Context, m mutant) (fate, error) {
	if err := r.fresh(m); err != nil {
		return broken, err
	}
	p := r.programs[path.Dir(m.file)]
	list, err := r.overlay(map[string][]byte{m.file: m.apply()})
	if err != nil {
		return broken, err
	}
	defer os.RemoveAll(filepath.Dir(list)) //nolint:errcheck // as the whole folder is in the end
	f := survived
	if n, ok := p.number[m.key()]; ok {
		f, err = r.judge(ctx, p, p.path, fmt.Sprintf("%s=%d", variable, n))
	} else {
		f, err = r.alone(ctx, p, list)
	}
	if err != nil || f != survived {
		return f, err
	}
	code, err := r.compile(ctx, p.pkg, list)
	if err == nil && code == p.code {
		return equal, nil
	}
	return survived, err
}

// alone compiles and runs the tests against the one mutant that stands in a list.
func (r *runner) alone(ctx context.Context, p *program, list string) (fate, error) {
	path, err := r.build(ctx, p.pkg, list)
	if errors.Is(err, errNotCompiled) && ctx.Err() == nil {
		return broken, nil
	} else if err != nil {
		return broken, err
	}
	defer os.Remove(path) //nolint:errcheck // as the whole folder is in the end
	return r.judge(ctx, p, path, "")
}

// judge runs tests in an environment that chooses a mutant, if any can be chosen.
func (r *runner) judge(ctx context.Context, p *program, path, environment string) (fate, error) {
	limit := limits{r.patience + 4*p.took.clock, 4*p.took.processor + time.Second}
	_, _, err := r.test(ctx, p.pkg, path, limit, environment)
	switch {
	case ctx.Err() != nil:
		return broken, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return tooSlow, nil
	case err != nil:
		return noticed, nil
	}
	return survived, nil
}

// build compiles the tests of a package and returns the program's path.
func (r *runner) build(ctx context.Context, pkg, overlay string) (string, error) {
	program := filepath.Join(r.work, fmt.Sprintf("%d.test", r.made.Add(1)))
	// -s and -w spare the linker half of its work.
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-trimpath", "-overlay", overlay,
		"-ldflags=-s -w", "-o", program, "./"+testedBy(pkg))
	cmd.Dir = r.root
	output, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %w: %w\n%s", pkg, errNotCompiled, err, output)
	}
	if _, err := os.Stat(program); err != nil {
		return "", fmt.Errorf("%s has no tests: %w", pkg, err)
	}
	return program, nil
}

// compile returns a text that stands for what the compiler makes of a package.
func (r *runner) compile(ctx context.Context, pkg, overlay string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-export", "-trimpath", "-gcflags=-dwarf=false", "-overlay", overlay,
		"-f", "{{.BuildID}}", "./"+pkg)
	cmd.Dir = r.root
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("compiling %s: %w", pkg, err)
	}
	_, code, _ := strings.Cut(strings.TrimSpace(string(output)), "/") // behind what went in
	return code, nil
}

// limits are how long tests may take: by the clock, and of the processor's time,
// which tells one that hangs from one that others keep waiting.
type limits struct{ clock, processor time.Duration }

// test runs compiled tests until the first one fails, and returns what they say and
// what they took. The error is context.DeadlineExceeded when that was too much.
func (r *runner) test(ctx context.Context, pkg, program string, limit limits, environment string) (output string, took limits, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit.clock)
	defer cancel()
	seconds := strconv.Itoa(int(limit.processor/time.Second) + 1)
	cmd := exec.CommandContext(ctx, "sh", "-c", `ulimit -t "$0" && exec "$@"`, seconds,
		program, "-test.short", "-test.failfast", "-test.timeout=0")
	cmd.Dir = filepath.Join(r.root, testedBy(pkg))
	cmd.Env = append(os.Environ(), environment)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	start := time.Now()
	text, err := cmd.CombinedOutput()
	took.clock = time.Since(start)
	if cmd.ProcessState != nil {
		took.processor = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	switch {
	case err != nil && ctx.Err() != nil:
		err = ctx.Err()
	case err != nil && took.processor >= limit.processor:
		err = context.DeadlineExceeded
	}
	return string(text), took, err
}
