package teleport

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"github.com/gravitational/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What a proxy on the way answers, and what stands in its place. The commands are run
// with real ones in access/e2e.
func TestWhatIsWrongWithAProxy(t *testing.T) {
	proxy := &url.URL{Scheme: "http", Host: "proxy:3128", User: url.UserPassword("user", "secret")}
	for want, err := range map[string]error{
		`the proxy at proxy:3128, which HTTPS_PROXY names, does not connect to the Teleport cluster at a:1 \(407 Proxy Authentication Required\); write its user and password into the variable, as in http://user:password@proxy:3128`: trace.BadParameter("unable to proxy connection: 407 Proxy Authentication Required"),
		`the proxy at proxy:3128, which HTTPS_PROXY names, does not connect to the Teleport cluster at a:1 \(502 Bad Gateway\); let it connect there, or name the host in NO_PROXY`:                                                     trace.BadParameter("unable to proxy connection: 502 Bad Gateway"),
		"what answers at proxy:3128, which HTTPS_PROXY names, is not a proxy": errors.New("malformed HTTP response"),
	} {
		wantFault(t, proxyFault(DialOptions{Addr: "a:1"}, proxy, err), ErrUnreachable, want)
	}
}

// The words of the client library are not those of a person.
func TestWhatTheLibrarySaysIsSaidInWords(t *testing.T) {
	for want, err := range map[string]error{
		"reading: no answer in time":                         status.Error(codes.DeadlineExceeded, "context deadline exceeded while awaiting headers"),
		"reading: the connection to the cluster is broken":   status.Error(codes.Unavailable, `connection error: desc = "transport: Error while dialing: EOF"`),
		"reading: given up, since it is not needed any more": context.Canceled,
		"reading: the backend is full":                       status.Error(codes.Unavailable, "the backend is full"),
	} {
		if got := failed(err, "reading").Error(); got != want {
			t.Errorf("%v is said as %q, and not as %q", err, got, want)
		}
	}
	if err := failed(status.Error(codes.DeadlineExceeded, "context deadline exceeded"), "reading"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is no deadline", err)
	}
	if err := failed(status.Error(codes.Unavailable, "transport is closing"), "reading"); !isUnavailable(err) {
		t.Errorf("%v does not pass", err)
	}
}
