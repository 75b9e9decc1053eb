package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"teleport-plugins/lib/command/commandtest"
	"teleport-plugins/lib/document"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/request/requesttest"
	"teleport-plugins/lib/sandbox/schema"
)

var announce = integration.Effect{Kind: integration.Announce}

// serve starts a receiver.
func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

// at is the section of an endpoint at an address.
func at(url string, more ...string) string {
	return fmt.Sprintf("[endpoints.portal]\nurl = %q\n%s\n", url, strings.Join(more, "\n"))
}

func tell(t *testing.T, r rig, e integration.Effect, v request.View) (plugindata.Message, error) {
	t.Helper()
	return r.Tell(t.Context(), integration.Place{Address: "portal"}, e, v)
}

func TestEventsAreSignedAsTheStandardSays(t *testing.T) {
	next := "whsec_" + strings.Repeat("QUJD", 12)
	events, err := schema.Compile(document.Schema)
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
		for _, s := range []string{secret, next} {
			witness, _ := standard.NewWebhook(s)
			if err := witness.Verify(body, r.Header); err != nil {
				t.Errorf("the signature by %s: %v", s[:10], err)
			}
		}
		if err := events.Check(body); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		var d document.Event
		if err := json.Unmarshal(body, &d); err != nil || d.ID != r.Header.Get("webhook-id") {
			t.Errorf("the id of the body is %q, that of the header %q", d.ID, r.Header.Get("webhook-id"))
		}
		if got := r.Header.Get("Authorization"); got != "Bearer hunter2" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") == "" {
			t.Errorf("the headers are %v", r.Header)
		}
	})
	t.Setenv("PORTAL_AUTHORIZATION", "Bearer hunter2")
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := build(t, at(url, fmt.Sprintf("secret = [%q, %q]", file, next), `headers = { Authorization = "env:PORTAL_AUTHORIZATION" }`), nil)
	v := requesttest.ReviewedBy(requesttest.Pending(), "bob")
	for _, e := range []integration.Effect{announce, {Kind: integration.Review}, integration.Outcome(integration.End, request.Denied)} {
		if e.Kind == integration.End {
			v.Status = request.Denied
		}
		m, err := tell(t, r, e, v)
		if err != nil || m.Channel != "portal" || m.ID == "" {
			t.Errorf("%s: %v, %v", e, m, err)
		}
	}
	if len(bodies) != 3 || !strings.Contains(bodies[1], `"review":{"author":"bob"`) || strings.Contains(bodies[0], `"review":`) {
		t.Errorf("the bodies are %q", bodies)
	}
}

// What an answer means.
func TestOutcomes(t *testing.T) {
	page := "<html><body>Sign in</body></html>"
	for name, tc := range map[string]struct {
		status       int
		header, body string
		kind         outbound.Kind // empty: told
		scope        outbound.Scope
		says         string
	}{
		"200":                  {200, "", "", "", 0, ""},
		"204":                  {204, "", "", "", 0, ""},
		"200 with text":        {200, "", "ok", "", 0, ""},
		"200 with half":        {200, "", `{"decision":"app`, "", 0, ""},
		"a megabyte":           {200, "", `{"reason":"` + strings.Repeat("x", 1<<20) + `"}`, "", 0, ""},
		"200 with a page":      {200, "", page, outbound.Unclear, 0, "web page"},
		"a page by its type":   {200, "Content-Type: text/html", "hello", outbound.Unclear, 0, "web page"},
		"a redirect":           {302, "Location: /elsewhere", "", outbound.Retry, 0, "redirect"},
		"a redirect with body": {307, "Location: /elsewhere", "", outbound.Retry, 0, "redirect"},
		"400":                  {400, "", `{"error":"no"}`, outbound.Refused, outbound.OneCall, "does not take the event"},
		"401":                  {401, "", "", outbound.Refused, outbound.OneCall, "same secret"},
		"403 of a gateway":     {403, "", page, outbound.Unclear, 0, "web page"},
		"404":                  {404, "", "no such path", outbound.Refused, outbound.OneCall, "log of the endpoint"},
		"408":                  {408, "", "", outbound.Retry, 0, "408"},
		"410":                  {410, "", "", outbound.Refused, outbound.ThePlace, "gone for good"},
		"410 of a gateway":     {410, "", page, outbound.Unclear, 0, "web page"},
		"429":                  {429, "Retry-After: 2", "", outbound.Wait, outbound.ThePlace, ""},
		"429 without a time":   {429, "", "", outbound.Wait, outbound.ThePlace, ""},
		"500":                  {500, "", "", outbound.Retry, 0, "500"},
		"503":                  {503, "", "", outbound.Retry, 0, "503"},
		"503 with a time":      {503, "Retry-After: 2", "", outbound.Wait, outbound.ThePlace, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var elsewhere atomic.Int32
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					elsewhere.Add(1)
				}
				if key, value, ok := strings.Cut(tc.header, ": "); ok {
					w.Header().Set(key, value)
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			r := build(t, at(url+"/hook?key=hunter2"), nil)
			m, err := tell(t, r, announce, requesttest.Pending())
			if tc.kind == "" {
				if err != nil || m.ID == "" {
					t.Errorf("got %v, %v", m, err)
				}
				return
			}
			if err == nil || outbound.KindOf(err) != tc.kind || outbound.ScopeOf(err) != tc.scope || !strings.Contains(err.Error(), tc.says) || !outbound.Answered(err) {
				t.Errorf("got %v, of the kind %q and scope %d, answered %v", err, outbound.KindOf(err), outbound.ScopeOf(err), outbound.Answered(err))
			}
			if (tc.kind == outbound.Wait) != (outbound.AfterOf(err) > 0) || strings.Contains(err.Error(), "hunter2") || elsewhere.Load() > 0 {
				t.Errorf("after %v, %v; %d calls elsewhere", outbound.AfterOf(err), err, elsewhere.Load())
			}
		})
	}
}

// What breaks off, hangs or is not there is tried again, and says nothing of others.
func TestNoAnswer(t *testing.T) {
	over := make(chan struct{})
	hang := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // from here on the end of the call is seen
		select {
		case <-r.Context().Done():
		case <-over:
		}
	})
	t.Cleanup(func() { close(over) })
	for name, url := range map[string]string{
		"hangs": hang,
		"cut": serve(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
		}),
		"half a body": serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"decision":"approve"`)
		}),
		"nobody listens": "http://127.0.0.1:9",
		"no TLS":         strings.Replace(hang, "http://", "https://", 1),
	} {
		t.Run(name, func(t *testing.T) {
			r := build(t, at(url, `timeout = "300ms"`), nil)
			_, err := tell(t, r, announce, requesttest.Pending())
			kind := outbound.Unclear // it may have arrived
			if name == "nobody listens" || name == "no TLS" {
				kind = outbound.Retry
			}
			if outbound.KindOf(err) != kind || err == nil || !outbound.Answered(err) || strings.Contains(err.Error(), url) {
				t.Errorf("got %v, of the kind %q", err, outbound.KindOf(err))
			}
		})
	}
}

func TestAnEndpointHearsOfWhatItWants(t *testing.T) {
	var types []string
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		var d document.Event
		_ = json.NewDecoder(r.Body).Decode(&d)
		types = append(types, strings.TrimPrefix(d.Type, document.Prefix))
	})
	r := build(t, at(url, `events = ["created", "denied"]`), nil)
	v := requesttest.ReviewedBy(requesttest.Pending(), "bob")
	for _, e := range []integration.Effect{announce, {Kind: integration.Review}, {Kind: integration.Review, Index: 7}} {
		if m, err := tell(t, r, e, v); err != nil || m.ID == "" {
			t.Errorf("%s: %v, %v", e, m, err)
		}
	}
	for _, s := range []request.Status{request.Approved, request.Denied, request.Expired} {
		v.Status = s
		if _, err := tell(t, r, integration.Outcome(integration.End, s), v); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(types, []string{"created", "denied"}) {
		t.Errorf("it heard of %q", types)
	}
	_, err := r.Tell(t.Context(), integration.Place{Address: "nowhere"}, announce, v)
	if _, found := r.Resolve(t.Context(), "nowhere"); outbound.KindOf(err) != outbound.Refused || outbound.ScopeOf(err) != outbound.ThePlace || found == nil {
		t.Errorf("an endpoint that does not exist: %v, %v", err, found)
	}
}

// A private authority is trusted for its own endpoint, and for no other.
func TestAnAuthorityIsThatOfOneEndpoint(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pemOf(s.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	r := build(t, at(s.URL, fmt.Sprintf("ca_file = %q", file))+strings.Replace(at(s.URL), "portal", "other", 1), nil)
	if _, err := tell(t, r, announce, requesttest.Pending()); err != nil {
		t.Error(err)
	}
	if err := r.Prove(t.Context(), "portal"); err != nil {
		t.Error(err)
	}
	_, err := r.Tell(t.Context(), integration.Place{Address: "other"}, announce, requesttest.Pending())
	if err == nil || !strings.Contains(err.Error(), "ca_file") {
		t.Errorf("the other endpoint: %v", err)
	}
}

// What is looked up for an event is looked up once for all endpoints, and does without
// what the role may not read.
func TestFacts(t *testing.T) {
	var asked atomic.Int32
	var body string
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { text, _ := io.ReadAll(r.Body); body = string(text) })
	r := build(t, at(url), func(d *plugin.Deps) {
		d.Traits = traitsOf(&asked, map[string][]string{"team": {"payments"}}, nil)
		d.Labels = labelsOf(nil, errDenied)
	})
	for range 3 {
		if _, err := tell(t, r, announce, requesttest.Pending()); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() != 1 || !strings.Contains(body, `"traits":{"team":["payments"]}`) || !strings.Contains(body, `"labels":null`) {
		t.Errorf("asked %d times, sent %s", asked.Load(), body)
	}
}

// A call that is only rehearsed is not made.
func TestRehearsal(t *testing.T) {
	for name, section := range map[string]string{
		"url": at("http://127.0.0.1:9"), "command": fmt.Sprintf("[endpoints.portal]\ncommand = [%q]\n", commandtest.Script(t, "echo made >&2; exit 1")),
	} {
		r := build(t, section, nil)
		ctx, held := outbound.Rehearse(t.Context())
		_, err := r.Tell(ctx, integration.Place{Address: "portal"}, announce, requesttest.Pending())
		if got := held(); err == nil || len(got) != 1 || !strings.Contains(string(got[0].Body), requesttest.Pending().ID) {
			t.Errorf("%s: held %v, %v", name, got, err)
		}
	}
}
