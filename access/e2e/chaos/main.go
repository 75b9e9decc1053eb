// Command chaos lets the plugins, as they ship and in two replicas each, carry
// access requests while the services, the cluster and the processes fail at
// random; then all faults end, and it counts what people see against what was
// promised. It ends with code 1 if anything is beyond the promise. The same seed
// makes the same operations and the same faults, timing aside.
//
// What is expected is written down here from the promise alone: each request is
// announced once at each place, its announcements show the truth, its reviews are
// told once and in order. Each crash and each lost answer may leave one message
// doubled or stale at each place where the plugin may not look up what it posted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"teleport-plugins/access/e2e/harness"
)

// settings say what is run.
type settings struct {
	seed uint64
	// length is how long there are operations and faults, rest how long after them
	// nothing may change for the plugins to count as at rest.
	length, rest time.Duration
	logs         string
	plan         bool
	services     []string
	// without are steps that are left out, by their texts.
	without *regexp.Regexp
}

func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	seed := flags.String("seed", "", "the seed; a new one when empty")
	flags.DurationVar(&s.length, "for", 10*time.Minute, "how long there are operations and faults")
	flags.DurationVar(&s.rest, "rest", 3*time.Minute, "how long to wait after that for something to become better")
	flags.StringVar(&s.logs, "logs", "", "write the logs of the replicas into this directory")
	service := flags.String("service", strings.Join(harness.Services(), ","), "run only these services, separated by commas; another plan then")
	without := flags.String("without", "^$", "leave out the steps whose text, as -plan prints it, matches this pattern; what is expected is not changed")
	flags.BoolVar(&s.plan, "plan", false, "print what would happen, and do nothing")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if s.without, err = regexp.Compile(*without); err != nil {
		return s, fmt.Errorf("reading which steps to leave out: %w", err)
	}
	s.services = strings.Split(*service, ",")
	s.seed = uint64(rand.Uint32())
	if *seed != "" {
		if s.seed, err = strconv.ParseUint(*seed, 10, 64); err != nil {
			return s, fmt.Errorf("reading the seed: %w", err)
		}
	}
	if s.length < time.Second {
		return s, errors.New("less than a second is too short")
	}
	return s, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) (code int) {
	s, err := parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Printf("chaos: SEED=%d FOR=%v\n", s.seed, s.length)
	defer fmt.Printf("chaos: SEED=%d FOR=%v\n", s.seed, s.length)
	p := newPlan(s.seed, s.length, s.services)
	p.steps = slices.DeleteFunc(p.steps, func(step step) bool { return s.without.MatchString(step.text) })
	if s.plan {
		for _, step := range p.steps {
			fmt.Printf("%8.3fs %s\n", step.at.Seconds(), step.text)
		}
		return 0
	}
	r, err := start(s, p)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	report := r.everything(ctx)
	if err := r.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 2
	}
	report.print(os.Stdout)
	if ctx.Err() != nil {
		fmt.Println("interrupted: what was not done yet is not as it should be")
		return 2
	}
	if !report.good() {
		code = max(code, 1)
	}
	return code
}
