package pagerduty

import (
	"slices"
	"strings"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
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

// titleStart begins the title of each incident of ours.
const titleStart = "Access request"

// title is the incident's title.
func title(v request.View) string {
	if v.User == "" {
		return titleStart
	}
	return message.Cut(titleStart+" from "+line(v.User), titleLimit)
}

// details is the incident's text. What one needs to decide comes first, so that
// it is never cut.
func details(v request.View) string {
	who := "Somebody"
	if v.User != "" {
		who = line(v.User)
	}
	lines := []string{who + " asks for access" + on(v.Created) + "."}
	var rest []string
	for _, f := range message.Fields(v) {
		if leads(f) {
			lines = append(lines, words.Field(f))
		} else {
			rest = append(rest, words.Field(f))
		}
	}
	lines = append(lines, createdLines(v)...)
	return message.Cut(strings.Join(append(lines, rest...), "\n"), detailsLimit)
}

// createdLabel begins the line that says, to the second, when the request was
// made: it tells requests apart that had the same id. No text of users can begin
// such a line, see idLine.
const createdLabel = "Request created: "

// createdLines is that line, or none where the time is not known.
func createdLines(v request.View) []string {
	if v.Created.IsZero() {
		return nil
	}
	return []string{createdLabel + v.Created.UTC().Format(time.RFC3339)}
}

// createdIn reads that line of an incident's text, if there is one.
func createdIn(text string) (at time.Time, ok bool) {
	for l := range strings.Lines(text) {
		if said, found := strings.CutPrefix(strings.TrimRight(l, "\r\n"), createdLabel); found {
			at, err := time.Parse(time.RFC3339, said)
			return at, err == nil
		}
	}
	return at, false
}

// names reports whether an incident's text has the line with the request's id.
func names(text, request string) bool {
	return slices.Contains(strings.Split(text, "\n"), idLine(request))
}

// idLine is the line of an incident's text that names its request. Texts of users
// are quoted or begin behind a label, so that none of them can be such a line.
func idLine(request string) string { return words.Named("ID", line(request)) }

// plainDetails is an incident's text without anything that people wrote.
func plainDetails(v request.View) string {
	lines := append([]string{idLine(v.ID)}, createdLines(v)...)
	if v.Link = ""; !v.Status.Ended() {
		for _, f := range message.Fields(v) {
			if leads(f) {
				lines = append(lines, words.Field(f))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// leads reports whether a field says where or how to decide.
func leads(f message.Field) bool {
	return f.Key == message.FieldLink || f.Key == message.FieldApprove || f.Key == message.FieldDeny
}

// words are how notes and incidents are written: PagerDuty shows them as they are.
var words = message.Dialect{
	Line: line, Code: line, Block: quote, Moment: moment,
	Link: func(address, _ string) string { return message.Text(address, detailsLimit/4, nil) },
}

// reviewNote tells a review.
func reviewNote(r request.Review) string {
	text := "Review by " + line(r.Author) + on(r.Created) + ": " + line(string(r.State))
	if r.Reason != "" {
		text += "\n" + words.Named("Reason", quote(r.Reason))
	}
	return message.Cut(text, noteLimit)
}

// plainReview is the note for a review without anything that people wrote.
func plainReview(r request.Review) string {
	return "Review" + on(r.Created) + ": " + line(string(r.State))
}

// headline begins the note that tells how a request ended, and is its plain form.
func headline(s request.Status) string { return titleStart + " " + line(strings.ToLower(string(s))) }

// toList stands between the headline and the name of an access list.
const toList = " to the access list "

// resolutionNote tells how a request ended.
func resolutionNote(v request.View) string {
	text := headline(v.Status)
	if v.Status == request.Promoted && v.AccessList != "" {
		text += toList + line(v.AccessList)
	}
	if v.ResolveReason != "" {
		text += "\n" + words.Named("Reason", quote(v.ResolveReason))
	}
	return message.Cut(text, noteLimit)
}

// pendingNote says that a request is still pending.
func pendingNote(e integration.Effect, v request.View) string {
	return message.Cut(pendingHead(e, v)+"\n"+message.Pending(v, line), noteLimit)
}

// pendingHead names the reminder by when it was due, and is its plain form.
func pendingHead(e integration.Effect, v request.View) string {
	return "Still pending, reminder of " + e.DueAt(v.Created).UTC().Format(time.RFC3339) + "."
}

// tellsEnd reports whether a note says that the request ended in the way with the given index. The
// reason does not count: it may not be known any more.
func tellsEnd(text string, index int) bool {
	first, _, _ := strings.Cut(text, "\n")
	for _, s := range []request.Status{request.Approved, request.Denied, request.Promoted, request.Expired} {
		if s.Index() == index {
			return first == headline(s) || s == request.Promoted && strings.HasPrefix(first, headline(s)+toList)
		}
	}
	return false
}

// decisionNote tells what came of what the rules say: "approved" only where the
// request is. It ends with the evidence.
func decisionNote(v request.View, approves bool, evidence string) string {
	text := "Not approved automatically"
	progress := message.Progress(v)
	switch {
	case approves && v.Status == request.Approved:
		text = "Approved automatically"
	case approves && v.Status.Ended():
		text = "An approval was submitted automatically, but the request was " + line(strings.ToLower(string(v.Status)))
	case approves && progress != "":
		text = progress + ", one of them automatic"
	case approves:
		text = "An approval was submitted automatically"
	case !v.Status.Ended():
		text += ", please decide"
	}
	return text + ": " + evidenceText(evidence)
}

func evidenceText(evidence string) string { return message.Text(evidence, noteLimit/2, nil) }

func moment(at time.Time) string { return at.UTC().Format(time.RFC822) }

func on(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return " on " + moment(at)
}

// line keeps a user's text on one line, where it cannot pass for another.
func line(s string) string {
	return message.LineText(s, message.InlineLimit, nil)
}

// reasonLimit is more than Teleport takes for a reason, 4,096 bytes. PagerDuty names no
// limit on the text of an incident.
const reasonLimit = 4096

// quote marks each line of a user's text as quoted, so that none can pass for
// one of ours.
func quote(s string) string {
	text := message.Text(s, reasonLimit, nil)
	breaks := func(r rune) bool { return r == '\n' || r == '\u2028' || r == '\u2029' }
	return "\n> " + strings.Join(strings.FieldsFunc(text, breaks), "\n> ")
}
