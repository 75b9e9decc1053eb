package sandbox_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox"
)

// call calls the API and returns the status and the body.
func call(t *testing.T, sb *sandbox.Sandbox, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8080"+path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	sb.Handler("sandbox.lan").ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// Each call of the API with what it answers. {id} stands for a pending request
// of alice.
func TestAPI(t *testing.T) {
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		answer                   string // part of the body
	}{
		{"the state", "GET", "/api/state", "", 200, `"state":"PENDING"`},
		{"the state without messages", "GET", "/api/state?limit=1", "", 200, `"services":{`},
		{"a limit that is no number", "GET", "/api/state?limit=x", "", 400, `"error":"the limit \"x\" is not a number"`},
		{"a wrong method", "DELETE", "/api/state", "", 405, "does not take DELETE"},
		{"a wrong path", "GET", "/api/nothing", "", 404, "there is nothing at /api/nothing"},
		{"events by post", "POST", "/api/events", "{}", 405, "does not take POST"},

		{"a request", "POST", "/api/requests", `{"user":"dave@example.com","roles":["editor"],"reason":"x","suggested_reviewers":["bob@example.com"]}`, 201, `{"id":"`},
		{"a request for a resource", "POST", "/api/requests", `{"user":"dave@example.com","resources":["node/1"],"roles":["editor"],"max_duration":"4h","ttl":"30s"}`, 201, `{"id":"`},
		{"a request of nobody", "POST", "/api/requests", `{"roles":["editor"]}`, 400, "who requests"},
		{"a request for nothing", "POST", "/api/requests", `{"user":"dave@example.com"}`, 400, "what is requested"},
		{"a resource of another form", "POST", "/api/requests", `{"user":"dave@example.com","resources":["web-1"]}`, 400, "not written kind/name"},
		{"a wrong duration", "POST", "/api/requests", `{"user":"dave@example.com","roles":["editor"],"ttl":"soon"}`, 400, "ttl is"},
		{"a negative duration", "POST", "/api/requests", `{"user":"dave@example.com","roles":["editor"],"max_duration":"-1h"}`, 400, "max_duration is"},
		{"an unknown field", "POST", "/api/requests", `{"user":"dave@example.com","rolls":["editor"]}`, 400, "rolls"},
		{"two values", "POST", "/api/requests", `{"user":"a","roles":["editor"]} {}`, 400, "more than one value"},
		{"no JSON", "POST", "/api/requests", `user=a`, 400, "cannot be read"},
		{"a body without end", "POST", "/api/requests", `{"user":"` + strings.Repeat("a", 1<<20), 413, "larger than"},
		{"a reason that the cluster refuses", "POST", "/api/requests", `{"user":"a","roles":["editor"],"reason":"` + strings.Repeat("a", 5000) + `"}`, 400, "too long"},

		{"a review", "POST", "/api/requests/{id}/reviews", `{"author":"bob@example.com","state":"DENIED","reason":"no"}`, 204, ""},
		{"a review of one's own request", "POST", "/api/requests/{id}/reviews", `{"author":"alice@example.com","state":"APPROVED"}`, 403, "error"},
		{"a review of nobody", "POST", "/api/requests/{id}/reviews", `{"state":"APPROVED"}`, 400, "who reviews"},
		{"a review without a decision", "POST", "/api/requests/{id}/reviews", `{"author":"bob@example.com","state":"MAYBE"}`, 400, "APPROVED or DENIED"},
		{"a review of what is not there", "POST", "/api/requests/nix/reviews", `{"author":"bob@example.com","state":"APPROVED"}`, 404, "not found"},
		{"a promotion", "POST", "/api/requests/{id}/promote", `{"access_list":"On-call"}`, 204, ""},
		{"a promotion to any list", "POST", "/api/requests/{id}/promote", ``, 204, ""},
		{"an expiry", "POST", "/api/requests/{id}/expire", `{}`, 204, ""},
		{"a deletion", "POST", "/api/requests/{id}/delete", `{}`, 204, ""},
		{"a deletion of what is not there", "POST", "/api/requests/nix/delete", `{}`, 404, "not found"},

		{"the faults", "GET", "/api/faults", "", 200, `"cut_streams"`},
		{"a fault of a service", "POST", "/api/faults", `{"service":"example","fault":{"effect":"rate_limit","retry_after_ms":1000,"times":1}}`, 204, ""},
		{"a fault of no service", "POST", "/api/faults", `{"service":"teams","fault":{"effect":"hang"}}`, 404, `no service \"teams\"`},
		{"an unknown effect", "POST", "/api/faults", `{"service":"example","fault":{"effect":"explode"}}`, 400, `no effect \"explode\"`},
		{"a status that is no failure", "POST", "/api/faults", `{"service":"example","fault":{"effect":"status","http_status":99999}}`, 400, "not one of a failure"},
		{"a negative delay", "POST", "/api/faults", `{"service":"example","fault":{"effect":"slow","delay_ms":-1}}`, 400, "negative"},
		{"a fault of the cluster", "POST", "/api/faults", `{"cluster":{"slow_ms":1,"failures":[{"method":"GetRole","code":"UNAVAILABLE"}]}}`, 204, ""},
		{"a denied right", "POST", "/api/faults", `{"deny":{"kind":"role"}}`, 204, ""},
		{"a denied nothing", "POST", "/api/faults", `{"deny":{}}`, 400, "which kind"},
		{"a right that was not denied", "POST", "/api/faults", `{"allow":{"kind":"role"}}`, 400, "role is not denied"},
		{"an action", "POST", "/api/faults", `{"action":"cut_streams"}`, 204, ""},
		{"an unknown action", "POST", "/api/faults", `{"action":"dance"}`, 400, `no action \"dance\"`},
		{"locking somebody unknown", "POST", "/api/faults", `{"action":"lock","plugin":"teams"}`, 404, "teams"},
		{"killing a plugin that does not run", "POST", "/api/faults", `{"action":"kill_plugin","plugin":"example"}`, 404, `no plugin \"example\"`},
		{"a change of nothing", "POST", "/api/faults", `{}`, 400, "set one of"},
		{"an end of all faults", "DELETE", "/api/faults", "", 204, ""},
		{"an end of a service's faults", "DELETE", "/api/faults?from=example", "", 204, ""},
		{"an end of nobody's faults", "DELETE", "/api/faults?from=teams", "", 404, "teams"},

		{"a switch", "POST", "/api/switches", `{"service":"example","switch":"light","on":true}`, 204, ""},
		{"a switch that is not there", "POST", "/api/switches", `{"service":"example","switch":"heat"}`, 404, "no switch"},
		{"a switch of nobody", "POST", "/api/switches", `{"service":"teams","switch":"light"}`, 404, "no service"},

		{"the counters", "GET", "/api/tally", "", 200, `"total":{"expected":`},
		{"the story", "GET", "/api/story", "", 200, `"entries":[`},
		{"the story after no number", "GET", "/api/story?after=x", "", 400, "is not a number"},
		{"the log of no plugin", "GET", "/api/plugins/example/log", "", 404, "no plugin"},
		{"the scenes", "GET", "/api/scenes", "", 200, `"title":"The example is down for ten seconds"`},
		{"a scene", "POST", "/api/scenes", `{"service":"example","scene":"down"}`, 202, ""},
		{"a scene that is not there", "POST", "/api/scenes", `{"service":"example","scene":"opera"}`, 404, "no scene"},
		{"a scene of a plugin that does not run", "POST", "/api/scenes", `{"service":"example","scene":"killed"}`, 404, "no scene"},
		{"an end of no scene", "DELETE", "/api/scenes", "", 204, ""},

		{"the page", "GET", "/", "", 200, "<!doctype html>"},
		{"the script", "GET", "/feed.js", "", 200, "EventSource"},
		{"a missing file", "GET", "/nothing.js", "", 404, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			sb := start(t, sandbox.Options{})
			id := create(t, sb)
			status, body := call(t, sb, test.method, strings.ReplaceAll(test.path, "{id}", id), test.body)
			if status != test.status || !strings.Contains(body, test.answer) {
				t.Errorf("got %d %.300s, want %d with %q", status, body, test.status, test.answer)
			}
			if strings.HasPrefix(test.path, "/api/") && status >= 400 {
				var refusal struct{ Error string }
				if decodeJSON(t, []byte(body), &refusal); refusal.Error == "" {
					t.Errorf("the refusal %q has no sentence", body)
				}
			}
		})
	}
}

// What was sent is in the state, as it was sent.
func TestAPIRequestKeepsWhatWasSent(t *testing.T) {
	sb := start(t, sandbox.Options{})
	status, body := call(t, sb, "POST", "/api/requests", `{"user":"alice@example.com","roles":["prod-admin","editor"],"reason":"<b>\n","suggested_reviewers":["bob@example.com"],"resources":["node/a/b"],"ttl":"30s"}`)
	if status != 201 {
		t.Fatal(status, body)
	}
	r := sb.State(0).Requests[0]
	if !strings.Contains(body, r.ID) || r.User != "alice@example.com" || !slices.Equal(r.Roles, []string{"editor", "prod-admin"}) ||
		r.Reason != "<b>\n" || !slices.Equal(r.SuggestedReviewers, []string{"bob@example.com"}) || !slices.Equal(r.Resources, []string{"node/a/b"}) {
		t.Errorf("the state has %+v", r)
	}
	if ttl := r.Expires.Sub(r.Created); ttl.Round(time.Second) != 30*time.Second || r.Approvals != 2 {
		t.Errorf("it expires after %v and needs %d approvals", ttl, r.Approvals)
	}
	if call(t, sb, "POST", "/api/requests/"+r.ID+"/promote", `{"access_list":"Ops"}`); sb.State(0).Requests[0].AccessList != "Ops" {
		t.Error("it was not promoted to the named list")
	}
}

// A second review of the same person conflicts or is refused, and says so.
func TestAPIReviewTwice(t *testing.T) {
	sb := start(t, sandbox.Options{})
	status, body := call(t, sb, "POST", "/api/requests", `{"user":"alice@example.com","roles":["prod-admin"]}`)
	var made struct{ ID string }
	if decodeJSON(t, []byte(body), &made); status != 201 {
		t.Fatal(status, body)
	}
	review := `{"author":"bob@example.com","state":"APPROVED"}`
	call(t, sb, "POST", "/api/requests/"+made.ID+"/reviews", review)
	if status, body := call(t, sb, "POST", "/api/requests/"+made.ID+"/reviews", review); status < 400 || status >= 500 || !strings.Contains(body, "error") {
		t.Errorf("the second review is answered with %d %s", status, body)
	}
}

// The API is for this machine's own page: names that lead here from elsewhere
// and pages of other sites are turned away.
func TestAPIKeepsOthersAway(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"localhost", []string{"Host", "localhost:8080"}, 204},
		{"localhost in capitals", []string{"Host", "LOCALHOST"}, 204},
		{"loopback", []string{"Host", "127.0.0.1:8080"}, 204},
		{"loopback of version 6", []string{"Host", "[::1]:8080"}, 204},
		{"loopback of version 6 without a port", []string{"Host", "[::1]"}, 204},
		{"an allowed name", []string{"Host", "Sandbox.lan:80"}, 204},
		{"another name", []string{"Host", "evil.example.com"}, 421},
		{"a name that begins like ours", []string{"Host", "localhost.example.com"}, 421},
		{"an address of the network", []string{"Host", "192.168.1.2:8080"}, 421},
		{"no name", []string{"Host", ""}, 421},
		{"a form", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"plain text", []string{"Content-Type", "text/plain"}, 415},
		{"no type", []string{"Content-Type", ""}, 415},
		{"JSON with a character set", []string{"Content-Type", "application/json; charset=utf-8"}, 204},
		{"another site's page", []string{"Origin", "https://evil.example.com"}, 403},
		{"another site's fetch", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"its own page", []string{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin"}, 204},
	} {
		t.Run(test.name, func(t *testing.T) {
			sb := start(t, sandbox.Options{})
			status, body := call(t, sb, "POST", "/api/faults", `{"action":"cut_streams"}`, test.headers...)
			if status != test.status {
				t.Errorf("got %d %s, want %d", status, body, test.status)
			}
		})
	}
}

func TestPageIsShutTight(t *testing.T) {
	sb := start(t, sandbox.Options{})
	w := httptest.NewRecorder()
	sb.Handler().ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/", nil))
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the headers are %v", w.Header())
	}
}

// A denial holds until it is taken back, and ending all faults takes all back.
func TestFaultsAreInForceUntilTheyEnd(t *testing.T) {
	sb := start(t, sandbox.Options{})
	post := func(body string) {
		t.Helper()
		if status, answer := call(t, sb, "POST", "/api/faults", body); status != 204 {
			t.Fatal(status, answer)
		}
	}
	post(`{"deny":{"kind":"role","verbs":["read"]}}`)
	post(`{"deny":{"kind":"review_requests","verbs":["review"]}}`)
	post(`{"deny":{"kind":"role","verbs":["read"]}}`)
	post(`{"cluster":{"black_hole":true}}`)
	post(`{"service":"another","fault":{"effect":"hang"}}`)
	post(`{"allow":{"kind":"role","verbs":["read"]}}`)
	f := sb.Faults()
	if len(f.Denied) != 1 || f.Denied[0].Kind != "review_requests" || !f.Cluster.BlackHole || len(f.Services["another"]) != 1 {
		t.Errorf("in force are %+v", f)
	}
	call(t, sb, "DELETE", "/api/faults?from=another", "")
	if f := sb.Faults(); len(f.Services["another"]) != 0 || !f.Cluster.BlackHole {
		t.Errorf("after the end of the other's, in force are %+v", f)
	}
	call(t, sb, "DELETE", "/api/faults", "")
	if f := sb.Faults(); len(f.Denied) != 0 || f.Cluster.BlackHole {
		t.Errorf("after the end of all, in force are %+v", f)
	}
}

// Every action that needs no plugin can be done, also one after the other.
func TestActions(t *testing.T) {
	sb := start(t, sandbox.Options{})
	for _, action := range sb.Faults().Actions {
		change := sandbox.FaultChange{Action: action, Plugin: "example"}
		if err := sb.ChangeFaults(change); err != nil && action != "kill_plugin" {
			t.Errorf("%s: %v", action, err)
		}
	}
}

// What is said at a service is in the state, with how the page shows it.
func TestStateOfTheServices(t *testing.T) {
	sb := start(t, sandbox.Options{})
	example(sb).note("", "hello <https://e.org|there>")
	st := sb.State(0)
	if !slices.Equal(st.Order, []string{"example", "another"}) || st.Services["another"].Title != "The another" {
		t.Errorf("the services are %q: %+v", st.Order, st.Services)
	}
	said := st.Services["example"].Channels[0].Messages
	if len(said) != 1 || said[0].Body[0].Nodes[1].Href != "https://e.org" {
		t.Errorf("what was said is %+v", said)
	}
}

// The stream of events says that something has changed, with a version that
// grows, and ends with the sandbox.
func TestEvents(t *testing.T) {
	sb := start(t, sandbox.Options{})
	server := httptest.NewServer(sb.Handler())
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	first := nextEvent(t, lines)
	id := create(t, sb)
	if second := nextEvent(t, lines); second == first {
		t.Errorf("two events have the version %s", first)
	}
	if err := sb.Cluster().Review(id, "bob@example.com", types.RequestState_APPROVED, ""); err != nil {
		t.Fatal(err)
	}
	nextEvent(t, lines)
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
}

func nextEvent(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if version, ok := strings.CutPrefix(line, "data: "); ok {
			return version
		}
	}
}
