package hook_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"teleport-plugins/lib/hook"
)

// Whoever reaches the address may connect as often as they like, and send what they like.
// What that costs the plugin is bounded, and ends with the connections.
func TestConnectionsAreBounded(t *testing.T) {
	const most = 512
	address := free(t)
	entered := make(chan struct{}, most+1)
	serve(t, hook.Options{Endpoint: hook.Endpoint{Listen: address}, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		_, _ = io.ReadAll(r.Body)
	})})
	open := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
		return conn
	}
	var conns []net.Conn
	for range most {
		conns = append(conns, open())
	}
	for range most {
		<-entered
	}
	beyond := open()
	if answer, _ := io.ReadAll(beyond); len(answer) != 0 {
		t.Errorf("one connection too many is answered %q", answer)
	}
	if len(entered) != 0 {
		t.Fatal("one connection too many is served")
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	for { // the server may learn of it a moment later
		conn := open()
		if _, err := io.WriteString(conn, "-done"); err != nil {
			continue
		}
		if answer := make([]byte, 8); readsOK(conn, answer) {
			return
		}
	}
}

// readsOK reports whether an answer begins.
func readsOK(conn net.Conn, answer []byte) bool {
	_, err := io.ReadFull(conn, answer)
	return err == nil && string(answer) == "HTTP/1.1"
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
