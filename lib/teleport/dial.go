package teleport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/breaker"
	"github.com/gravitational/teleport/api/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

const (
	// DefaultDialTimeout bounds one Dial when DialOptions.Timeout is zero.
	DefaultDialTimeout = 10 * time.Second
	// MaxMessageBytes caps one message from the cluster. The plugin data of all
	// requests comes as one message; gRPC's default of 4 MiB is a few thousand.
	MaxMessageBytes = 256 << 20
	// patience is how long Dial waits before it looks for the reason of a slow
	// connection. A connection to a healthy cluster is faster in most places,
	// so that the extra look is not made at all.
	patience = 250 * time.Millisecond
	// graceTime is how long the client library may go on trying after Dial has
	// found for sure why it cannot connect.
	graceTime = 2 * time.Second
)

// DialOptions say where to connect and as whom.
type DialOptions struct {
	// Addr is host:port of the Auth Service (3025) or of a Proxy (443, 3080). A
	// leading https:// is accepted, and then 443 is the default port.
	Addr string
	// Identity is what [Load] returned. An identity file reaches Auth Services
	// and Proxies, a key pair only Auth Services.
	Identity *Identity
	// Timeout bounds the whole dial; zero is [DefaultDialTimeout].
	Timeout time.Duration
	// InsecureDiscovery accepts any web certificate when asking a Proxy for its
	// addresses. The connection to the Auth Service is verified regardless.
	InsecureDiscovery bool
}

// Dial connects to the cluster and returns when the connection stands. The
// client's circuit breaker is off, because it would refuse calls for a minute
// after the cluster is back. Calls on the client are not retried.
//
// The connection heals by itself with the identity it was dialed with; dial
// again when [Watch] reports a new one. HTTPS_PROXY and NO_PROXY are honoured.
//
// An error is one sentence and matches [ErrExpired], [ErrNotYetValid],
// [ErrAddress], [ErrUnreachable], [ErrTimeout], [ErrUntrusted], [ErrRejected]
// or [ErrDenied], or [context.Canceled] when ctx was cancelled.
func Dial(ctx context.Context, o DialOptions) (*client.Client, error) {
	if o.Identity == nil {
		return nil, newFault(ErrMissing, nil, "no Teleport identity to connect with")
	}
	addr, err := hostPort(o.Addr)
	if err != nil {
		return nil, err
	}
	if err := o.Identity.validAt(time.Now()); err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultDialTimeout
	}
	if end, ok := ctx.Deadline(); ok {
		o.Timeout = max(0, min(o.Timeout, time.Until(end).Round(time.Millisecond)))
	}
	o.Addr = addr
	clt, err := connect(ctx, o)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return nil, fmt.Errorf("connecting to the Teleport cluster at %s: %w", o.Addr, ctx.Err())
	}
	return clt, err
}

// connect lets the client library try all its ways at once, and meanwhile finds
// out by itself why none may work: the library repeats a refused connection
// until the time is over and reports every way's failure.
func connect(parent context.Context, o DialOptions) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(parent, o.Timeout)
	defer cancel()
	hurry := make(chan struct{})
	found := make(chan finding, 1)
	go func() {
		f := examine(ctx, o, hurry)
		if f.sure {
			f.grace(ctx, hurry)
			cancel()
		}
		found <- f
	}()
	clt, err := client.New(ctx, clientConfig(o))
	if err == nil {
		cancel()
		<-found
		return clt, nil
	}
	close(hurry)
	return nil, verdict(<-found, condense(o.told(), err))
}

// finding is a reason why a connection fails; err is nil where none was found.
// A sure one holds for every way to reach the cluster.
type finding struct {
	err  error
	sure bool
}

// grace leaves the library's attempts a little time after a sure finding, in
// case one is about to prove it wrong. Without a TCP connection none can.
func (f finding) grace(ctx context.Context, hurry <-chan struct{}) {
	if errors.Is(f.err, ErrUnreachable) {
		return
	}
	wait := time.NewTimer(graceTime)
	defer wait.Stop()
	select {
	case <-ctx.Done():
	case <-hurry:
	case <-wait.C:
	}
}

// verdict picks the reason to tell: what was seen by hand, unless only the
// library's text is sure. A server that showed us no certificate in time is not one
// with a foreign certificate, whatever the library says of its other ways.
func verdict(seen, read finding) error {
	unseen := errors.Is(seen.err, ErrTimeout) && errors.Is(read.err, ErrUntrusted)
	if seen.err == nil || (read.sure && !seen.sure && !unseen) {
		return read.err
	}
	return seen.err
}

func clientConfig(o DialOptions) client.Config {
	return client.Config{
		Addrs:                    []string{o.Addr},
		Credentials:              []client.Credentials{o.Identity.creds},
		DialTimeout:              o.Timeout,
		CircuitBreakerConfig:     breaker.NoopBreakerConfig(),
		InsecureAddressDiscovery: o.InsecureDiscovery,
		// A ping each minute, and the connection is given up when one is not
		// answered within the next. Servers refuse more frequent pings.
		KeepAliveCount: 1,
		DialOpts: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessageBytes)),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff: backoff.Config{
					BaseDelay:  100 * time.Millisecond,
					Multiplier: 1.6,
					Jitter:     0.2,
					MaxDelay:   2 * time.Second,
				},
				MinConnectTimeout: o.Timeout,
			}),
		},
	}
}

// hostPort brings a configured address into the form host:port.
func hostPort(addr string) (string, error) {
	trimmed, https := strings.CutPrefix(strings.TrimSpace(addr), "https://")
	trimmed = strings.TrimSuffix(trimmed, "/")
	host, port, err := net.SplitHostPort(trimmed)
	switch {
	case err == nil && host != "" && isPort(port):
		return trimmed, nil
	case https && trimmed != "" && !strings.ContainsAny(trimmed, ":/"):
		return net.JoinHostPort(trimmed, "443"), nil
	}
	return "", newFault(ErrAddress, err,
		"the Teleport address %q is not host:port (an Auth Service listens on port 3025, a Proxy on 443 or 3080)", addr)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}
