package remind

import (
	"fmt"
	"time"

	"teleport-plugins/lib/message"
)

const (
	day = 24 * time.Hour
	// early is how often an owner is told before the review is due, and late how
	// often after that.
	early, late = 7 * day, day
)

// List is an access list, as far as reminders go.
type List struct {
	Name, Title string
	// Audit is when the next review is due; zero if there is none.
	Audit time.Time
	// Notice is how long before that the owners are told for the first time.
	Notice time.Duration
	// Owners are the users that the list itself names.
	Owners []string
}

// period returns when the period began in which each owner is to be told once; ok
// is false while it is too early to tell anybody.
func (l List) period(now time.Time) (began time.Time, ok bool) {
	first := l.Audit.Add(-l.Notice)
	switch {
	case l.Audit.IsZero() || now.Before(first):
		return time.Time{}, false
	case !now.After(l.Audit):
		return first.Add(now.Sub(first).Truncate(early)), true
	}
	return l.Audit.Add(now.Sub(l.Audit).Truncate(late)), true
}

// Due is a list that is to be reviewed.
type Due struct {
	Name string
	// Title is what people call the list; never empty.
	Title string
	Audit time.Time
	// Link leads to the review in the web UI; empty if that is not known.
	Link string
}

// When says when the review is due, or since when it is overdue.
func (d Due) When(now time.Time) string {
	date := d.Audit.UTC().Format(time.DateOnly)
	if !now.After(d.Audit) {
		return "due by " + date
	}
	switch days := int(now.Sub(d.Audit) / day); days {
	case 0:
		return "overdue since " + date
	case 1:
		return "overdue since " + date + " (1 day)"
	default:
		return fmt.Sprintf("overdue since %s (%d days)", date, days)
	}
}

// Reminder is what one owner is told.
type Reminder struct {
	// Lists are those to be reviewed, the most urgent first; at least one.
	Lists []Due
	// Now is the time of the reminder.
	Now time.Time
	// Link leads to all access lists in the web UI; empty if that is not known.
	Link string
}

// Title says what the reminder is about, in one line.
func (r Reminder) Title() string {
	if len(r.Lists) == 1 {
		return "An access list is to be reviewed"
	}
	return fmt.Sprintf("%d access lists are to be reviewed", len(r.Lists))
}

// Text names the lists that are to be reviewed, at most as many as given and as far as
// the text fits, and counts the others.
func (r Reminder) Text(d message.Dialect, most int, fits func(text string) bool) string {
	text, end := d.Strong(r.Title()), ""
	if r.Link != "" && len(r.Lists) > 1 {
		end = "\n" + d.Named("All access lists", d.Link(r.Link, ""))
	}
	for i, l := range r.Lists {
		list := "\n• " + d.Line(l.Title) + ": " + l.When(r.Now)
		if l.Link != "" {
			list += " " + d.Link(l.Link, "Review")
		}
		more := "\n" + message.AndMore(len(r.Lists)-i)
		if i == most || !fits(text+list+more+end) {
			return text + more + end
		}
		text += list
	}
	return text + end
}
