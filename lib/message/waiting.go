package message

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"teleport-plugins/lib/request"
)

// maxNamed bounds the people whom a sentence names.
const maxNamed = 5

// StillPending begins what Pending says, in every service.
const StillPending = "This request is still pending"

// Pending says in sentences that a request is still pending: how long there is left, what
// it lacks, and which of the suggested reviewers have not answered. name writes a
// person.
func Pending(v request.View, name func(string) string) string {
	text := StillPending
	if p := Progress(v); p != "" {
		text += ", with " + p
	}
	if left := v.Expires.Sub(v.Now); !v.Expires.IsZero() && left > 0 {
		text += ". It expires in " + Span(left)
	}
	if missing := Silent(v); len(missing) > 0 {
		text += ". Not answered yet: " + people(missing, name)
	}
	return text + "."
}

// Ending says in sentences that the access that a request gave ends soon, and how to go
// on. code writes what is typed.
func Ending(v request.View, code func(string) string) string {
	text := "Your access ends"
	if left := v.AccessUntil.Sub(v.Now); left > 0 {
		text += " in " + Span(left)
	}
	return text + ". To go on after that, ask for it again, as with " + code(Again(v)) + "."
}

// Again is the command with which the requester asks for the same again.
func Again(v request.View) string {
	if len(v.Resources) > 0 || len(v.Roles) == 0 {
		return "tsh request create"
	}
	return "tsh request create --roles=" + strings.Join(v.Roles, ",")
}

// Silent are the suggested reviewers who have not reviewed a request.
func Silent(v request.View) (names []string) {
	for _, reviewer := range v.SuggestedReviewers {
		if !slices.ContainsFunc(v.Reviews, func(r request.Review) bool { return r.Author == reviewer }) {
			names = append(names, reviewer)
		}
	}
	return names
}

// Decided says in a sentence how a request ended, by whom, and after how long, as far as
// the reviews say that.
func Decided(v request.View, name func(string) string) string {
	var by []string
	var last time.Time
	for _, r := range v.Reviews {
		if r.State != v.Status || r.Author == "" || slices.Contains(by, r.Author) {
			continue
		}
		by = append(by, r.Author)
		if r.Created.After(last) {
			last = r.Created
		}
	}
	text := "No decision is needed any more: the request " + outcome(v.Status, name)
	if len(by) > 0 {
		text += " by " + people(by, name)
	}
	if took := last.Sub(v.Created); !last.IsZero() && !v.Created.IsZero() && took > 0 {
		text += ", " + Span(took) + " after it was made"
	}
	return text + "."
}

// outcome says in words how a request ended, as in "was approved". The name of a state that
// is not known may be anybody's.
func outcome(s request.Status, name func(string) string) string {
	switch s {
	case request.Approved, request.Denied, request.Promoted:
		return "was " + strings.ToLower(string(s))
	case request.Expired:
		return "has expired"
	}
	return "is " + name(strings.ToLower(string(s)))
}

// people names as many as have room and counts the others.
func people(names []string, name func(string) string) string {
	var list []string
	for _, n := range names[:min(len(names), maxNamed)] {
		list = append(list, name(n))
	}
	if more := len(names) - maxNamed; more > 0 {
		return strings.Join(list, ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, ", ")
}

// Span is a span of time in words, in its largest unit or two: "20 minutes", "1 hour and
// 5 minutes", "3 days". What is less than a minute is one.
func Span(d time.Duration) string {
	minutes := max(int(d.Round(time.Minute)/time.Minute), 1)
	days, hours := minutes/(24*60), minutes/60%24
	switch minutes %= 60; {
	case days > 0:
		return joined(counted(days, "day"), hours, "hour")
	case hours > 0:
		return joined(counted(hours, "hour"), minutes, "minute")
	}
	return counted(minutes, "minute")
}

func joined(first string, n int, noun string) string {
	if n == 0 {
		return first
	}
	return first + " and " + counted(n, noun)
}
