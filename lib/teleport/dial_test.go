package teleport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/constants"
)

// listen serves connections on a loopback port until the test ends.
func listen(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				served := make(chan struct{})
				wg.Go(func() {
					select {
					case <-stop:
					case <-served:
					}
					conn.Close()
				})
				serve(conn)
				close(served)
			})
		}
	})
	t.Cleanup(func() { l.Close(); close(stop); wg.Wait() })
	return l.Addr().String()
}

// speaksTLS shakes hands and then answers nothing.
func speaksTLS(cfg *tls.Config) func(net.Conn) {
	return func(c net.Conn) {
		session := tls.Server(c, cfg)
		if session.Handshake() == nil {
			io.Copy(io.Discard, session)
		}
	}
}

// loadFresh returns an identity of ca in a file of the test.
func loadFresh(t *testing.T, ca *pki) *Identity {
	t.Helper()
	return must(Load(Credentials{Identity: put(t, filepath.Join(t.TempDir(), "identity"), ca.fresh(time.Hour))}))(t)
}

func TestDialSaysInOneSentenceWhatIsWrong(t *testing.T) {
	ours, other := newPKI(t, "example.com"), newPKI(t, "other.com")
	foreignClients := ours.server(constants.APIDomain)
	foreignClients.ClientCAs = other.server().ClientCAs
	ahead := ours.server(constants.APIDomain)
	ahead.Time = func() time.Time { return time.Now().Add(2 * time.Hour) }
	const closed = "127.0.0.1:1" // a port that no other program is given by chance

	// Where the reason is found, the dial ends long before its time.
	const long, slow, short = time.Minute, 2 * time.Second, time.Second
	cases := []struct {
		name    string
		timeout time.Duration
		addr    string
		kind    error
		want    string
	}{
		{"nobody listens", long, closed, ErrUnreachable, "the Teleport cluster at ADDR is unreachable: connection refused"},
		{
			"silence", short, listen(t, func(c net.Conn) { io.Copy(io.Discard, c) }), ErrTimeout,
			"the Teleport cluster at ADDR did not answer within 1s",
		},
		{"hangs up", slow, listen(t, func(net.Conn) {}), ErrUnreachable, "the Teleport cluster at ADDR is unreachable: it closes the connection at once"},
		{"a web server", slow, listen(t, func(c net.Conn) {
			fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}), ErrUnreachable, "ADDR does not answer as a Teleport Auth Service or Proxy does: it speaks plain HTTP, without TLS"},
		{
			"another cluster or a rotated authority", long, listen(t, speaksTLS(other.server(constants.APIDomain))), ErrUntrusted,
			`the server certificate at ADDR is not signed by an authority in FILE \(cluster "example.com"\): it is another cluster, or its certificate authority was rotated; issue a new identity`,
		},
		{
			"a web site's certificate", slow, listen(t, speaksTLS(other.server("www.example.com"))), ErrUnreachable,
			"ADDR does not answer as a Teleport Auth Service or Proxy does: it is another server",
		},
		{
			"our certificate is foreign to it", long, listen(t, speaksTLS(foreignClients)), ErrRejected,
			`the cluster at ADDR rejects the identity in FILE \(tls: unknown certificate authority\): .*; issue a new identity`,
		},
		{
			"our certificate is over by its clock", long, listen(t, speaksTLS(ahead)), ErrExpired,
			`the cluster at ADDR says that the identity in FILE has expired, which by our clock it has not until .*Z: check the clocks of both machines`,
		},
		{
			"a server certificate that is over", long, listen(t, speaksTLS(ours.serverUntil(time.Now().Add(-time.Hour), constants.APIDomain))), ErrUntrusted,
			"the server certificate at ADDR is valid from .*Z to .*Z, which by our clock is not now: check the clocks of both machines",
		},
		{
			"no port", long, "teleport.example.com", ErrAddress,
			`the Teleport address "teleport.example.com" is not host:port \(an Auth Service listens on port 3025, a Proxy on 443 or 3080\)`,
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			id := loadFresh(t, ours)
			_, err := Dial(t.Context(), DialOptions{Addr: tc.addr, Identity: id, Timeout: tc.timeout})
			want := strings.NewReplacer("ADDR", regexp.QuoteMeta(tc.addr), "FILE", regexp.QuoteMeta(id.Source().Identity)).Replace(tc.want)
			wantFault(t, err, tc.kind, want)
		})
	}
}

func TestDialRefusesAnIdentityThatIsOver(t *testing.T) {
	ca := newPKI(t, "example.com")
	path := put(t, filepath.Join(t.TempDir(), "identity"), ca.encode(ca.issue(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))))
	c := Credentials{Identity: path}
	id := must(parse(c, must(c.read())(t)))(t)
	_, err := Dial(t.Context(), DialOptions{Addr: "127.0.0.1:1", Identity: id})
	wantFault(t, err, ErrExpired, "the identity in .* expired at .*; issue a new one with .*")
}

func TestDialNeedsAnIdentity(t *testing.T) {
	_, err := Dial(t.Context(), DialOptions{Addr: "127.0.0.1:1"})
	wantFault(t, err, ErrMissing, "no Teleport identity to connect with")
}

func TestDialEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr := listen(t, func(c net.Conn) {
		cancel() // the dial has begun
		io.Copy(io.Discard, c)
	})
	_, err := Dial(ctx, DialOptions{Addr: addr, Identity: loadFresh(t, newPKI(t, "example.com")), Timeout: time.Minute})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestHostPort(t *testing.T) {
	for in, want := range map[string]string{
		"auth.example.com:3025":         "auth.example.com:3025",
		" auth.example.com:3025 ":       "auth.example.com:3025",
		"https://example.com":           "example.com:443",
		"https://example.com/":          "example.com:443",
		"https://example.com:3080/":     "example.com:3080",
		"[::1]:3025":                    "[::1]:3025",
		"":                              "",
		":3025":                         "",
		"example.com:":                  "",
		"https://":                      "",
		"https://example.com/some/path": "",
		"http://example.com":            "",
	} {
		got, err := hostPort(in)
		if got != want || (want == "") != errors.Is(err, ErrAddress) {
			t.Errorf("hostPort(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestUnreachableNamesTheNetworkFault(t *testing.T) {
	op := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for want, err := range map[string]error{
		"the Teleport cluster at a:1 is unreachable: no address is known for host a":  op(&net.DNSError{Err: "no such host", Name: "a", IsNotFound: true}),
		"the Teleport cluster at a:1 is unreachable: connection refused":              op(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
		"the Teleport cluster at a:1 is unreachable: connect: network is unreachable": op(os.NewSyscallError("connect", syscall.ENETUNREACH)),
	} {
		wantFault(t, unreachable(DialOptions{Addr: "a:1"}, err), ErrUnreachable, want)
	}
}

// What was seen by hand and what the library says are weighed.
func TestWhichReasonIsTold(t *testing.T) {
	timeout, untrusted := newFault(ErrTimeout, nil, "slow"), newFault(ErrUntrusted, nil, "foreign")
	denied, closed := newFault(ErrDenied, nil, "denied"), newFault(ErrUnreachable, nil, "closed")
	for name, tc := range map[string]struct {
		seen, read finding
		want       error
	}{
		"nothing was seen":                      {finding{}, finding{untrusted, true}, ErrUntrusted},
		"both are sure":                         {finding{untrusted, true}, finding{denied, true}, ErrUntrusted},
		"only the library is sure":              {finding{closed, false}, finding{denied, true}, ErrDenied},
		"neither is sure":                       {finding{closed, false}, finding{timeout, false}, ErrUnreachable},
		"no certificate in time, and denied":    {finding{timeout, false}, finding{denied, true}, ErrDenied},
		"no certificate in time, and a foreign": {finding{timeout, false}, finding{untrusted, true}, ErrTimeout},
	} {
		if got := verdict(tc.seen, tc.read); !errors.Is(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// What comes from the ways through a Proxy is known by its text alone.
func TestCondenseKnowsTheProxysFailures(t *testing.T) {
	id := loadFresh(t, newPKI(t, "example.com"))
	for text, kind := range map[string]error{
		"ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey]": ErrRejected,
		"remote error: tls: expired certificate":                                                 ErrExpired,
		"rpc error: code = PermissionDenied desc = access denied":                                ErrDenied,
		"ssh: handshake failed: ssh: no authorities for hostname: proxy":                         ErrUntrusted,
		"x509: certificate signed by unknown authority":                                          ErrUntrusted,
		"proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused":                  ErrUnreachable,
		"context deadline exceeded":                                                              ErrTimeout,
		"something nobody has seen":                                                              ErrUnreachable,
	} {
		err := condense(DialOptions{Addr: "a:1", Identity: id, Timeout: time.Second}, errors.New("all connection methods failed\n\t"+text+"\n")).err
		wantFault(t, err, kind, ".+")
		if strings.Contains(err.Error(), "methods failed") {
			t.Errorf("the aggregate shows: %s", err)
		}
	}
}
