package outbound_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"teleport-plugins/lib/outbound"
)

// calls makes one call and returns what failed.
func calls(t *testing.T, transport *outbound.Transport, address string) *outbound.Error {
	t.Helper()
	ctx, call := outbound.Begin(t.Context(), "test.call", "")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.Client().Do(req)
	if err == nil {
		_ = resp.Body.Close()
		if resp.StatusCode < 300 {
			return nil
		}
		err = errors.New("not what was asked for")
	}
	return call.Fail(err)
}

// quiet is a server without a log.
func quiet(t *testing.T, start func(*httptest.Server)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	start(s)
	t.Cleanup(s.Close)
	return s
}

// A private authority: unknown, with the way out, until it is named.
func TestAPrivateAuthority(t *testing.T) {
	server := quiet(t, (*httptest.Server).StartTLS)
	transport := outbound.NewTransport(outbound.Options{})
	defer transport.CloseIdle()
	err := calls(t, transport, server.URL)
	want := "test.call: the server's certificate is signed by an authority that is not known here; " +
		"name the file with the certificates of the authority in the key ca_file of the service's section (or in SSL_CERT_FILE or SSL_CERT_DIR)"
	if err == nil || err.Error() != want || err.Kind != outbound.Retry {
		t.Fatalf("got %v, want %s", err, want)
	}
	trusting := outbound.NewTransport(outbound.Options{})
	defer trusting.CloseIdle()
	if err := trusting.Trust([]*x509.Certificate{server.Certificate()}); err != nil {
		t.Fatal(err)
	}
	if err := calls(t, trusting, server.URL); err != nil {
		t.Errorf("with its authority: %v", err)
	}
	// Connections past the transport trust the same.
	conn, dialErr := tls.Dial("tcp", server.Listener.Addr().String(), trusting.TLS())
	if dialErr != nil {
		t.Fatal(dialErr)
	}
	_ = conn.Close()
	if transport.TLS() != nil {
		t.Error("without authorities of its own a transport has a config")
	}
	err = calls(t, trusting, strings.Replace(server.URL, "127.0.0.1", "localhost", 1))
	if want := "test.call: the server's certificate is for another name; see that the address in the config has the name of the server's certificate"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestHTTPForHTTPSAndBack(t *testing.T) {
	transport := outbound.NewTransport(outbound.Options{})
	defer transport.CloseIdle()
	plain, secure := quiet(t, (*httptest.Server).Start), quiet(t, (*httptest.Server).StartTLS)
	for address, want := range map[string]string{
		strings.Replace(plain.URL, "http:", "https:", 1):  "test.call: the server does not speak TLS; write http:// in place of https:// in the config if that is right, or the address of a server that does",
		strings.Replace(secure.URL, "https:", "http:", 1): "test.call: not what was asked for (HTTP status 400); write https:// in place of http:// in the config if the server speaks TLS",
	} {
		if err := calls(t, transport, address); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestWordsOfLibraries(t *testing.T) {
	const foreign = "the answer is not of the form that the service gives"
	other := errors.New("no such host")
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a deadline":     {fmt.Errorf("calling: %w", context.DeadlineExceeded), "no answer in time"},
		"a cut":          {io.ErrUnexpectedEOF, "the connection was closed before the whole answer was there"},
		"an end":         {&url.Error{Op: "Get", URL: "http://x?token=secret", Err: io.EOF}, "the connection was closed before the whole answer was there"},
		"a page":         {json.Unmarshal([]byte("<html>"), &struct{}{}), foreign},
		"another form":   {json.Unmarshal([]byte(`[]`), &struct{}{}), foreign},
		"an old CA":      {x509.CertificateInvalidError{Reason: x509.Expired}, "the server's certificate has expired or is not valid yet"},
		"a bad chain":    {x509.CertificateInvalidError{Reason: x509.TooManyIntermediates}, "the server's certificate cannot be verified: x509: too many intermediates for path length constraint"},
		"the rest stays": {&url.Error{Op: "Get", URL: "http://x?token=secret", Err: other}, "no such host"},
	} {
		t.Run(name, func(t *testing.T) {
			_, got := outbound.InWords(c.err)
			if got == nil || got.Error() != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
			var u *url.Error
			if cause := c.err; !errors.As(cause, &u) && !errors.Is(got, cause) && errors.Unwrap(got) == nil {
				t.Error("the cause is lost")
			}
		})
	}
	if hint, got := outbound.InWords(nil); got != nil || hint != "" {
		t.Errorf("got %v, %q", got, hint)
	}
}
