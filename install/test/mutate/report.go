package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

func compare(a, b mutant) int {
	return cmp.Or(strings.Compare(a.file, b.file), cmp.Compare(a.line, b.line), strings.Compare(a.key(), b.key()))
}

// report sums up what became of the mutants.
type report struct {
	count     map[fate]int
	perFile   map[string][2]int // counted, survived
	listed    []result          // survivors that are known
	surprises []result          // survivors that are not
	outdated  []result          // known survivors that were noticed
}

func newReport(results []result, k known) *report {
	r := &report{count: make(map[fate]int), perFile: make(map[string][2]int)}
	for _, res := range results {
		r.count[res.fate]++
		_, listed := k[res.key()]
		switch {
		case res.fate == survived && listed:
			r.listed = append(r.listed, res)
		case res.fate == survived:
			r.surprises = append(r.surprises, res)
		case listed:
			r.outdated = append(r.outdated, res)
		}
		if res.fate.counts() {
			n := r.perFile[res.file]
			n[0]++
			if res.fate == survived {
				n[1]++
			}
			r.perFile[res.file] = n
		}
	}
	return r
}

// counted is how many mutants were other programs than the original.
func (r *report) counted() int { return r.count[survived] + r.count[noticed] + r.count[tooSlow] }

func (r *report) print(w io.Writer, seed int, took time.Duration) {
	var files []string
	for file := range r.perFile {
		files = append(files, file)
	}
	slices.Sort(files)
	for _, file := range files {
		fmt.Fprintf(w, "%4d tried, %3d survived  %s\n", r.perFile[file][0], r.perFile[file][1], file)
	}
	for _, group := range []struct {
		title   string
		results []result
	}{
		{"Survivors that are listed:", r.listed},
		{"Listed, but noticed now; take them off the list:", r.outdated},
		{"Survivors that are not listed:", r.surprises},
	} {
		if len(group.results) > 0 {
			fmt.Fprintf(w, "\n%s\n", group.title)
		}
		for _, res := range group.results {
			fmt.Fprintf(w, "%s:%d\n\t%s\n", res.file, res.line, res.key())
		}
	}
	fmt.Fprintf(w, "\nSeed %d: %d mutants in %v: %d noticed, %d of them by the time limit; %d survived, %d of them not listed.\n"+
		"Not counted: %d that do not compile, %d of which the compiler makes the same code.\n",
		seed, r.counted(), took.Round(time.Second), r.count[noticed]+r.count[tooSlow], r.count[tooSlow],
		r.count[survived], len(r.surprises), r.count[broken], r.count[equal])
}

// verdict is an error if the tests notice too little.
func (r *report) verdict(list string) error {
	var faults []error
	if n := len(r.surprises); n > 0 {
		faults = append(faults, fmt.Errorf("%d survivors are not listed: write a test for each, or list it with a reason in %s", n, list))
	}
	if n := len(r.outdated); n > 0 {
		faults = append(faults, fmt.Errorf("%d listed survivors are noticed now: take them off %s", n, list))
	}
	if r.count[survived]*10 >= r.counted() {
		faults = append(faults, fmt.Errorf("%d of %d survived, a tenth or more", r.count[survived], r.counted()))
	}
	if r.count[broken] > r.counted() {
		faults = append(faults, fmt.Errorf("%d do not compile: something is wrong with the compiler or with this program", r.count[broken]))
	}
	return errors.Join(faults...)
}
