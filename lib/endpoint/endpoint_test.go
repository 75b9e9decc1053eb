package endpoint

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"teleport-plugins/lib/command/commandtest"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// made makes an endpoint.
func made(t *testing.T, s Section) *Endpoint {
	t.Helper()
	if s.Timeout == 0 {
		s.Timeout = config.Duration(time.Minute)
	}
	transport := outbound.NewTransport(outbound.Options{UserAgent: "test"})
	t.Cleanup(transport.CloseIdle)
	e, err := New("portal", s, Options{Transport: transport, Sign: sign, MaxAnswer: maxAnswer})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// maxAnswer bounds answers.
const maxAnswer = 64 << 10

// sign stands for a signature.
func sign(secrets config.SigningSecrets, h http.Header, d Document, _ time.Time) error {
	texts, err := secrets.Read()
	h.Set("Signature", fmt.Sprintf("%s %d", d.ID, len(texts)))
	return err
}

// secrets reads secrets as they stand in a config.
func secrets(t *testing.T, raw any) (s config.SigningSecrets) {
	t.Helper()
	if err := s.UnmarshalTOML(raw); err != nil {
		t.Fatal(err)
	}
	return s
}

func document() Document {
	return Document{ID: "evt_1", Body: []byte(`{"a":1}`), Environment: []string{"CLUSTER=example"}, Log: zap.NewNop()}
}

func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

func TestAnAddressIsGivenTheDocument(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"a":1}` || r.Method != http.MethodPost || r.Header.Get("Signature") != "evt_1 1" || r.Header.Get("X-Key") != "hunter2" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("it got %s, %v", body, r.Header)
		}
		_, _ = io.WriteString(w, " the answer ")
	})
	e := made(t, Section{URL: url, Secret: secrets(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Headers: map[string]config.Secret{"X-Key": config.NewSecret("hunter2")}})
	answer, err := e.Deliver(t.Context(), document())
	if err != nil || string(answer) != " the answer " {
		t.Errorf("got %q, %v", answer, err)
	}
	var shown bytes.Buffer
	e.Show(&shown, document())
	for _, want := range []string{"POST to the url of portal\n", "X-Key: (from the config)", "Signature: evt_1 1", "\n{\"a\":1}\n"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, &shown)
		}
	}
	if strings.Contains(shown.String(), "hunter2") || strings.Contains(shown.String(), url) {
		t.Errorf("a secret is shown:\n%s", &shown)
	}
}

func TestAProgramIsGivenTheDocument(t *testing.T) {
	path := commandtest.Script(t, `echo "$1 $CLUSTER"; cat`)
	e := made(t, Section{Command: []string{path, "--fast"}})
	answer, err := e.Deliver(t.Context(), document())
	if err != nil || string(answer) != "--fast example\n{\"a\":1}" {
		t.Errorf("got %q, %v", answer, err)
	}
	var shown bytes.Buffer
	if e.Show(&shown, document()); !strings.HasPrefix(shown.String(), `Run ["`+path) || !strings.HasSuffix(shown.String(), "{\"a\":1}\n") {
		t.Errorf("shown:\n%s", &shown)
	}
	if err := e.Prove(t.Context()); err != nil {
		t.Error(err)
	}
	if err := made(t, Section{Command: []string{"/nowhere/program"}}).Prove(t.Context()); err == nil {
		t.Error("a program is there that is not")
	}
}

// An answer that is too long arrives as such, and is not read to its end.
func TestALongAnswer(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20)) })
	if answer, err := made(t, Section{URL: url}).Deliver(t.Context(), document()); err != nil || len(answer) != maxAnswer+1 {
		t.Errorf("got %d bytes, %v", len(answer), err)
	}
}

func TestFailuresNameTheEndpoint(t *testing.T) {
	hang := serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() })
	gone := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	busy := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	for name, tc := range map[string]struct {
		section Section
		kind    outbound.Kind
		scope   outbound.Scope
	}{
		"hangs":          {Section{URL: hang, Timeout: config.Duration(100 * time.Millisecond)}, outbound.Unclear, outbound.OneCall},
		"gone":           {Section{URL: gone}, outbound.Refused, outbound.ThePlace},
		"busy":           {Section{URL: busy}, outbound.Wait, outbound.ThePlace},
		"nobody listens": {Section{URL: "http://127.0.0.1:9"}, outbound.Retry, outbound.OneCall},
		"no address":     {Section{URL: "http://a b"}, outbound.Refused, outbound.OneCall},
		"no secret":      {Section{URL: hang, Secret: secrets(t, "/nowhere/secret")}, outbound.Retry, outbound.OneCall},
		"no header":      {Section{URL: hang, Headers: map[string]config.Secret{"X-Key": config.NewSecret("env:NOWHERE_AT_ALL")}}, outbound.Retry, outbound.OneCall},
		"no program":     {Section{Command: []string{"/nowhere/program"}}, outbound.Retry, outbound.OneCall},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := made(t, tc.section).Deliver(t.Context(), document())
			if err == nil || outbound.KindOf(err) != tc.kind || outbound.ScopeOf(err) != tc.scope || !outbound.Answered(err) || !strings.HasPrefix(err.Error(), "deliver to portal: ") {
				t.Errorf("got %v, of the kind %q and the scope %v", err, outbound.KindOf(err), outbound.ScopeOf(err))
			}
		})
	}
}

func TestProve(t *testing.T) {
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			t.Errorf("it was called by %s", r.Method)
		}
	})
	if err := made(t, Section{URL: url}).Prove(t.Context()); err != nil {
		t.Error(err)
	}
	for _, url := range []string{"http://127.0.0.1:9", "http://a b"} {
		if made(t, Section{URL: url}).Prove(t.Context()) == nil {
			t.Errorf("%s is there", url)
		}
	}
}

// A call that is only rehearsed is not made.
func TestRehearsal(t *testing.T) {
	for name, s := range map[string]Section{"url": {URL: "http://127.0.0.1:9"}, "command": {Command: []string{"/nowhere/program"}}} {
		ctx, held := outbound.Rehearse(t.Context())
		_, err := made(t, s).Deliver(ctx, document())
		if got := held(); err == nil || len(got) != 1 || string(got[0].Body) != `{"a":1}` || got[0].ContentType != "application/json" {
			t.Errorf("%s: held %v, %v", name, got, err)
		}
	}
}
