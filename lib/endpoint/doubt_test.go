package endpoint

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/command/commandtest"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

// A gateway that says in JSON, or in plain words, that what is behind it did not answer in
// time does not know whether the document arrived; nor does anybody of a program that was
// ended while it worked. Both are in doubt, as a call is that was not answered: whoever may
// have been given the beginning is given the end.
func TestWhatMayHaveArrivedIsInDoubt(t *testing.T) {
	unsigned := func(config.SigningSecrets, http.Header, Document, time.Time) error { return nil }
	for status, body := range map[int]string{504: `{"message":"Endpoint request timed out"}`, 502: "upstream connect error or disconnect/reset before headers"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		defer s.Close()
		e, err := New("portal", Section{URL: s.URL, Timeout: config.Duration(time.Second)}, Options{Transport: outbound.NewTransport(outbound.Options{}), Sign: unsigned, MaxAnswer: 100})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Deliver(t.Context(), Document{ID: "1", Body: []byte("{}"), Log: zap.NewNop()}); outbound.KindOf(err) != outbound.Unclear {
			t.Errorf("%d: %v, of the kind %q", status, err, outbound.KindOf(err))
		}
	}
	trace := filepath.Join(t.TempDir(), "ticket")
	path := commandtest.Script(t, "cat >"+trace, "exec sleep 60")
	e, err := New("portal", Section{Command: []string{path}, Timeout: config.Duration(500 * time.Millisecond)}, Options{Transport: outbound.NewTransport(outbound.Options{}), MaxAnswer: 100})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Deliver(t.Context(), Document{ID: "1", Body: []byte("{}"), Log: zap.NewNop()})
	if made, _ := os.ReadFile(trace); outbound.KindOf(err) != outbound.Unclear {
		t.Errorf("the program has made %q: %v, of the kind %q", made, err, outbound.KindOf(err))
	}
}
