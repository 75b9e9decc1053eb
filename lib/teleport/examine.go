package teleport

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gravitational/teleport/api/client/webclient"
	"github.com/gravitational/teleport/api/constants"
	"golang.org/x/net/http2"
)

// examine connects by hand and names the reason why the client library cannot.
// It starts when the library has not succeeded for a while, or at once when
// hurry is closed.
func examine(ctx context.Context, o DialOptions, hurry <-chan struct{}) finding {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case <-ctx.Done():
	case <-wait.C:
	case <-hurry:
	}
	if ctx.Err() != nil {
		return finding{}
	}
	conn, err := o.reach(ctx)
	if err != nil {
		return finding{err, true}
	}
	if conn == nil { // called off
		return finding{}
	}
	o = o.told()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	defer conn.Close()
	return handshake(ctx, conn, o)
}

// unreachable describes a failed TCP connection; nil when it was called off.
func unreachable(o DialOptions, err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return timedOut(o, err)
	case errors.Is(err, context.Canceled):
		return nil
	}
	return newFault(ErrUnreachable, err, "the Teleport cluster at %s is unreachable: %s", o.Addr, whyNoConnection(err))
}

// whyNoConnection says why there is no TCP connection.
func whyNoConnection(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return "no address is known for host " + dns.Name
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}

func timedOut(o DialOptions, err error) error {
	return newFault(ErrTimeout, err, "the Teleport cluster at %s did not answer within %s", o.Addr, o.Timeout)
}

// handshake speaks TLS with the identity, as to an Auth Service. A Proxy's web
// certificate proves nothing, since other ways lead through a Proxy.
func handshake(ctx context.Context, conn net.Conn, o DialOptions) finding {
	cfg, err := o.Identity.creds.TLSConfig()
	if err != nil {
		return finding{newFault(ErrMalformed, err, "the identity in %s cannot be used", o.Identity.files.certFile()), true}
	}
	cfg = cfg.Clone()
	cfg.ServerName = constants.APIDomain
	cfg.NextProtos = []string{http2.NextProtoTLS}
	session := tls.Client(conn, cfg)
	if err := session.HandshakeContext(ctx); err != nil {
		return handshakeFault(ctx, o, err)
	}
	// In TLS 1.3 the server judges our certificate after our side is done: its
	// verdict is the first thing to read. One that accepts us speaks HTTP/2.
	_, err = io.ReadFull(session, make([]byte, 1))
	return handshakeFault(ctx, o, err)
}

// handshakeFault names the verdicts that hold for every way: the server is an
// Auth Service with a foreign certificate, or it refused ours. A server that
// speaks SSH may still be a Proxy.
func handshakeFault(ctx context.Context, o DialOptions, err error) finding {
	var foreign *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &foreign):
		return certFault(ctx, o, foreign)
	case errors.As(err, &record) && strings.HasPrefix(string(record.RecordHeader[:]), "HTTP"):
		return finding{newFault(ErrUnreachable, err, "%s does not answer as a Teleport Auth Service or Proxy does: it speaks plain HTTP, without TLS", o.Addr), true}
	case errors.As(err, &record):
		return finding{newFault(ErrUnreachable, err, "%s does not answer as a Teleport Auth Service or Proxy does: it does not speak TLS", o.Addr), !strings.HasPrefix(string(record.RecordHeader[:]), "SSH-")}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return finding{timedOut(o, err), false}
	case err != nil && strings.Contains(err.Error(), "no application protocol"):
		return webFault(ctx, o) // it speaks no HTTP/2
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return finding{newFault(ErrUnreachable, err, "the Teleport cluster at %s is unreachable: it closes the connection at once", o.Addr), false}
	}
	err = alertFault(o, err)
	return finding{err, err != nil}
}

// certFault judges a server certificate that does not verify. One that is not
// for Teleport's inner name is a Proxy's web certificate, or a foreign server's.
func certFault(ctx context.Context, o DialOptions, bad *tls.CertificateVerificationError) finding {
	leaf := bad.UnverifiedCertificates[0]
	if leaf.VerifyHostname(constants.APIDomain) != nil {
		return webFault(ctx, o)
	}
	if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return finding{newFault(ErrUntrusted, bad, "the server certificate at %s is valid from %s to %s, which by our clock is not now: check the clocks of both machines",
			o.Addr, stamp(leaf.NotBefore), stamp(leaf.NotAfter)), true}
	}
	return finding{untrusted(o, bad, "is not signed by an authority in"), true}
}

// webFault asks a web server whether it is a Proxy, as the client library does. Its
// certificate does not matter, since nothing secret is sent.
func webFault(ctx context.Context, o DialOptions) finding {
	_, err := webclient.Find(&webclient.Config{Context: ctx, ProxyAddr: o.addr(), Insecure: true, Timeout: o.Timeout})
	if err == nil || ctx.Err() != nil {
		return finding{}
	}
	return finding{newFault(ErrUnreachable, err, "%s does not answer as a Teleport Auth Service or Proxy does: it is another server", o.Addr), true}
}

func untrusted(o DialOptions, err error, relation string) error {
	return newFault(ErrUntrusted, err,
		"the server certificate at %s %s %s (cluster %q): it is another cluster, or its certificate authority was rotated; issue a new identity",
		o.Addr, relation, o.Identity.files.certFile(), o.Identity.Cluster)
}

// alertFault reads a TLS alert about our certificate. crypto/tls exports no
// type for an alert received over TCP, so its text is all there is.
func alertFault(o DialOptions, err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return nil
	}
	file := o.Identity.files.certFile()
	switch text := op.Err.Error(); {
	case strings.Contains(text, "expired certificate"):
		return newFault(ErrExpired, err,
			"the cluster at %s says that the identity in %s has expired, which by our clock it has not until %s: check the clocks of both machines",
			o.Addr, file, stamp(o.Identity.NotAfter))
	case strings.Contains(text, "certificate"):
		return newFault(ErrRejected, err,
			"the cluster at %s rejects the identity in %s (%s): another cluster issued it, or the certificate authority was rotated; issue a new identity",
			o.Addr, file, text)
	}
	return nil
}

// condense turns the library's aggregate into one sentence, where looking by
// hand found nothing: the way leads through a Proxy, or time ran out.
func condense(o DialOptions, err error) finding {
	text := err.Error()
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
	}
	if locked := lockedFault(err); locked != nil {
		return finding{locked, true}
	}
	file := o.Identity.files.certFile()
	switch {
	case has("unable to authenticate", "unknown certificate authority", "remote error: tls: bad certificate"):
		err = newFault(ErrRejected, err,
			"the cluster behind %s rejects the identity in %s: another cluster issued it, or the certificate authority was rotated; issue a new identity", o.Addr, file)
	case has("expired certificate"):
		err = newFault(ErrExpired, err, "the cluster behind %s says that the identity in %s has expired: check the clocks of both machines", o.Addr, file)
	case has("access denied", "PermissionDenied"):
		err = newFault(ErrDenied, err, "the cluster at %s denies access to user %q of the identity in %s", o.Addr, o.Identity.User, file)
	case has("signed by unknown authority", "no authorities", "failed to verify certificate"):
		err = untrusted(o, err, "is not vouched for by")
	case has("connection refused", "no such host", "no route to host", "network is unreachable"):
		err = newFault(ErrUnreachable, err, "the Teleport cluster at %s is unreachable", o.Addr)
	case has("deadline exceeded", "i/o timeout", "context canceled"):
		return finding{timedOut(o, err), false}
	default:
		return finding{newFault(ErrUnreachable, err, "%s does not answer as a Teleport Auth Service or Proxy does", o.Addr), false}
	}
	return finding{err, true}
}
