package pagerdutyapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/access/pagerduty/pagerdutyapi/contract"
)

func TestTheVendorsClientAndTheAccountKeepToThePublication(t *testing.T) {
	checker := contract.New(t)
	s, c := started(t, pagerdutyapi.Options{}, checker)
	lifeOfAnIncident(t, s, c)
	if n := checker.Checked(); n < 20 {
		t.Errorf("checked only %d requests and answers", n)
	}
}

func TestTheCheckerSeesWhatIsWrong(t *testing.T) {
	checker := contract.NewUnattended(t)
	s, _ := started(t, pagerdutyapi.Options{}, nil)
	const service = `"service":{"id":"P","type":"service_reference"}`
	for name, tc := range map[string]struct{ verb, path, body, from string }{
		"no From":                 {"POST", "/incidents", `{"incident":{"type":"incident","title":"x",` + service + `}}`, ""},
		"a From that is none":     {"POST", "/incidents", `{"incident":{"type":"incident","title":"x",` + service + `}}`, "bot"},
		"no title":                {"POST", "/incidents", `{"incident":{"type":"incident",` + service + `}}`, bot},
		"a wrong urgency":         {"POST", "/incidents", `{"incident":{"type":"incident","title":"x","urgency":"middling",` + service + `}}`, bot},
		"an unknown field":        {"POST", "/incidents", `{"incident":{"type":"incident","title":"x","sevrice":1,` + service + `}}`, bot},
		"an unknown field beside": {"POST", "/incidents", `{"incident":{"type":"incident","title":"x",` + service + `},"id":"Q"}`, bot},
		"an unknown field within": {"POST", "/incidents", `{"incident":{"type":"incident","title":"x","service":{"id":"P","type":"service_reference","name":"x"}}}`, bot},
		"a text of no kind":       {"POST", "/incidents", `{"incident":{"type":"incident","title":"x","body":{"type":"text","details":"x"},` + service + `}}`, bot},
		"a note of two fields":    {"POST", "/incidents/Q/notes", `{"note":{"content":"x","text":"x"}}`, bot},
		"null for a title":        {"POST", "/incidents", `{"incident":{"type":"incident","title":null,` + service + `}}`, bot},
		"an unknown query":        {"GET", "/incidents?incidentkey=x", "", ""},
		"a second value":          {"GET", "/incidents?statuses%5B%5D=triggered&statuses%5B%5D=done", "", ""},
		"a limit in words":        {"GET", "/incidents?limit=all", "", ""},
		"a body that none reads":  {"GET", "/incidents", `{}`, ""},
		"an unknown status":       {"PUT", "/incidents", `{"incidents":[{"id":"P","type":"incident","status":"done"}]}`, bot},
		"an unknown path":         {"GET", "/incident", "", ""},
	} {
		if got := found(t, checker, s.URL(), tc.verb, tc.path, tc.body, tc.from); !strings.Contains(got, ": request: ") {
			t.Errorf("%s: nothing was found", name)
		}
	}
}

func TestTheCheckerSeesWhatIsWrongInAnswers(t *testing.T) {
	checker := contract.NewUnattended(t)
	const note = `"id":"N","content":"x"`
	for name, tc := range map[string]struct {
		status         int
		body, expected string
	}{
		"as it should be":            {200, `{"note":{` + note + `}}`, ""},
		"an undeclared member":       {200, `{"note":{` + note + `,"text":"x"}}`, "/note/text"},
		"an undeclared member below": {200, `{"note":{` + note + `,"channel":{"summary":"x","text":"x"}}}`, "/note/channel/text"},
		"a wrong type":               {200, `{"note":{"id":5,"content":"x"}}`, "/note/id"},
		"a time in words":            {200, `{"note":{` + note + `,"created_at":"noon"}}`, "/note/created_at"},
		"no content":                 {200, `{"note":{"id":"N"}}`, "content"},
		"a list":                     {200, `[]`, "want object"},
		"nothing":                    {200, ``, "EOF"},
		"an undeclared status":       {418, `{}`, "418"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(tc.status)
			_, _ = w.Write([]byte(tc.body))
		}))
		got := found(t, checker, s.URL, "POST", "/incidents/Q/notes", `{"note":{"content":"x"}}`, bot)
		s.Close()
		if tc.expected == "" && got != "" || !strings.Contains(got, tc.expected) {
			t.Errorf("%s: found %q", name, got)
		}
	}
}

// found makes a call through the checker, and returns what it finds wrong with it.
func found(t *testing.T, checker *contract.Checker, server, verb, path, body, from string) string {
	t.Helper()
	before := len(checker.Faults())
	req, err := http.NewRequestWithContext(t.Context(), verb, server+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range headers() {
		req.Header.Set(k, v)
	}
	req.Header.Del("From")
	if from != "" {
		req.Header.Set("From", from)
	}
	resp, err := checker.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return strings.Join(checker.Faults()[before:], "\n")
}
