package plugin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"teleport-plugins/lib/agenda"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// explanation is what the command explain prints; its form as JSON is documented in
// the reference.
type explanation struct {
	// Request is empty for one that somebody might make.
	Request         string         `json:"request,omitempty"`
	User            string         `json:"user"`
	Roles           []string       `json:"roles"`
	Resources       []string       `json:"resources,omitempty"`
	Status          request.Status `json:"status"`
	ApprovalsNeeded int            `json:"approvals_needed,omitempty"`
	// Buttons says that its messages have buttons to approve and deny.
	Buttons    bool        `json:"buttons"`
	Recipients []explained `json:"recipients"`
	// Fallback are told if none of the others can be reached.
	Fallback []string `json:"fallback,omitempty"`
	// LeftOut says who is meant and cannot be told.
	LeftOut []string `json:"left_out,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	// Agenda is what becomes due by time, as long as the request stays as it is.
	Agenda []dueTime `json:"agenda,omitempty"`
}

// dueTime is something that becomes due by time.
type dueTime struct {
	At time.Time `json:"at"`
	// What is due: "pending", "escalation" or "ending". Step and Recipients are those of
	// an escalation.
	What       string   `json:"what"`
	Step       string   `json:"step,omitempty"`
	Recipients []string `json:"recipients,omitempty"`
	// Past says that the time has come.
	Past bool `json:"past,omitempty"`
}

// due lists what becomes due for a request, and what will if it is approved.
func (e *explanation) due(a *agenda.Agenda, v request.View, can plan.Abilities, now time.Time) {
	entries := a.Entries(v)
	if v.Status == request.Pending {
		v.Status = request.Approved
		entries = append(entries, a.Entries(v)...)
	}
	for _, x := range entries {
		d := dueTime{At: x.At.UTC(), What: string(x.Kind), Step: x.Step, Recipients: x.Recipients, Past: !x.At.After(now)}
		if x.Step != "" {
			d.What = "escalation"
		}
		if x.Kind == integration.Pending && !can.Pendings || x.Kind == integration.Ending && !can.Endings {
			continue
		}
		e.Agenda = append(e.Agenda, d)
	}
}

func (d dueTime) String() string {
	text := d.At.Format(time.RFC3339) + " "
	switch d.What {
	case string(integration.Pending):
		text += "a reminder below each message"
	case string(integration.Ending):
		text += "a word to the requester that the access ends"
	default:
		text += "step " + strconv.Quote(d.Step) + " of the escalation: " + strings.Join(d.Recipients, ", ")
	}
	if d.Past {
		text += " (past)"
	}
	return text
}

// explained is one recipient.
type explained struct {
	integration.Choice
	// Address is what the service calls the recipient; Fault says why that is not
	// known.
	Address string `json:"address,omitempty"`
	Fault   string `json:"fault,omitempty"`
	// Same says that another recipient has the same address and is told instead.
	Same     bool            `json:"same,omitempty"`
	Messages []explainedPost `json:"messages,omitempty"`
	// Due is the next step, or empty if nothing is due.
	Due string `json:"due,omitempty"`
}

// explainedPost is a message and what it is known to show.
type explainedPost struct {
	Channel string         `json:"channel"`
	ID      string         `json:"id"`
	Status  request.Status `json:"status,omitempty"`
	Reviews int            `json:"reviews,omitempty"`
}

// told lists a recipient as it stands in the record, with the reason that the choices
// have. An adopted record has the places of messages in the place of recipients.
func (e *explanation) told(w plan.Wants, d *plugindata.Delivery, adopted bool, choices integration.Choices) {
	r := explained{Choice: integration.Choice{Recipient: d.Recipient}, Address: d.Address, Same: d.Skipped}
	at := slices.IndexFunc(choices, func(c integration.Choice) bool { return c.Recipient == d.Recipient })
	switch {
	case at >= 0:
		r.Why = choices[at].Why
	case d.Requester:
		r.Why = "made the request"
	case adopted:
		r.Why = "was told by Teleport's own plugin"
	default:
		r.Why = "chosen when the request was announced; it would not be now"
	}
	for _, p := range d.Posts {
		r.Messages = append(r.Messages, explainedPost{p.Channel, p.ID, p.Shown.Status, p.Shown.Reviews})
	}
	if step, due := w.Next(d); due {
		r.Due = step.String()
	}
	e.Recipients = append(e.Recipients, r)
}

// others lists those who would be chosen now and are not among the recipients; due says
// why nothing is due to them.
func (e *explanation) others(choices integration.Choices, due string) {
	for _, c := range choices {
		switch {
		case c.Recipient == "":
			e.LeftOut = append(e.LeftOut, c.Why)
		case !slices.ContainsFunc(e.Recipients, func(r explained) bool { return r.Recipient == c.Recipient }):
			e.Recipients = append(e.Recipients, explained{Choice: c, Due: due})
		}
	}
}

// text is the explanation for a person.
func (e *explanation) text() string {
	var b strings.Builder
	line := func(indent, format string, args ...any) {
		b.WriteString(indent + message.Line(fmt.Sprintf(format, args...)) + "\n")
	}
	what := strings.Join(e.Roles, ", ")
	if len(e.Resources) > 0 {
		what += " on " + strings.Join(e.Resources, ", ")
	}
	if e.Request == "" {
		line("", "If %s asked for %s now, this would be told:", e.User, what)
	} else {
		line("", "Request %s of %s for %s is %s.", e.Request, e.User, what, e.Status)
	}
	if len(e.Recipients) == 0 {
		line("\n", "nobody")
	}
	for _, r := range e.Recipients {
		line("\n", "%s", r.Recipient)
		for _, l := range r.lines() {
			line(fmt.Sprintf("  %-8s  ", l.word), "%s", l.text)
		}
	}
	if len(e.Fallback) > 0 {
		line("\n", "If none of them can be reached: %s", strings.Join(e.Fallback, ", "))
	}
	list := func(head string, items []string) {
		for i, item := range items {
			if i == 0 {
				line("\n", "%s", head)
			}
			line("  ", "%s", item)
		}
	}
	list("left out", e.LeftOut)
	if e.Buttons {
		line("\n", "The messages have buttons.")
	}
	list("later", texts(e.Agenda))
	for _, note := range e.Notes {
		line("\n", "note %s", note)
	}
	return b.String()
}

func texts[T fmt.Stringer](items []T) (list []string) {
	for _, item := range items {
		list = append(list, item.String())
	}
	return list
}

// wordedLine is a line of an explanation, which begins with a word.
type wordedLine struct{ word, text string }

// lines say what there is to say of a recipient.
func (r explained) lines() []wordedLine {
	lines := []wordedLine{{"because", r.Why}}
	switch {
	case r.Fault != "":
		lines = append(lines, wordedLine{"FAIL", r.Fault})
	case r.Address != r.Recipient:
		lines = append(lines, wordedLine{"address", r.Address})
	}
	if r.Same {
		lines = append(lines, wordedLine{"told", "where another recipient is, who has the same address"})
	}
	for _, m := range r.Messages {
		lines = append(lines, wordedLine{"told", m.String()})
	}
	if r.Due != "" {
		lines = append(lines, wordedLine{"due", r.Due})
	}
	return lines
}

func (p explainedPost) String() string {
	text := "message " + p.ID + " in " + p.Channel
	if p.Status != "" {
		text += fmt.Sprintf(", which shows %s and %d reviews", p.Status, p.Reviews)
	}
	return text
}
