package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// packages are those on which the promise rests that everything happens once.
func packages() []string {
	return []string{
		"lib/reconcile", "lib/plan", "lib/inbox", "lib/visit", "lib/calls", "lib/decide", "lib/ledger", "lib/lane",
		"lib/plugindata", "lib/watch", "lib/queue", "access/pagerduty/approval",
	}
}

// testedBy is the package whose tests are to notice what is changed in one: its
// own, but for the parts of a round, which are tested as a whole.
func testedBy(pkg string) string {
	switch pkg {
	case "lib/plan", "lib/inbox", "lib/visit", "lib/calls", "lib/decide":
		return "lib/reconcile"
	}
	return pkg
}

func main() {
	o := options{packages: packages(), out: os.Stdout, progress: os.Stderr}
	flag.StringVar(&o.root, "C", ".", "root of the module that is mutated")
	flag.StringVar(&o.known, "known", "", "list of known survivors (default install/test/mutate/survivors.txt below the root)")
	flag.IntVar(&o.sample, "n", 400, "how many mutants that compile are tried")
	flag.IntVar(&o.seed, "seed", 1, "draws the sample")
	flag.IntVar(&o.workers, "workers", runtime.NumCPU(), "how many are tried at once")
	flag.DurationVar(&o.patience, "patience", 10*time.Second, "time that the tests of a mutant are given beside four times what they take otherwise")
	flag.BoolVar(&o.list, "list", false, "list all mutants and stop")
	flag.Parse()
	o.only = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	root, known           string
	sample, seed, workers int
	patience              time.Duration
	list                  bool
	only                  []string // of the packages; all if empty
	packages              []string
	out, progress         io.Writer
}

func run(ctx context.Context, o options) error {
	var err error
	if o.root, err = filepath.Abs(o.root); err != nil {
		return err
	}
	if o.known == "" {
		o.known = filepath.Join(o.root, "install/test/mutate/survivors.txt")
	}
	known, err := readKnown(o.known)
	if err != nil {
		return err
	}
	chosen := slices.Clone(o.packages)
	if len(o.only) > 0 {
		chosen = slices.DeleteFunc(chosen, func(pkg string) bool { return !slices.Contains(o.only, pkg) })
	}
	if len(chosen) == 0 {
		return fmt.Errorf("none of %q is a package that is mutated", o.only)
	}
	all, err := findAll(o.root, o.packages)
	if err != nil {
		return err
	}
	if gone := known.vanished(all); len(gone) > 0 {
		return fmt.Errorf("the code of these survivors is gone; take them off the list %s:\n%s", o.known, strings.Join(gone, "\n"))
	}
	all = slices.DeleteFunc(all, func(m mutant) bool { return !slices.Contains(chosen, path.Dir(m.file)) })
	shuffle(all, o.seed)
	if o.list {
		for _, m := range all {
			fmt.Fprintf(o.out, "%s:%d: %s\n", m.file, m.line, m.key())
		}
		return nil
	}
	return measure(ctx, all, chosen, known, o)
}

// measure tries a sample of mutants and says what became of them.
func measure(ctx context.Context, all []mutant, chosen []string, k known, o options) error {
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // the system clears its folder
	r := &runner{root: o.root, work: work, patience: o.patience, programs: make(map[string]*program)}
	start := time.Now()
	if err := r.prepare(ctx, all, chosen); err != nil {
		return err
	}
	results, err := r.tryAll(ctx, all, o)
	rep := newReport(results, k)
	rep.print(o.out, o.seed, time.Since(start))
	if err != nil {
		return err
	}
	return rep.verdict(o.known)
}
