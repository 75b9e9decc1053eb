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
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

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

// dial is the error of a connection that is not made.
func dial(err error) error {
	return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, Err: err}
}

// The time that a call has is said.
func TestACallWithoutAnAnswer(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	defer server.Close()
	defer close(done)
	transport := outbound.NewTransport(outbound.Options{})
	defer transport.CloseIdle()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	ctx, call := outbound.Begin(ctx, "test.call", "")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = transport.Client().Do(req)
	if e := call.Fail(err); e == nil || e.Error() != "test.call: no answer within 100ms" || !errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("got %v", e)
	}
}

func TestWordsOfLibraries(t *testing.T) {
	const foreign = "the answer is not of the form that the service gives"
	other := errors.New("no such host")
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a deadline":      {fmt.Errorf("calling: %w", context.DeadlineExceeded), "no answer in time"},
		"a cut":           {io.ErrUnexpectedEOF, "the connection was closed before the whole answer was there"},
		"an end":          {&url.Error{Op: "Get", URL: "http://x?token=secret", Err: io.EOF}, "the connection was closed before the whole answer was there"},
		"a page":          {json.Unmarshal([]byte("<html>"), &struct{}{}), foreign},
		"another form":    {json.Unmarshal([]byte(`[]`), &struct{}{}), foreign},
		"an old CA":       {x509.CertificateInvalidError{Reason: x509.Expired}, "the server's certificate has expired or is not valid yet"},
		"a bad chain":     {x509.CertificateInvalidError{Reason: x509.TooManyIntermediates}, "the server's certificate cannot be verified: x509: too many intermediates for path length constraint"},
		"no name":         {dial(&net.DNSError{Err: "no such host", Name: "slow.example.com", IsNotFound: true}), "no address is known for the host slow.example.com"},
		"no name server":  {dial(&net.DNSError{Err: "server misbehaving", Name: "slow.example.com"}), "the address of the host slow.example.com could not be looked up"},
		"a closed port":   {dial(syscall.ECONNREFUSED), "nothing listens at 192.0.2.1:443 (connection refused)"},
		"a reset":         {dial(syscall.ECONNRESET), "the connection was broken off"},
		"a proxy away":    {&net.OpError{Op: "proxyconnect", Net: "tcp", Err: dial(syscall.ECONNREFUSED)}, "the proxy that the environment names cannot be reached: nothing listens at 192.0.2.1:443 (connection refused)"},
		"a slow greeting": {errors.New("net/http: TLS handshake timeout"), "the server did not answer the greeting of TLS in time"},
		"TLS for HTTP":    {errors.New("malformed HTTP response \"\\x15\\x03\""), "the server does not speak HTTP"},
		"the rest stays":  {&url.Error{Op: "Get", URL: "http://x?token=secret", Err: other}, "no such host"},
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
