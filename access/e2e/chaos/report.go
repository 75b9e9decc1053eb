package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// report is what came of a run.
type report struct {
	settings
	requests, seen int
	until          time.Time
	slow           time.Duration // for how long the machine was slow
	blind          []bool
	offences       []offence
	presses        presses
	unready        []string
	lines          []complaint
	memory, grown  []string
	ends           []string
	errors         []error
	stories        []string
}

// beyond counts the offences that the promise does not allow.
func (r *report) beyond() (n int) {
	for _, o := range r.offences {
		if o.excuse == "" {
			n++
		}
	}
	return n
}

func (r *report) good() bool {
	return r.beyond() == 0 && len(r.unready) == 0 && len(r.lines) == 0 && len(r.grown) == 0 && len(r.ends) == 0 && len(r.errors) == 0
}

func (r *report) print(out io.Writer) {
	for _, m := range r.memory {
		fmt.Fprintln(out, "size:", m)
	}
	if r.slow > 0 {
		fmt.Fprintf(out, "the machine was slow for %v: the more of that, the less this run proves\n", r.slow.Round(time.Second))
	}
	r.counts(out)
	r.presses.print(out)
	list(out, "not ready", r.unready)
	list(out, "ended by itself", r.ends)
	list(out, "grown", r.grown)
	for _, c := range r.lines {
		fmt.Fprintf(out, "no fault explains, %d times from %s, %v: %s\n", c.count, clock(c.first), c.process, shorten(c.text, 300))
	}
	for _, err := range r.errors {
		fmt.Fprintln(out, "this program:", err)
	}
	for _, s := range r.stories {
		fmt.Fprintln(out, s)
	}
	fmt.Fprintf(out, "chaos: %d requests, %d messages and replies as they should be, %d beyond the promise, %d replicas not ready, "+
		"%d kinds of lines unexplained, %d ends by themselves\n", r.requests, r.seen, r.beyond(), len(r.unready), len(r.lines), len(r.ends))
}

func list(out io.Writer, title string, lines []string) {
	for _, l := range lines {
		fmt.Fprintf(out, "%s: %s\n", title, shorten(l, 400))
	}
}

// counts prints how often what is wrong, and what the promise allows of it.
func (r *report) counts(out io.Writer) {
	type column struct {
		side   *side
		kind   kind
		excuse string
	}
	counts := make(map[column]int)
	var order []column
	for _, o := range r.offences {
		c := column{o.side, o.kind, o.excuse}
		if counts[c]++; counts[c] == 1 {
			order = append(order, c)
		}
	}
	slices.SortStableFunc(order, func(a, b column) int {
		return strings.Compare(a.side.name+a.excuse+string(a.kind), b.side.name+b.excuse+string(b.kind))
	})
	for _, c := range order {
		why := "BEYOND THE PROMISE"
		if c.excuse != "" {
			why = "allowed: " + c.excuse
		}
		fmt.Fprintf(out, "%-10s %4d %-16s %s\n", c.side.name, counts[c], c.kind, why)
	}
}
