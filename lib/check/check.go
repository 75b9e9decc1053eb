// Package check tries what a plugin needs, one leg after the other. Each leg has its
// own time and is reported on its own, so that one fault hides no other.
package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"teleport-plugins/lib/message"
)

// Leg is one thing that is tried.
type Leg struct {
	// Name is the word by which scripts know the leg; it does not change between
	// versions. Several legs may share one, as those of all recipients do.
	Name string
	// What says what is tried, in words that fit whatever comes of it.
	What string
	// Needs are the names of legs without which this one cannot be tried.
	Needs []string
	// Optional says that a fault does no harm beyond the leg itself.
	Optional bool
	// Try tries it. An error is a fault, unless it is a Finding or Findings that say
	// otherwise.
	Try func(ctx context.Context) error
}

// Result says how a leg went.
type Result string

// The results.
const (
	OK      Result = "ok"
	Noted   Result = "note" // something is missing without harm, or cannot be looked at
	Skipped Result = "skip" // it could not be tried, because of another fault
	Failed  Result = "fail" // the plugin cannot do its work
	Waiting Result = "wait" // there is no result yet; the line is not kept
)

// Patience is after how long without an answer it is said what is waited for.
const Patience = 3 * time.Second

// Line is what is reported.
type Line struct {
	// Name is that of the leg.
	Name   string `json:"name"`
	Result Result `json:"result"`
	// Text is for people: what was tried and what was found.
	Text string `json:"text"`
}

// String is the line as it is printed.
func (l Line) String() string {
	word := string(l.Result)
	if l.Result == Failed {
		word = "FAIL"
	}
	return fmt.Sprintf("%-5s %s", word, l.Text)
}

// Finding is the error of a leg that has something else to say than that it failed.
type Finding struct {
	Result Result
	Text   string
	// Whole says that the text needs nothing before it. Findings of the result Noted
	// that are whole stand beside the result of the leg.
	Whole bool
}

// Error is the text.
func (f Finding) Error() string { return f.Text }

// Lack is what is missing without harm, or cannot be looked at; the leg is no fault.
func Lack(format string, args ...any) error {
	return Finding{Result: Noted, Text: fmt.Sprintf(format, args...)}
}

// Skip says why a leg could not be tried.
func Skip(format string, args ...any) error {
	return Finding{Result: Skipped, Text: fmt.Sprintf(format, args...)}
}

// Remark is what a person should know beside the result of the leg.
func Remark(format string, args ...any) error {
	return Finding{Result: Noted, Text: fmt.Sprintf(format, args...), Whole: true}
}

// Fault is a fault in a sentence that needs nothing before it.
func Fault(text string) error { return Finding{Result: Failed, Text: text, Whole: true} }

// Findings are several errors of one leg, each of which gets a line of its own. A nil
// one counts for nothing.
type Findings []error

// Error joins all of them.
func (f Findings) Error() string {
	if err := errors.Join(f...); err != nil {
		return err.Error()
	}
	return "nothing was found"
}

// Run tries legs and keeps what came of them. It is safe for concurrent use, but for Do.
type Run struct {
	// Limit is how long each leg may take.
	Limit time.Duration
	// Tell is given each line as soon as it is known; may be nil.
	Tell func(Line)
	// Wait is given a line for each leg that has no result after Patience; may be nil.
	Wait func(Line)

	mu      sync.Mutex
	lines   []Line
	blocked map[string]string // what the legs tried that others cannot build upon, by name
}

// Do tries legs in order.
func (r *Run) Do(ctx context.Context, legs ...Leg) {
	for _, leg := range legs {
		r.report(leg, r.try(ctx, leg))
	}
}

// Passed reports whether no leg of the name has failed or was skipped.
func (r *Run) Passed(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, blocked := r.blocked[name]
	return !blocked
}

// OK reports whether no leg has failed.
func (r *Run) OK() bool {
	return !slices.ContainsFunc(r.Lines(), func(l Line) bool { return l.Result == Failed })
}

// Lines are all lines so far.
func (r *Run) Lines() []Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// Say adds a line.
func (r *Run) Say(l Line) {
	l.Text = message.Line(l.Text) // services and strangers have written into it
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
	if r.Tell != nil {
		r.Tell(l)
	}
}

func (r *Run) try(ctx context.Context, leg Leg) error {
	for _, need := range leg.Needs {
		r.mu.Lock()
		what, blocked := r.blocked[need]
		r.mu.Unlock()
		if blocked {
			return Skip("it takes the %s, see above", what)
		}
	}
	if ctx.Err() != nil {
		return Skip("the command was interrupted")
	}
	limited, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	if r.Wait != nil && r.Limit > Patience {
		defer time.AfterFunc(Patience, func() { r.wait(leg) }).Stop()
	}
	err := sound(leg.Try)(limited)
	if limited.Err() != nil && ctx.Err() == nil && late(err) {
		return fmt.Errorf("no answer within %v", r.Limit)
	}
	return err
}

// wait says what the run waits for.
func (r *Run) wait(leg Leg) {
	r.mu.Lock() // no other line is told meanwhile
	defer r.mu.Unlock()
	text := message.Line(fmt.Sprintf("%s: no answer for %v; it may take %v", leg.What, Patience, r.Limit))
	r.Wait(Line{Name: leg.Name, Result: Waiting, Text: text})
}

// sound turns a fault of this program into the failure of the leg: what only looks must
// not end the plugin.
func sound(try func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		defer func() {
			if fault := recover(); fault != nil {
				err = fmt.Errorf("a fault in this program, please report it: %v", fault)
			}
		}()
		return try(ctx)
	}
}

// late reports whether an error says no more than that the time was over.
func late(err error) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	return errors.Is(err, context.DeadlineExceeded) || strings.Contains(text, "deadline exceeded") || strings.Contains(text, "deadlineexceeded")
}

// report says what came of a leg, a line for each finding.
func (r *Run) report(leg Leg, err error) {
	var found Findings
	if !errors.As(err, &found) && err != nil {
		found = Findings{err}
	}
	said, blocked := false, false
	var after []Line
	for _, err := range found {
		if err == nil {
			continue
		}
		for _, line := range lines(leg, err) {
			if isRemark(err) {
				after = append(after, line)
				continue
			}
			r.Say(line)
			said = true
			blocked = blocked || line.Result == Failed || line.Result == Skipped
		}
	}
	if !said {
		r.Say(Line{leg.Name, OK, leg.What})
	}
	for _, line := range after {
		r.Say(line)
	}
	if blocked {
		r.block(leg)
	}
}

func (r *Run) block(leg Leg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.blocked == nil {
		r.blocked = make(map[string]string)
	}
	r.blocked[leg.Name] = leg.What
}

func isRemark(err error) bool {
	f, ok := errors.AsType[Finding](err)
	return ok && f.Whole && f.Result == Noted
}

// lines are those of one finding: a line of text makes one.
func lines(leg Leg, err error) (list []Line) {
	f, ok := errors.AsType[Finding](err)
	if !ok {
		f = Finding{Result: Failed, Text: err.Error()}
	}
	if f.Result == Failed && leg.Optional {
		f.Result = Noted
	}
	for text := range strings.SplitSeq(strings.TrimSpace(f.Text), "\n") {
		if !f.Whole {
			text = leg.What + ": " + text
		}
		list = append(list, Line{leg.Name, f.Result, text})
	}
	return list
}
