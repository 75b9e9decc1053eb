package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/vote"
)

// Format is the form of documents and answers.
type Format string

// The formats.
const (
	Teleport Format = "teleport"
	OPA      Format = "opa" // the API of Open Policy Agent
)

// MaxAnswer bounds an answer, in bytes.
const MaxAnswer = 64 << 10

// Write writes an event.
func (f Format) Write(d Event) ([]byte, error) {
	var form any = d
	if f == OPA {
		form = map[string]Event{"input": d}
	}
	text, err := json.Marshal(form)
	if err != nil {
		return nil, fmt.Errorf("writing the event: %w", err)
	}
	return text, nil
}

// Answer is what a program says of a request.
type Answer struct {
	// Decision is one of vote.Approve, vote.Deny and vote.None.
	Decision string
	Reason   string
	// Wait asks to be asked again after this time.
	Wait time.Duration
}

// Read reads an answer. One that cannot be understood decides nothing; the error says
// why.
func (f Format) Read(body []byte) (Answer, error) {
	none := Answer{Decision: vote.None}
	if len(body) > MaxAnswer { // before blanks are cut off: what came after them was not read
		return none, fmt.Errorf("the answer is longer than %d KiB", MaxAnswer>>10)
	}
	if body = bytes.TrimSpace(body); len(body) == 0 {
		return none, nil
	}
	if f == OPA {
		var answer struct {
			Result json.RawMessage `json:"result"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return none, errors.New("the answer is not the JSON that Open Policy Agent gives")
		}
		if key := ambiguous(body, "result"); key != "" {
			return none, ambiguousError(key)
		}
		switch body = answer.Result; string(body) {
		case "", "null", "false": // a policy that says nothing
			return none, nil
		case "true":
			return Answer{Decision: vote.Approve}, nil
		}
	}
	return readDecision(body)
}

func readDecision(body []byte) (Answer, error) {
	none := Answer{Decision: vote.None}
	var said struct {
		Decision *string `json:"decision"`
		Reason   string  `json:"reason"`
		Wait     string  `json:"wait"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return none, errors.New(`the answer is not JSON of the form {"decision": "approve", "reason": "…"}`)
	}
	if key := ambiguous(body, "decision", "reason", "wait"); key != "" {
		return none, ambiguousError(key)
	}
	a := Answer{Decision: vote.None, Reason: vote.Reason(said.Reason)}
	if said.Decision != nil {
		a.Decision = *said.Decision
	}
	if !slices.Contains([]string{vote.Approve, vote.Deny, vote.None}, a.Decision) {
		return none, fmt.Errorf("the answer has the unknown decision %q; it can be approve, deny or none", message.Line(message.Cut(a.Decision, 50)))
	}
	if said.Wait != "" {
		wait, err := time.ParseDuration(said.Wait)
		if err != nil || wait <= 0 {
			return none, fmt.Errorf(`the answer has the wait %q, which is no time such as "5m"`, message.Line(message.Cut(said.Wait, 50)))
		}
		a.Wait = wait
	}
	return a, nil
}

func ambiguousError(key string) error {
	return fmt.Errorf("the answer has the key %q twice, or in another case", message.Line(message.Cut(key, 50)))
}

// ambiguous is a key of an answer that could stand for another value than the one that
// was read: one that is there twice, or that is one of those that are read in another
// case.
func ambiguous(body []byte, read ...string) (key string) {
	dec := json.NewDecoder(bytes.NewReader(body))
	_, _ = dec.Token() // the brace: the answer was read once
	for seen := []string(nil); dec.More(); {
		token, err := dec.Token()
		name, _ := token.(string)
		like := func(other string) bool { return strings.EqualFold(name, other) && name != other }
		if err != nil || slices.Contains(seen, name) || slices.ContainsFunc(read, like) {
			return name
		}
		seen = append(seen, name)
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return name
		}
	}
	return ""
}
