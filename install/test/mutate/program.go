package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// program is the compiled tests of a package, in which its mutants can be chosen.
type program struct {
	pkg, path string
	number    map[string]int // of each mutant that can be chosen, by its key
	took      limits         // without a change
	code      string         // what the compiler makes of the package without a change
}

// prepare compiles the tests of each package with all its mutants in it, and runs
// them once without a change.
func (r *runner) prepare(ctx context.Context, all []mutant, packages []string) error {
	for _, pkg := range packages {
		mutants := slices.DeleteFunc(slices.Clone(all), func(m mutant) bool { return path.Dir(m.file) != pkg })
		p, err := r.gather(ctx, pkg, mutants)
		if err != nil {
			return err
		}
		r.programs[pkg] = p
	}
	return nil
}

// gather compiles and runs the tests of a package with its mutants.
func (r *runner) gather(ctx context.Context, pkg string, mutants []mutant) (*program, error) {
	p := &program{pkg: pkg, number: make(map[string]int)}
	list, leave, err := r.gatherable(ctx, pkg, mutants)
	if err != nil {
		return nil, err
	}
	for i, m := range mutants {
		if m.choice != alone && !leave[i] {
			p.number[m.key()] = i
		}
	}
	if p.path, err = r.build(ctx, pkg, list); err != nil {
		return nil, err
	}
	var output string
	if output, p.took, err = r.test(ctx, pkg, p.path, limits{10 * time.Minute, 10 * time.Minute}, ""); err != nil {
		return nil, fmt.Errorf("the tests of %s fail without any change: %w\n%s", pkg, err, output)
	}
	p.code, err = r.compile(ctx, pkg, "")
	return p, err
}

// gatherable writes a package with as many mutants in it as go together, and
// returns the list for the compiler, and which it left out.
func (r *runner) gatherable(ctx context.Context, pkg string, mutants []mutant) (list string, leave map[int]bool, err error) {
	leave = make(map[int]bool)
	for {
		files := make(map[string]*gathered)
		overlay := make(map[string][]byte)
		for _, m := range mutants {
			if files[m.file] == nil {
				files[m.file] = gather(m.file, m.source, mutants, leave)
				overlay[m.file] = files[m.file].text.Bytes()
			}
		}
		overlay[pkg+"/mutant_chooser.go"] = fmt.Appendf(nil, chooser, packageName(mutants))
		if list, err = r.overlay(overlay); err != nil {
			return "", nil, err
		}
		complaints, err := r.complaints(ctx, pkg, list)
		if err == nil || ctx.Err() != nil {
			return list, leave, ctx.Err()
		}
		before := len(leave)
		for _, c := range complaints {
			for _, n := range c.culprits(files[path.Join(pkg, path.Base(c.file))]) {
				leave[n] = true
			}
		}
		if len(leave) == before {
			return "", nil, err
		}
	}
}

var clause = regexp.MustCompile(`(?m)^package (\w+)`)

func packageName(mutants []mutant) string {
	for _, m := range mutants {
		if found := clause.FindSubmatch(m.source); found != nil {
			return string(found[1])
		}
	}
	return "none"
}

// complaint is a line of the compiler's.
type complaint struct {
	file         string
	line, column int
	text         string
}

var (
	complaintLine = regexp.MustCompile(`(?m)^(\S+\.go):(\d+):(?:(\d+):)? (.*)$`)
	value         = regexp.MustCompile(`mutantEither\("(\d+)"`)
)

// culprits are the mutants that a complaint is about: the values that it names, or
// what is in that place.
func (c complaint) culprits(g *gathered) (found []int) {
	for _, m := range value.FindAllStringSubmatch(c.text, -1) {
		n, _ := strconv.Atoi(m[1])
		found = append(found, n)
	}
	if g != nil && len(found) == 0 {
		if n, ok := g.culprit(c.line, c.column); ok {
			found = append(found, n)
		}
	}
	return found
}

// complaints compiles a package and returns what is wrong with it.
func (r *runner) complaints(ctx context.Context, pkg, list string) (found []complaint, err error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-gcflags=-e", "-overlay", list, "./"+pkg)
	cmd.Dir = r.root
	output, err := cmd.CombinedOutput()
	if err == nil {
		return nil, nil
	}
	for _, m := range complaintLine.FindAllSubmatch(output, -1) {
		line, _ := strconv.Atoi(string(m[2]))
		column, _ := strconv.Atoi(string(m[3])) // none far out on a line
		found = append(found, complaint{string(m[1]), line, column, string(m[4])})
	}
	return found, fmt.Errorf("%s with all mutants %w: %w\n%s", pkg, errNotCompiled, err, output)
}

var errNotCompiled = errors.New("does not compile")

// overlay writes files that stand in for those of the module, and the list that
// tells the compiler of them.
func (r *runner) overlay(files map[string][]byte) (list string, err error) {
	dir, err := os.MkdirTemp(r.work, "overlay")
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for file, text := range files {
		changed := filepath.Join(dir, filepath.Base(file))
		replace[filepath.Join(r.root, file)] = changed
		err = errors.Join(err, os.WriteFile(changed, text, 0o600))
	}
	text, failed := json.Marshal(map[string]map[string]string{"Replace": replace})
	list = filepath.Join(dir, "overlay.json")
	return list, errors.Join(err, failed, os.WriteFile(list, text, 0o600))
}

// fresh fails if the code is not what the mutant was found in.
func (r *runner) fresh(m mutant) error {
	source, err := os.ReadFile(filepath.Join(r.root, m.file))
	if err == nil && !bytes.Equal(source, m.source) {
		err = fmt.Errorf("%s was changed meanwhile; begin again", m.file)
	}
	return err
}
