// Command faults runs the fault timelines and prints their table. Its last line
// sums it up; it ends with code 1 when a row misses its promise. Given files that
// -json has written, it shows those results and runs nothing.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/access/e2e/timeline"
)

type options struct {
	row      *regexp.Regexp
	services []string
	json     bool
	doc      string
	files    []string
	settings timeline.Settings
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	row := flags.String("row", "", "run only the rows whose name matches this pattern")
	service := flags.String("service", "", "run only the rows of these services, separated by commas")
	quick := flags.Bool("quick", false, "use small numbers and short times, and leave heavy rows out")
	flags.BoolVar(&o.json, "json", false, "print each row as an object in JSON")
	flags.StringVar(&o.doc, "doc", "", "write the table into this file, between its markers")
	flags.IntVar(&o.settings.Repeat, "repeat", 0, "repeat a row at most so many times; 0 leaves it to the row")
	flags.Uint64Var(&o.settings.Seed, "seed", 1, "seed of the first run of each row")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.settings.Full = !*quick
	o.files = flags.Args()
	o.services = harness.Services()
	if *service != "" {
		o.services = strings.Split(*service, ",")
	}
	o.row, err = regexp.Compile(*row)
	return o, err
}

func run(ctx context.Context, args []string) (code int) {
	o, err := parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if !o.json {
		fmt.Println(head)
	}
	results, err := o.results(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if o.doc != "" && ctx.Err() == nil {
		if err := document(o.doc, results); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	fmt.Println(summary(results))
	for _, r := range results {
		if !r.Kept() {
			code = 1
		}
	}
	if ctx.Err() != nil {
		code = 1
	}
	return code
}

// results runs the rows, or reads what came of them before, and shows each.
func (o options) results(ctx context.Context) (all []timeline.Result, err error) {
	for _, path := range o.files {
		results, err := read(path)
		if err != nil {
			return nil, err
		}
		all = append(all, results...)
	}
	for _, r := range all {
		o.show(r)
	}
	if len(o.files) > 0 {
		return all, nil
	}
	for _, service := range o.services {
		for _, row := range timeline.Rows() {
			if !row.Runs(service) || !o.row.MatchString(row.Name) || row.Heavy && !o.settings.Full || ctx.Err() != nil {
				continue
			}
			r := row.Do(ctx, service, o.settings)
			all = append(all, r)
			o.show(r)
		}
	}
	return all, nil
}

// The columns of the table.
const (
	head = "service    requests  expected   lost  doubled  wrong  seconds  row"
	line = "%-9s  %8d  %8d  %5d  %7s  %5d  %7.1f  %s\n"
)

func (o options) show(r timeline.Result) {
	if o.json {
		text, _ := json.Marshal(r) // nothing in it cannot be encoded
		fmt.Println(string(text))
	} else {
		fmt.Printf(line, r.Service, r.Requests, r.Expected, r.Lost, doubled(r), r.Wrong, r.Seconds, r.Row+pressed(r.Presses))
	}
	if r.Kept() {
		return
	}
	fmt.Fprintf(os.Stderr, "the promise is missed: %s\n", r.Promise)
	for _, text := range append(r.Broken, r.Details...) {
		fmt.Fprintln(os.Stderr, "  "+text)
	}
	fmt.Fprintln(os.Stderr, r.Log)
}

// doubled is the number, and beside it how many may be, where that is not zero.
func doubled(r timeline.Result) string {
	if r.MayDouble == 0 {
		return fmt.Sprint(r.Doubled)
	}
	return fmt.Sprintf("%d of %d", r.Doubled, r.MayDouble)
}

// unheard is the number, and beside it how many are excused, where that is not zero.
func unheard(p *timeline.Presses) string {
	if p.Excused == 0 {
		return fmt.Sprint(p.Unheard)
	}
	return fmt.Sprintf("%d, %d excused", p.Unheard, p.Excused)
}

// pressed says what came of presses, behind the name of a row.
func pressed(p *timeline.Presses) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf(": %d presses, %d reviews, %d too many, unheard %s, %d late", p.Made, p.Reviews, p.TooMany, unheard(p), p.Late)
}

func summary(results []timeline.Result) string {
	var lost, doubled, wrong int
	var presses timeline.Presses
	for _, r := range results {
		lost, doubled, wrong = lost+r.Lost, doubled+r.Doubled, wrong+r.Wrong
		presses.Add(r.Presses)
	}
	return fmt.Sprintf("faults: %d rows, %d lost, %d doubled, %d wrong%s", len(results), lost, doubled, wrong, pressed(&presses))
}
