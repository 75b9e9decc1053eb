// Package farend provides simulated endpoints to all that tries plugins: receivers that
// verify signatures by the library of the standard, and know an event by its id.
package farend

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"teleport-plugins/lib/document"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// The methods, by which faults and counters name deliveries.
const (
	createdEvent  = "created"
	reviewedEvent = "reviewed"
	waitingEvent  = "pending"
	outcomeEvent  = "outcome"
	refusedEvent  = "decision_refused"
	look          = "HEAD"
)

// ticket is what an endpoint has made of a request.
type ticket struct {
	id, request, state, text string
	made                     time.Time // of the request
	created                  time.Time
	changed, removed         bool
	below                    []note
}

// note is what stands below a ticket: a review, or what the endpoint answered.
type note struct {
	id, text string
	review   bool
	at       time.Time
}

// hook is an endpoint.
type hook struct {
	id      string
	tickets []*ticket
	seen    map[string]any // answers by event id
	repeats int
}

// Open finds out what an event is about.
func (r *Receivers) Open(c *apiserver.Call) bool {
	name, ok := strings.CutPrefix(c.R.URL.Path, "/hooks/")
	c.Target, c.Content = name, string(c.Body)
	var d document.Event
	_ = json.Unmarshal(c.Body, &d) // Answer says what is wrong
	switch kind := strings.TrimPrefix(d.Type, document.Prefix); {
	case c.R.Method == http.MethodHead:
		c.Method = look
	case kind == createdEvent, kind == reviewedEvent, kind == refusedEvent:
		c.Method = kind
	default:
		c.Method = outcomeEvent
	}
	c.Own = d
	return ok
}

// Answer takes an event in.
func (r *Receivers) Answer(c *apiserver.Call) apiserver.Answer {
	at := r.hook(c.Target)
	d := c.Own.(document.Event) //nolint:forcetypeassert // put there by Open
	switch {
	case at == nil:
		return refusal(http.StatusNotFound, "no such endpoint")
	case c.R.Method == http.MethodHead:
		return apiserver.Answer{Status: http.StatusNoContent}
	case c.R.Method != http.MethodPost:
		return refusal(http.StatusMethodNotAllowed, "only POST")
	case c.TooLarge:
		return refusal(http.StatusRequestEntityTooLarge, "too large")
	case r.verify(c) != nil:
		return refusal(http.StatusUnauthorized, "bad signature")
	case c.Fault.Effect == fault.Refuse:
		return refusal(http.StatusUnprocessableEntity, c.Fault.Code)
	case r.schema.Check(c.Body) != nil:
		return refusal(http.StatusBadRequest, "not as the schema says")
	case d.Version != document.Version || d.ID != c.R.Header.Get(standard.HeaderWebhookID):
		return refusal(http.StatusBadRequest, "no event")
	}
	return r.hear(at, d, c.Method)
}

// hear takes in an event that is in order.
func (r *Receivers) hear(at *hook, d document.Event, kind string) apiserver.Answer {
	if before, known := at.seen[d.ID]; known {
		at.repeats++
		return apiserver.Answer{Status: http.StatusOK, Body: before}
	}
	var answer any
	if r.decide != nil && (kind == createdEvent || kind == reviewedEvent) {
		answer = r.decide(at.id, d)
	}
	if err, failed := answer.(error); failed { // the event is to come again
		return refusal(http.StatusInternalServerError, err.Error())
	}
	t := at.take(d, r.Now())
	if failure, ok := answer.(note); ok {
		t.note(failure.text, false, r.Now())
		answer = nil
	}
	if answer != nil {
		said, _ := json.Marshal(answer) // of the tests' own making
		t.note("The endpoint answered: "+string(said), false, r.Now())
	}
	at.seen[d.ID] = answer
	r.Changed()
	return apiserver.Answer{Status: http.StatusOK, Body: answer}
}

func (r *Receivers) verify(c *apiserver.Call) error {
	secret, err := standard.NewWebhook(r.secret)
	if err != nil {
		return err //nolint:wrapcheck // only whether there is one counts
	}
	return secret.Verify(c.Body, c.R.Header) //nolint:wrapcheck // the same
}

// TooFast tells how long to wait.
func (r *Receivers) TooFast(c *apiserver.Call, wait time.Duration) apiserver.Answer {
	if wait > 0 {
		c.Out.Set("Retry-After", apiserver.Seconds(wait))
	}
	return refusal(http.StatusTooManyRequests, "too fast")
}

func refusal(status int, word string) apiserver.Answer {
	return apiserver.Answer{Status: status, Body: map[string]string{"error": word}, Code: word}
}

// take makes or changes the ticket of a request. A further announcement of one that is
// there makes a second one, as it would for people.
func (h *hook) take(d document.Event, now time.Time) *ticket {
	all := h.of(d.Request)
	if len(all) == 0 || d.Type == document.Prefix+createdEvent && !d.Again {
		t := &ticket{id: d.ID, request: d.Request.ID, made: d.Request.Created, created: now}
		h.tickets, all = append(h.tickets, t), append(all, t)
	}
	for _, t := range all {
		t.changed = t.text != ""
		t.state, t.text, t.made = d.Request.State, text(d), d.Request.Created
	}
	t := all[0]
	if d.Review != nil && !d.Again {
		t.note(fmt.Sprintf("%s reviewed: %s %s", d.Review.Author, d.Review.State, d.Review.Reason), true, now)
	}
	if d.Type == document.Prefix+waitingEvent {
		t.note(message.StillPending, false, now)
	}
	if d.Refused != nil {
		t.note("The decision to "+d.Refused.Decision+" was refused: "+d.Refused.Cause, false, now)
	}
	return t
}

// of are the tickets of a request that were not removed. Of what another program has
// made it is not known when the request was, and an event need not say it where the
// plugin's record was written over.
func (h *hook) of(r document.Request) (all []*ticket) {
	for _, t := range h.tickets {
		if t.request == r.ID && !t.removed && (t.made.IsZero() || r.Created.IsZero() || t.made.Unix() == r.Created.Unix()) {
			all = append(all, t)
		}
	}
	return all
}

func (t *ticket) note(text string, review bool, at time.Time) {
	t.below = append(t.below, note{fmt.Sprintf("%s-%d", t.id, len(t.below)), text, review, at})
}

// text is what the endpoint shows of a request.
func text(d document.Event) string {
	lines := []string{
		"ID: " + d.Request.ID, "State: " + d.Request.State, "User: " + d.Request.User, "Roles: " + strings.Join(d.Request.Roles, ", "),
	}
	if len(d.Request.Names) > 0 {
		lines = append(lines, "Resources: "+strings.Join(d.Request.Names, ", "))
	}
	for _, more := range []struct{ label, value string }{
		{"Reason", d.Request.Reason}, {"Because", d.Request.ResolveReason}, {"Access list", d.Request.AccessList},
	} {
		if more.value != "" {
			lines = append(lines, more.label+": "+more.value)
		}
	}
	return strings.Join(lines, "\n")
}
