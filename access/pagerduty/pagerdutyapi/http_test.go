package pagerdutyapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/PagerDuty/go-pagerduty"
	"go.uber.org/goleak"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// answer is what PagerDuty says about any call.
type answer struct {
	Status int
	Header http.Header
	Error  struct {
		Code    int
		Message string
		Errors  []string
	}
	Incident  struct{ ID, Status string }
	Incidents []struct{ ID string }
	Services  []struct{ ID, Name string }
	Offset    int
	Limit     int
	More      bool
	Total     *int
}

// headers are those of a call that is in order.
func headers() map[string]string {
	return map[string]string{
		"Authorization": "Token token=" + pagerdutyapi.DefaultKey, "Accept": "application/vnd.pagerduty+json;version=2",
		"Content-Type": "application/json", "From": bot,
	}
}

// send makes one call without a network.
func send(t *testing.T, s *pagerdutyapi.Server, verb, target, body string, header map[string]string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), verb, target, strings.NewReader(body))
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	a := answer{Status: w.Code, Header: w.Header()}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%s %s: status %d, body %q: %v", verb, target, w.Code, w.Body, err)
	}
	return a
}

const wellFormed = `{"incident":{"type":"incident","title":"x","service":{"id":"PSPAYMT","type":"service_reference"}}}`

func TestWhoIsLetIn(t *testing.T) {
	for name, tc := range map[string]struct {
		header, value string
		status, code  int
	}{
		"all in order":       {"", "", 201, 0},
		"no key":             {"Authorization", "", 401, 2006},
		"another scheme":     {"Authorization", "Bearer " + pagerdutyapi.DefaultKey, 401, 2006},
		"a wrong key":        {"Authorization", "Token token=x", 401, 2006},
		"a read-only key":    {"Authorization", "Token token=reader", 403, 2010},
		"no version":         {"Accept", "", 400, 2001},
		"the first version":  {"Accept", "application/vnd.pagerduty+json;version=1", 400, 2001},
		"no content type":    {"Content-Type", "", 400, 2001},
		"no From":            {"From", "", 400, 2001},
		"From nobody":        {"From", "nobody@example.com", 400, 1008},
		"From in other case": {"From", strings.ToUpper(bot), 201, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := pagerdutyapi.New(pagerdutyapi.Options{})
			s.PutKey(pagerdutyapi.Key{Token: "reader", ReadOnly: true})
			h := headers()
			if tc.header != "" {
				h[tc.header] = tc.value
			}
			a := send(t, s, "POST", "/incidents", wellFormed, h)
			if a.Status != tc.status || a.Error.Code != tc.code {
				t.Errorf("got %d with %+v", a.Status, a.Error)
			}
			if opened := len(s.Incidents("")) == 1; opened != (tc.status == 201) {
				t.Errorf("an incident was opened: %v", opened)
			}
		})
	}
}

func TestWhatAnIncidentNeeds(t *testing.T) {
	const service = `"service":{"id":"PSPAYMT","type":"service_reference"}`
	for name, tc := range map[string]struct {
		body         string
		status, code int
		says         string
	}{
		"the least":           {`{"type":"incident","title":"x",` + service + `}`, 201, 0, ""},
		"nulls":               {`{"type":"incident","title":"x","priority":null,"assignments":null,` + service + `}`, 201, 0, ""},
		"all":                 {`{"type":"incident","title":"x","urgency":"low","priority":{"id":"PPRIO01","type":"priority_reference"},"body":{"type":"incident_body","details":"d"},"incident_key":"k",` + service + `}`, 201, 0, ""},
		"details as a tree":   {`{"type":"incident","title":"x","body":{"type":"incident_body","details":{"a":1}},` + service + `}`, 201, 0, ""},
		"no type":             {`{"title":"x",` + service + `}`, 400, 2001, "Type must be incident"},
		"no title":            {`{"type":"incident","title":" ",` + service + `}`, 400, 2001, "Title can't be blank"},
		"a long title":        {`{"type":"incident","title":"` + strings.Repeat("x", 1025) + `",` + service + `}`, 400, 2001, "Title is too long"},
		"a long key":          {`{"type":"incident","title":"x","incident_key":"` + strings.Repeat("x", 256) + `",` + service + `}`, 400, 2001, "Incident key is too long"},
		"no service":          {`{"type":"incident","title":"x"}`, 400, 2001, "Service must be"},
		"an unknown service":  {`{"type":"incident","title":"x","service":{"id":"P","type":"service_reference"}}`, 404, 2100, "Service not found"},
		"a wrong reference":   {`{"type":"incident","title":"x","service":{"id":"PSPAYMT","type":"service"}}`, 400, 2001, "Service must be"},
		"an unknown urgency":  {`{"type":"incident","title":"x","urgency":"mid",` + service + `}`, 400, 2001, "Urgency"},
		"an unknown priority": {`{"type":"incident","title":"x","priority":{"id":"P","type":"priority_reference"},` + service + `}`, 400, 2001, "Priority"},
		"details as a number": {`{"type":"incident","title":"x","body":{"type":"incident_body","details":1},` + service + `}`, 400, 2001, "Body details"},
		"two kinds of owner":  {`{"type":"incident","title":"x","assignments":[{}],"escalation_policy":{},` + service + `}`, 400, 2001, "exclude"},
		"nothing":             {`null`, 400, 2001, "can't be blank"},
		"no JSON":             {`{`, 400, 2001, "can't be blank"},
	} {
		t.Run(name, func(t *testing.T) {
			s := pagerdutyapi.New(pagerdutyapi.Options{})
			a := send(t, s, "POST", "/incidents", `{"incident":`+tc.body+`}`, headers())
			if a.Status != tc.status || a.Error.Code != tc.code || !strings.Contains(strings.Join(a.Error.Errors, " "), tc.says) {
				t.Errorf("got %d with %+v", a.Status, a.Error)
			}
		})
	}
}

func TestUpdates(t *testing.T) {
	s := pagerdutyapi.New(pagerdutyapi.Options{})
	id := send(t, s, "POST", "/incidents", wellFormed, headers()).Incident.ID
	for _, step := range []struct {
		target, body string
		status, code int
	}{
		{"/incidents", `{"incidents":[]}`, 400, 2001},
		{"/incidents", `{"incidents":[{"id":"` + id + `"}]}`, 400, 2001},
		{"/incidents", `{"incidents":[{"id":"` + id + `","type":"incident","status":"closed"}]}`, 400, 2001},
		{"/incidents", `{"incidents":[{"id":"` + id + `","type":"incident","status":"resolved"},{"id":"Q","type":"incident"}]}`, 404, 2100},
		{"/incidents", `{"incidents":[` + strings.Repeat(`{"id":"Q","type":"incident"},`, 250) + `{"id":"Q","type":"incident"}]}`, 413, 2001},
		{"/incidents/Q", `{"incident":{"type":"incident_reference"}}`, 404, 2100},
		{"/incidents/" + id, `{"incident":{"type":"incident_reference","status":"acknowledged"}}`, 200, 0},
		{"/incidents/" + id, `{"incident":{"type":"incident_reference","status":"resolved"}}`, 200, 0},
		{"/incidents/" + id, `{"incident":{"type":"incident_reference","status":"resolved"}}`, 400, 1001},
	} {
		a := send(t, s, "PUT", step.target, step.body, headers())
		if a.Status != step.status || a.Error.Code != step.code {
			t.Errorf("PUT %s %.80s: got %d with %+v", step.target, step.body, a.Status, a.Error)
		}
		if in, _ := s.Incident(id); step.status != 200 && step.code != 1001 && in.Status != pagerdutyapi.Triggered {
			t.Errorf("a refused update changed the incident: %+v", in)
		}
	}
}

func TestPaging(t *testing.T) {
	s := pagerdutyapi.New(pagerdutyapi.Options{Services: []pagerdutyapi.Service{}})
	for i := range 60 {
		s.AddService(pagerdutyapi.Service{Name: fmt.Sprintf("service %02d", i)})
	}
	for target, want := range map[string]struct {
		status, items int
		more          bool
	}{
		"/services":                        {200, 25, true},
		"/services?limit=100":              {200, 60, false},
		"/services?limit=40&offset=40":     {200, 20, false},
		"/services?offset=1000":            {200, 0, false},
		"/services?query=SERVICE+1":        {200, 10, false},
		"/services?name=service+07":        {200, 1, false},
		"/services?limit=101":              {400, 0, false},
		"/services?limit=0":                {400, 0, false},
		"/services?offset=-1":              {400, 0, false},
		"/services?offset=x":               {400, 0, false},
		"/services?offset=9950&limit=100":  {400, 0, false},
		"/services?limit=10&total=true":    {200, 10, true},
		"/services?query=there+is+no+such": {200, 0, false},
	} {
		a := send(t, s, "GET", target, "", headers())
		if a.Status != want.status || len(a.Services) != want.items || a.More != want.more {
			t.Errorf("%s: status %d, %d items, more %v", target, a.Status, len(a.Services), a.More)
		}
		if strings.Contains(target, "total") && (a.Total == nil || *a.Total != 60) {
			t.Errorf("%s: total %v", target, a.Total)
		}
	}
}

func TestAnIncidentWithAlertsShowsNoKey(t *testing.T) {
	s, c := started(t, pagerdutyapi.Options{}, nil)
	first, err := c.CreateIncidentWithContext(t.Context(), bot, incidentFor("PSAPPRV", "key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddAlertByHand(first.ID, "alert"); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"key", "alert"} {
		list, err := c.ListIncidentsWithContext(t.Context(), pagerduty.ListIncidentsOptions{IncidentKey: key, SortBy: "created_at:asc"})
		if err != nil || len(list.Incidents) != map[string]int{"alert": 1}[key] {
			t.Errorf("by %s: %+v, %v", key, list, err)
		}
	}
	got, err := c.GetIncidentWithContext(t.Context(), first.ID+"?include[]=body")
	if err != nil || got.IncidentKey != "" || got.Body.Details != "Please decide." {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := c.ListIncidentsWithContext(t.Context(), pagerduty.ListIncidentsOptions{SortBy: "colour"}); codeOf(err) != 2001 {
		t.Errorf("an unknown order: %v", err)
	}
}

func TestRateLimitsAreToldInPagerDutysOwnHeader(t *testing.T) {
	s := pagerdutyapi.New(pagerdutyapi.Options{})
	s.Faults().Add(fault.Fault{Method: "GET /abilities", Effect: fault.RateLimit, RetryAfterMS: 1500, Times: 1})
	s.Faults().Add(fault.Fault{Effect: fault.RateLimit, Times: 1})
	a := send(t, s, "GET", "/abilities", "", headers())
	if a.Status != 429 || a.Error.Code != 2020 || a.Header.Get("ratelimit-reset") != "2" || a.Header.Get("Retry-After") != "" {
		t.Errorf("got %d %+v %v", a.Status, a.Error, a.Header)
	}
	if a := send(t, s, "GET", "/services", "", headers()); a.Status != 429 || a.Header.Get("ratelimit-reset") != "" {
		t.Errorf("without a time: got %d %v", a.Status, a.Header)
	}
	if a := send(t, s, "GET", "/abilities", "", headers()); a.Status != 200 {
		t.Errorf("afterwards: got %d", a.Status)
	}
}

func TestFaultsFindTheirTarget(t *testing.T) {
	s := pagerdutyapi.New(pagerdutyapi.Options{})
	in, err := s.OpenByHand("PSPAYMT", "x", "PUALICE")
	if err != nil {
		t.Fatal(err)
	}
	resolve := `{"incidents":[{"id":"` + in.ID + `","type":"incident","status":"resolved"}]}`
	for _, f := range []fault.Fault{
		{Method: "POST /incidents", Target: "PSPAYMT", Effect: fault.Refuse, Code: "5001", Times: 1},
		{Method: "PUT /incidents", Target: "PSPAYMT", Effect: fault.Refuse, Code: "1005", Times: 1},
		{Method: "GET /incidents/{id}/notes", Target: in.ID, Effect: fault.Refuse, Code: "2010", Times: 1},
		{Method: "GET /incidents", Target: "PSPAYMT", Effect: fault.Refuse, Code: "2016", Times: 1},
	} {
		s.Faults().Add(f)
	}
	other := strings.ReplaceAll(wellFormed, "PSPAYMT", "PSDATAB")
	for _, step := range []struct {
		verb, target, body string
		code               int
	}{
		{"POST", "/incidents", other, 0},
		{"POST", "/incidents", wellFormed, 5001},
		{"GET", "/incidents?service_ids[]=PSDATAB", "", 0},
		{"GET", "/incidents?service_ids[]=PSPAYMT", "", 2016},
		{"GET", "/incidents/" + in.ID + "/notes", "", 2010},
		{"PUT", "/incidents", resolve, 1005},
		{"PUT", "/incidents", resolve, 0},
	} {
		if a := send(t, s, step.verb, step.target, step.body, headers()); a.Error.Code != step.code {
			t.Errorf("%s %s: code %d, want %d", step.verb, step.target, a.Error.Code, step.code)
		}
	}
}

func TestRequestsAreLoggedWithoutTheKey(t *testing.T) {
	s := pagerdutyapi.New(pagerdutyapi.Options{Options: apiserver.Options{KeepRequests: 2}})
	send(t, s, "GET", "/abilities", "", headers())
	send(t, s, "POST", "/incidents", wellFormed, headers())
	send(t, s, "GET", "/incidents/Q9/notes", "", headers())
	send(t, s, "GET", "/nothing", "", headers())
	log := s.Requests()
	if len(log) != 2 || log[0].Method != "GET /incidents/{id}/notes" || log[0].Status != 404 || log[1].Status != 404 {
		t.Errorf("logged %+v", log)
	}
	text, err := json.Marshal(log)
	if err != nil || strings.Contains(string(text), pagerdutyapi.DefaultKey) {
		t.Errorf("the log shows the key: %s, %v", text, err)
	}
	if c := s.Counts(); c["GET /abilities"] != 1 || c["POST /incidents"] != 1 || s.Calls("GET /abilities") != 1 {
		t.Errorf("counted %v", c)
	}
}

func TestWaitSeesChanges(t *testing.T) {
	s := pagerdutyapi.New(pagerdutyapi.Options{})
	done := make(chan error, 1)
	go func() {
		done <- s.Wait(t.Context(), func() bool {
			in := s.Incidents("Payments")
			return len(in) == 1 && slices.Equal(in[0].Acknowledged, []string{"PUALICE"})
		})
	}()
	in, err := s.OpenByHand("PSPAYMT", "x", "PUBOB01")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AcknowledgeByHand(in.ID, "PUALICE"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Wait(ctx, func() bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSnapshotsAreCopies(t *testing.T) {
	s := pagerdutyapi.New(pagerdutyapi.Options{})
	before := s.Snapshot(0)
	for range 3 {
		if _, err := s.OpenByHand("PSPAYMT", "x", "PUBOB01"); err != nil {
			t.Fatal(err)
		}
	}
	after := s.Snapshot(2)
	if len(after.Incidents) != 2 || after.Incidents[1].Number != 3 || after.Version <= before.Version {
		t.Errorf("%+v", after)
	}
	after.Incidents[0].Assigned[0], after.Users[0].Name = "X", "X"
	if again := s.Snapshot(0); again.Users[0].Name == "X" || again.Incidents[1].Assigned[0] == "X" {
		t.Error("a change of the snapshot changed the account")
	}
}

func TestHandsFailOnWhatIsNotThere(t *testing.T) {
	s := pagerdutyapi.New(pagerdutyapi.Options{})
	for what, err := range map[string]error{
		"resolve": s.ResolveByHand("Q", ""), "acknowledge": s.AcknowledgeByHand("Q", ""), "delete": s.DeleteIncident("Q"),
		"open": func() error { _, err := s.OpenByHand("P", "", ""); return err }(),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func FuzzAnyRequest(f *testing.F) {
	f.Add("POST", "/incidents", wellFormed)
	f.Add("PUT", "/incidents", `{"incidents":[{"id":null}]}`)
	f.Add("GET", "/oncalls?since=x&limit=9", "")
	f.Add("GET", "/incidents/%2f/notes", "")
	f.Fuzz(func(t *testing.T, verb, target, body string) {
		s := pagerdutyapi.New(pagerdutyapi.Options{})
		r, err := http.NewRequestWithContext(t.Context(), verb, "http://x"+target, strings.NewReader(body))
		if err != nil {
			return
		}
		for k, v := range headers() {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("status %d, body %q", w.Code, w.Body)
		}
	})
}
