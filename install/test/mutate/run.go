package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// target is a package whose code is changed.
type target struct {
	pkg string
	// others are packages whose tests are run where its own notice nothing.
	others []string
}

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
// by several goroutines once the originals were run.
type runner struct {
	root string
	work string // folder for what is made
	// patience is the time that the tests of a mutant are given, beside four times
	// what they take without a change.
	patience time.Duration

	mu        sync.Mutex
	originals map[string]original
	made      int
}

// original is a package as it is.
type original struct {
	code    string            // what the compiler makes of the package
	program [sha256.Size]byte // of its tests
	took    time.Duration     // by its tests
}

var errNotCompiled = errors.New("does not compile")

// original runs the tests of a package as it is, and remembers the program and
// the time that they took. It fails if they do.
func (r *runner) original(ctx context.Context, pkg string) error {
	if _, done := r.originals[pkg]; done {
		return nil
	}
	program, err := r.build(ctx, pkg, "")
	if err != nil {
		return err
	}
	defer os.Remove(program)
	sum, err := sum(program)
	if err != nil {
		return err
	}
	start := time.Now()
	if output, err := r.test(ctx, pkg, program, 10*time.Minute); err != nil {
		return fmt.Errorf("the tests of %s fail without any change: %w\n%s", pkg, err, output)
	}
	took := time.Since(start)
	code, err := r.compile(ctx, pkg, "")
	r.originals[pkg] = original{code, sum, took}
	return err
}

// try runs the tests of packages in turn against a mutant until one notices it.
func (r *runner) try(ctx context.Context, m mutant, packages []string) (fate, error) {
	overlay, err := r.overlay(m)
	if err != nil {
		return broken, err
	}
	defer os.RemoveAll(filepath.Dir(overlay))
	for _, pkg := range packages {
		if f, err := r.tryPackage(ctx, pkg, overlay); err != nil || f != survived {
			return f, err
		}
	}
	code, err := r.compile(ctx, packages[0], overlay)
	if err == nil && code == r.originals[packages[0]].code {
		return equal, nil
	}
	return survived, err
}

func (r *runner) tryPackage(ctx context.Context, pkg, overlay string) (fate, error) {
	program, err := r.build(ctx, pkg, overlay)
	if errors.Is(err, errNotCompiled) && ctx.Err() == nil {
		return broken, nil
	} else if err != nil {
		return broken, err
	}
	defer os.Remove(program)
	sum, err := sum(program)
	if err != nil {
		return broken, err
	}
	before := r.originals[pkg]
	if sum == before.program {
		return survived, nil // the tests do not reach it
	}
	limit := r.patience + 4*before.took
	_, err = r.test(ctx, pkg, program, limit)
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

// overlay writes a mutant's file, and the list that tells the compiler of it.
func (r *runner) overlay(m mutant) (string, error) {
	original := filepath.Join(r.root, m.file)
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(source, m.source) {
		return "", fmt.Errorf("%s was changed meanwhile; begin again", m.file)
	}
	dir, err := os.MkdirTemp(r.work, "mutant")
	if err != nil {
		return "", err
	}
	changed, list := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err == nil {
		err = os.WriteFile(list, text, 0o600)
	}
	if err == nil {
		err = os.WriteFile(changed, m.apply(), 0o600)
	}
	return list, err
}

// build compiles the tests of a package and returns the program's path.
func (r *runner) build(ctx context.Context, pkg, overlay string) (string, error) {
	r.mu.Lock()
	r.made++
	program := filepath.Join(r.work, fmt.Sprintf("%d.test", r.made))
	r.mu.Unlock()
	// Without an id the program is the same where the code is; -s and -w spare the
	// linker half of its work.
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-trimpath", "-overlay", overlay,
		"-ldflags=-s -w -buildid=", "-o", program, "./"+pkg)
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
// Tests are linked without what they do not reach, so their program says less.
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

// test runs compiled tests until the first one fails. The error is
// context.DeadlineExceeded when they do not end in time.
func (r *runner) test(ctx context.Context, pkg, program string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-test.short", "-test.failfast", "-test.timeout=0")
	cmd.Dir = filepath.Join(r.root, pkg)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	output, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(output), err
}

func sum(file string) (sum [sha256.Size]byte, err error) {
	content, err := os.ReadFile(file)
	return sha256.Sum256(content), err
}
