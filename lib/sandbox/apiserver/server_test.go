package apiserver_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// echo is an API with one method for each path below /api/.
type echo struct{}

func (echo) Open(c *apiserver.Call) (ok bool) {
	c.Method, ok = strings.CutPrefix(c.R.URL.Path, "/api/")
	c.Target, c.Also, c.Content = c.R.URL.Query().Get("at"), "the "+c.R.URL.Query().Get("at"), string(c.Body)
	return ok
}

func (echo) Answer(c *apiserver.Call) apiserver.Answer {
	switch {
	case c.Fault.Effect == fault.Refuse:
		return apiserver.Answer{Status: http.StatusForbidden, Body: c.Fault.Code, Code: c.Fault.Code}
	case c.TooLarge:
		return apiserver.Answer{Status: http.StatusRequestEntityTooLarge, Code: "large"}
	case string(c.Body) == "plain":
		return apiserver.Answer{Status: http.StatusOK, Body: apiserver.Text(c.Body)}
	}
	return apiserver.Answer{Status: http.StatusOK, Body: string(c.Body)}
}

func (echo) TooFast(c *apiserver.Call, wait time.Duration) apiserver.Answer {
	c.Out.Set("Retry-After", apiserver.Seconds(wait))
	return apiserver.Answer{Status: http.StatusTooManyRequests}
}

// What comes of a call, as its faults say, and what the log says of it.
func TestTheWayOfACall(t *testing.T) {
	for name, c := range map[string]struct {
		path, body string
		fault      fault.Fault
		status     int
		answer     string
		logged     string
	}{
		"answered":                {"/api/say?at=C1", "hi", fault.Fault{}, 200, `"hi"`, ""},
		"answered in plain text":  {"/api/say", "plain", fault.Fault{}, 200, "plain\n", ""},
		"no path of the API":      {"/other", "", fault.Fault{}, 404, "404 page not found\n", "-"},
		"too large":               {"/api/say", strings.Repeat("x", 20), fault.Fault{}, 413, "", "large"},
		"refused":                 {"/api/say?at=C1", "", fault.Fault{Effect: fault.Refuse, Code: "no"}, 403, `"no"`, "no"},
		"refused by method":       {"/api/say?at=C1", "", fault.Fault{Method: "say", Effect: fault.Refuse, Code: "no"}, 403, `"no"`, "no"},
		"refused by target":       {"/api/say?at=C1", "", fault.Fault{Target: "C1", Effect: fault.Refuse, Code: "no"}, 403, `"no"`, "no"},
		"refused by other name":   {"/api/say?at=C1", "", fault.Fault{Target: "the C1", Effect: fault.Refuse, Code: "no"}, 403, `"no"`, "no"},
		"refused by what it says": {"/api/say?at=C1", "bad", fault.Fault{Content: "bad", Effect: fault.Refuse, Code: "no"}, 403, `"no"`, "no"},
		"another is refused":      {"/api/say?at=C1", "hi", fault.Fault{Target: "C2", Effect: fault.Refuse, Code: "no"}, 200, `"hi"`, ""},
		"too fast":                {"/api/say?at=C1", "hi", fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 1500}, 429, "", "rate_limit"},
		"failing":                 {"/api/say?at=C1", "hi", fault.Fault{Effect: fault.Status, HTTPStatus: 503}, 503, "simulated failure\n", "status"},
	} {
		t.Run(name, func(t *testing.T) {
			s := apiserver.New("the echo", "/api/", apiserver.Options{MaxBody: 10}, echo{})
			if c.fault.Effect != "" {
				s.Faults().Add(c.fault)
			}
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
			r.Header.Set("Authorization", "Bearer secret")
			s.ServeHTTP(w, r)
			if w.Code != c.status || w.Body.String() != c.answer {
				t.Errorf("answered %d %q, want %d %q", w.Code, w.Body, c.status, c.answer)
			}
			log := s.Requests()
			if c.logged == "-" {
				if len(log) > 0 {
					t.Errorf("logged %+v", log)
				}
				return
			}
			if len(log) != 1 || log[0].Error != c.logged || log[0].Method != "say" || log[0].Header.Get("Authorization") != "" || s.Calls("say") != 1 {
				t.Errorf("logged %+v", log)
			}
			if c.status == 429 && w.Header().Get("Retry-After") != "2" {
				t.Errorf("told to wait for %q", w.Header().Get("Retry-After"))
			}
		})
	}
}

func TestACallTakesItsTimeUnlessTheCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := apiserver.New("the echo", "/api/", apiserver.Options{Latency: time.Second}, echo{})
		began := time.Now()
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/api/say", nil))
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/say", nil))
		if log := s.Requests(); len(log) != 2 || log[1].Error != "caller_gone" {
			t.Errorf("logged %+v", log)
		}
	})
}

func TestTheStateIsChangedUnderALock(t *testing.T) {
	s := apiserver.New("the echo", "", apiserver.Options{}, echo{})
	changes, end := s.Subscribe()
	defer end()
	var before, after uint64
	s.Look(func() { before = s.Version() })
	s.Change(func() {})
	<-changes
	if s.Look(func() { after = s.Version() }); after != before+1 {
		t.Errorf("the version was %d and is %d", before, after)
	}
}

func TestThePatternWithTheFewestWildcardsHolds(t *testing.T) {
	patterns := map[string]int{"GET /users/{user}": 1, "GET /users/me": 2, "PUT /users/{user}": 3, "GET /a/{x}/b/{y}": 4}
	for _, c := range []struct {
		verb, path, pattern string
		what                int
		x                   string
	}{
		{"GET", "/users/me", "GET /users/me", 2, ""},
		{"GET", "/users/u1", "GET /users/{user}", 1, ""},
		{"PUT", "/users/me", "PUT /users/{user}", 3, ""},
		{"GET", "/a/1/b/2", "GET /a/{x}/b/{y}", 4, "1"},
		{"GET", "/users/", "GET /users/", 0, ""},
		{"DELETE", "/users/me", "DELETE /users/me", 0, ""},
		{"GET", "/users/u1/more", "GET /users/u1/more", 0, ""},
	} {
		r := httptest.NewRequest(c.verb, c.path, nil)
		pattern, what, ok := apiserver.Match(patterns, r, c.path)
		if pattern != c.pattern || what != c.what || ok != (c.what != 0) || r.PathValue("x") != c.x {
			t.Errorf("%s %s is %q, %d, %v with x %q", c.verb, c.path, pattern, what, ok, r.PathValue("x"))
		}
	}
}

func TestALimiterLetsSomeThroughInAWindow(t *testing.T) {
	l := apiserver.Limiter{Limits: apiserver.Limits{PerRoute: 2, Window: 5 * time.Second, Global: 4}}
	now := time.Unix(0, 0)
	for i, want := range []struct {
		after        time.Duration
		target       string
		over, global bool
	}{
		{0, "a", false, false},
		{0, "a", false, false},
		{0, "a", true, false},
		{0, "b", false, false},
		{0, "b", true, true},
		{time.Second, "b", false, false},
		{5 * time.Second, "a", false, false},
	} {
		now = now.Add(want.after)
		if got := l.Take("post", want.target, now); got.Over != want.over || got.Global != want.global {
			t.Errorf("call %d: %+v", i, got)
		}
	}
}
