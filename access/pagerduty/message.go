package pagerduty

import (
	"strings"
	"time"

	"teleport-plugins/lib/message"
)

// Limits of texts, in characters. PagerDuty documents none for its REST API;
// these are well below what it is known to take.
const (
	titleLimit   = 255
	detailsLimit = 4000
	noteLimit    = 2000
)

// key is the incident's deduplication key.
func key(request string) string { return keyPrefix + request }

const keyPrefix = "teleport-access-request/"

// title is the incident's title.
func title(v message.View) string {
	if v.User == "" {
		return "Access request"
	}
	return message.Cut("Access request from "+line(v.User), titleLimit)
}

// details is the incident's text. What one needs to decide comes first, so that
// it is never cut.
func details(v message.View) string {
	who := "Somebody"
	if v.User != "" {
		who = line(v.User)
	}
	lines := []string{who + " asks for access" + on(v.Created) + "."}
	var rest []string
	for _, f := range message.Fields(v) {
		if f.Kind == message.Address || f.Label == "Approve" || f.Label == "Deny" {
			lines = append(lines, field(f))
		} else {
			rest = append(rest, field(f))
		}
	}
	return message.Cut(strings.Join(append(lines, rest...), "\n"), detailsLimit)
}

func field(f message.Field) string {
	text := f.Label + ": "
	switch f.Kind {
	case message.Block:
		return f.Label + ":" + quote(f.Text)
	case message.Moment:
		text += f.Time.UTC().Format(time.RFC822)
	case message.Address:
		text += message.Text(f.Text, detailsLimit/4, nil)
	default:
		text += line(f.Text)
	}
	if f.Also != nil {
		text += " " + field(*f.Also)
	}
	return text
}

// reviewNote tells a review.
func reviewNote(r message.Review) string {
	text := "Review by " + line(r.Author) + on(r.Created) + ": " + line(string(r.State))
	if r.Reason != "" {
		text += "\nReason:" + quote(r.Reason)
	}
	return message.Cut(text, noteLimit)
}

// resolutionNote tells how a request ended.
func resolutionNote(v message.View) string {
	text := "Access request " + line(strings.ToLower(string(v.Status)))
	if v.Status == message.Promoted && v.AccessList != "" {
		text += " to the access list " + line(v.AccessList)
	}
	if v.ResolveReason != "" {
		text += "\nReason:" + quote(v.ResolveReason)
	}
	return message.Cut(text, noteLimit)
}

// decisionNote tells what the rules say of a request.
func decisionNote(approve bool, evidence string) string {
	text := "Not approved automatically, please decide: "
	if approve {
		text = "Approved automatically: "
	}
	return text + message.Text(evidence, noteLimit/2, nil)
}

func on(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return " on " + at.UTC().Format(time.RFC822)
}

// line keeps a user's text on one line, where it cannot pass for another.
func line(s string) string {
	return message.Text(strings.Join(strings.Fields(s), " "), message.InlineLimit, nil)
}

// quote marks each line of a user's text as quoted, so that none can pass for
// one of ours.
func quote(s string) string {
	text := message.Text(s, message.ReasonLimit, nil)
	breaks := func(r rune) bool { return r == '\n' || r == '\u2028' || r == '\u2029' }
	return "\n> " + strings.Join(strings.FieldsFunc(text, breaks), "\n> ")
}
