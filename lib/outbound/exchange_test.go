package outbound_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"teleport-plugins/lib/outbound"
)

func TestAnExchangeInJSON(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, r.Method+" "+r.Header.Get("Content-Type")+" "+string(body))
	}))
	t.Cleanup(server.Close)
	transport := outbound.NewTransport(outbound.Options{})
	t.Cleanup(transport.CloseIdle)
	for want, body := range map[string]any{`POST application/json {"a":1}`: map[string]int{"a": 1}, "POST  ": nil} {
		req, err := outbound.JSON(t.Context(), http.MethodPost, server.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		status, answer, err := outbound.Exchange(transport.Client(), req)
		if status != http.StatusAccepted || string(answer) != want || err != nil {
			t.Errorf("answered %d %q, %v, want %q", status, answer, err, want)
		}
	}
	for address, body := range map[string]any{server.URL: func() {}, ":": nil} {
		if _, err := outbound.JSON(t.Context(), http.MethodPost, address, body); err == nil {
			t.Errorf("%v is called at %q", body, address)
		}
	}
	server.Close()
	req, _ := outbound.JSON(t.Context(), http.MethodGet, server.URL, nil)
	if _, _, err := outbound.Exchange(transport.Client(), req); err == nil {
		t.Error("nobody answers, and it is no error")
	}
}
