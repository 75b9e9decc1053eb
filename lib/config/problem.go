package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, or not as it should be, in a file.
type Problem struct {
	File string // as given to Load
	Line int    // from 1; 0 when the problem has no line
	Key  string // dotted key; empty when the problem is not about one key
	What string // what is wrong
	Do   string // what to do about it
	// Unknown is set for a warning about a key that no field takes.
	Unknown bool
	// Grave is set for a warning about what may do harm: it is to be logged as an
	// error, though the plugin can work.
	Grave bool
}

// String gives the problem on one line:
// "<file>:<line>: <key>: <what is wrong>; <what to do>".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Key != "" {
		b.WriteString(": " + p.Key)
	}
	b.WriteString(": " + p.What)
	if p.Do != "" {
		b.WriteString("; " + p.Do)
	}
	return b.String()
}

// Error holds all faults of a file.
type Error struct {
	Faults []Problem // at least one, in the order of their lines
	cause  error
	syntax bool // the text is not TOML
}

// Error gives one line for each fault.
func (e *Error) Error() string {
	rows := make([]string, len(e.Faults))
	for i, fault := range e.Faults {
		rows[i] = fault.String()
	}
	return strings.Join(rows, "\n")
}

// Unwrap gives the error of the file system when the file could not be read,
// else nil.
func (e *Error) Unwrap() error { return e.cause }

// Spares reports whether no fault bears on a section, so that its values are those of
// the file though others are not fit for use.
func (e *Error) Spares(section string) bool {
	if e.cause != nil || e.syntax {
		return false
	}
	return !slices.ContainsFunc(e.Faults, func(p Problem) bool {
		top, _, _ := strings.Cut(p.Key, ".")
		return strings.EqualFold(top, section)
	})
}

// Report is what Load has to say about a file beside its faults.
type Report struct {
	Warnings []Problem // in the order of their lines
}

// Strict gives an *Error with the unknown keys and what is grave as faults, or nil
// when there are none. A command that checks a file uses it; one that runs on it does not.
func (r Report) Strict() error {
	var faults []Problem
	for _, w := range r.Warnings {
		if w.Unknown || w.Grave {
			faults = append(faults, w)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return &Error{Faults: faults}
}

// sorted orders by line, each problem once; what has no line comes last.
func sorted(problems []Problem) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return slices.Compact(problems)
}
