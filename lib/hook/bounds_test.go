package hook_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"teleport-plugins/lib/hook"
)

// Whoever reaches the address may connect as often as they like, and send what they like.
// What that costs the plugin is bounded, and ends with the connections.
func TestConnectionsAreBounded(t *testing.T) {
	const most, all = 512, 600
	address := free(t)
	entered, answered := make(chan struct{}, all), make(chan error, all)
	var now, peak atomic.Int64
	serve(t, hook.Options{Endpoint: hook.Endpoint{Listen: address}, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
		}
		entered <- struct{}{}
		_, _ = io.ReadAll(r.Body)
	})})
	finish := make(chan struct{})
	for range all {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
		go func() {
			<-finish
			_, _ = io.WriteString(conn, "-done")
			_, err := io.ReadFull(conn, make([]byte, 8))
			answered <- err
		}()
	}
	for range most {
		<-entered
	}
	close(finish)
	for range all {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
	if got := peak.Load(); got != most {
		t.Errorf("%d calls were taken at once, want %d", got, most)
	}
}

// One connection of HTTP/2 would carry hundreds of calls at once, and one that is kept for
// further calls would take the room of others for nothing.
func TestAConnectionCarriesOneCall(t *testing.T) {
	address, dir := free(t), t.TempDir()
	issue(t, dir)
	serve(t, hook.Options{
		Endpoint: hook.Endpoint{Listen: address, CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}, Handler: saying("hello"),
	})
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}) //nolint:gosec // it is looked at
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
		t.Errorf("the protocol is %q", got)
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(answer), "hello") { // to its end
		t.Errorf("the answer is %q, %v", answer, err)
	}
}
