package outbound_test

import (
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"teleport-plugins/lib/outbound"
)

// A transport that trusts a further authority trusts it alone, and ends with the other.
func TestAFurtherAuthorityIsTrustedByOneTransport(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.UserAgent()) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	first := outbound.NewTransport(outbound.Options{UserAgent: "test/1"})
	t.Cleanup(first.CloseIdle) // those of both, or goroutines are left
	own, err := first.Trusting([]*x509.Certificate{s.Certificate()})
	if err != nil {
		t.Fatal(err)
	}
	get := func(tr *outbound.Transport) (string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		if err != nil {
			return "", err
		}
		resp, err := tr.Client().Do(req)
		if err != nil {
			return "", err
		}
		text, _ := io.ReadAll(resp.Body)
		return string(text), resp.Body.Close()
	}
	if got, err := get(own); err != nil || got != "test/1" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := get(first); err == nil {
		t.Error("the other transport trusts it too")
	}
}
