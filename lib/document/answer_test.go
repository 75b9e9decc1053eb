package document

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/sandbox/schema"
	"teleport-plugins/lib/vote"
)

func TestRead(t *testing.T) {
	for name, tc := range map[string]struct {
		format Format
		body   string
		want   Answer
		fault  string
	}{
		"nothing":          {"", " \n", Answer{Decision: vote.None}, ""},
		"an empty object":  {"", "{}", Answer{Decision: vote.None}, ""},
		"approval":         {"", `{"decision":"approve","reason":"on call"}`, Answer{Decision: vote.Approve, Reason: "on call"}, ""},
		"denial":           {"", `{"decision":"deny","further":{"a":1}}`, Answer{Decision: vote.Deny}, ""},
		"wait":             {"", `{"decision":"none","wait":"90s"}`, Answer{Decision: vote.None, Wait: 90 * time.Second}, ""},
		"wait alone":       {"", `{"wait":"90s"}`, Answer{Decision: vote.None, Wait: 90 * time.Second}, ""},
		"text":             {"", `ok`, Answer{Decision: vote.None}, "the answer is not JSON of the form"},
		"half":             {"", `{"decision":"app`, Answer{Decision: vote.None}, "the answer is not JSON of the form"},
		"two":              {"", `{"decision":"approve"}{"decision":"approve"}`, Answer{Decision: vote.None}, "the answer is not JSON of the form"},
		"a list":           {"", `["approve"]`, Answer{Decision: vote.None}, "the answer is not JSON of the form"},
		"a truth value":    {"", `true`, Answer{Decision: vote.None}, "the answer is not JSON of the form"},
		"a number":         {"", `{"decision":1}`, Answer{Decision: vote.None}, "the answer is not JSON of the form"},
		"unknown":          {"", `{"decision":"Approve"}`, Answer{Decision: vote.None}, `unknown decision "Approve"; it can be approve, deny or none`},
		"an empty word":    {"", `{"decision":""}`, Answer{Decision: vote.None}, `unknown decision ""`},
		"no time":          {"", `{"decision":"approve","wait":"soon"}`, Answer{Decision: vote.None}, `the answer has the wait "soon", which is no time`},
		"time past":        {"", `{"wait":"-1s"}`, Answer{Decision: vote.None}, `the answer has the wait "-1s"`},
		"a long reason":    {"", `{"decision":"deny","reason":"` + strings.Repeat("x", 5000) + `"}`, Answer{Decision: vote.Deny, Reason: strings.Repeat("x", 988) + " (truncated)"}, ""},
		"a huge reason":    {"", `{"decision":"deny","reason":"` + strings.Repeat("x", 1<<20) + `"}`, Answer{Decision: vote.None}, "the answer is longer than 64 KiB"},
		"a key twice":      {"", `{"decision":"deny","decision":"approve"}`, Answer{Decision: vote.None}, `the answer has the key "decision" twice, or in another case`},
		"another case":     {"", `{"decision":"deny","DECISION":"approve"}`, Answer{Decision: vote.None}, `the answer has the key "DECISION" twice`},
		"a long s":         {"", `{"deciſion":"approve"}`, Answer{Decision: vote.None}, "twice, or in another case"},
		"hidden letters":   {"", `{"decision":"deny","reason":"a\u001b[31mb\u200d"}`, Answer{Decision: vote.Deny, Reason: "a[31mb"}, ""},
		"huge blanks":      {"", `{"decision":"approve"}` + strings.Repeat(" ", MaxAnswer), Answer{Decision: vote.None}, "the answer is longer than 64 KiB"},
		"opa object":       {OPA, `{"result":{"decision":"deny","reason":"no"},"decision_id":"1"}`, Answer{Decision: vote.Deny, Reason: "no"}, ""},
		"opa true":         {OPA, `{"result":true}`, Answer{Decision: vote.Approve}, ""},
		"opa false":        {OPA, `{"result":false}`, Answer{Decision: vote.None}, ""},
		"opa undefined":    {OPA, `{"decision_id":"1"}`, Answer{Decision: vote.None}, ""},
		"opa without form": {OPA, `{"decision":"approve"}`, Answer{Decision: vote.None}, ""},
		"opa list":         {OPA, `{"result":["approve"]}`, Answer{Decision: vote.None}, "the answer is not JSON of the form"},
		"opa text":         {OPA, `true`, Answer{Decision: vote.None}, "the answer is not the JSON that Open Policy Agent gives"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.format.Read([]byte(tc.body))
			if got != tc.want || (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("got  %+v, %v\nwant %+v, %s", got, err, tc.want, tc.fault)
			}
		})
	}
}

// compile makes a validator of a schema.
func compile(t testing.TB, text string) schema.Schema {
	t.Helper()
	s, err := schema.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What decides is of the form that the schema of answers has.
func FuzzRead(f *testing.F) {
	answers := compile(f, AnswerSchema)
	for _, seed := range []string{"", "{}", `{"decision":"approve","reason":"x"}`, `{"result":true}`, `{"result":{"decision":"deny","wait":"1m"}}`, `{"Decision":"deny"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, format := range []Format{Teleport, OPA} {
			a, err := format.Read([]byte(body))
			if err != nil && (a != Answer{Decision: vote.None}) {
				t.Errorf("%q is a fault and decides %+v", body, a)
			}
			if a.Decision == vote.None {
				continue
			}
			written, _ := json.Marshal(map[string]any{"decision": a.Decision, "reason": a.Reason})
			if err := answers.Check(written); err != nil {
				t.Errorf("%q is taken for %+v: %v", body, a, err)
			}
			if len(a.Reason) > 4096 {
				t.Errorf("a reason of %d bytes", len(a.Reason))
			}
		}
	})
}
