package outbound_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"teleport-plugins/lib/outbound"
)

// A rehearsal reads what there is, and makes no call that may change anything.
func TestARehearsalChangesNothing(t *testing.T) {
	var made []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { made = append(made, r.Method) }))
	defer server.Close()
	transport := outbound.NewTransport(outbound.Options{})
	defer transport.CloseIdle()
	ctx, held := outbound.Rehearse(t.Context())
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		req, err := http.NewRequestWithContext(ctx, method, server.URL+"/"+method, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/plain")
		resp, err := transport.Client().Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		if reads := method == http.MethodGet || method == http.MethodHead; reads != (err == nil) {
			t.Errorf("%s: %v", method, err)
		}
	}
	if got := strings.Join(made, " "); got != "GET HEAD" {
		t.Errorf("made %s", got)
	}
	if len(held()) != 4 {
		t.Fatalf("held %v", held())
	}
	if h := held()[0]; h.Method != http.MethodPost || h.Path != "/POST" || h.ContentType != "text/plain" || string(h.Body) != "body" {
		t.Errorf("held %+v", h)
	}
}
