package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of the transport.
const (
	// ConnectionsPerHost is twice the calls that are made at once, so that those
	// which hang leave room for others.
	ConnectionsPerHost = 200
	// maxBody bounds what is read of an answer, in bytes.
	maxBody = 8 << 20
	// untoldWait is assumed when a service answers 429 without saying how long
	// to wait.
	untoldWait = 5 * time.Second
	// maxWait bounds a told waiting time, so that one broken answer cannot
	// silence a channel for a day.
	maxWait = 15 * time.Minute
)

// Observer is told about calls; metrics implement it.
type Observer interface {
	// Limited is told each waiting time that a rate limit imposes.
	Limited(op string, wait time.Duration)
}

// Options configure a Transport; the zero value is usable.
type Options struct {
	// UserAgent is sent with each call.
	UserAgent string
	// Observer may be nil.
	Observer Observer
	// Base carries out the calls; nil means a tuned http.Transport that follows
	// the proxy variables of the environment.
	Base http.RoundTripper
}

// Transport is an http.RoundTripper to be given to a vendor's library. It
// keeps the times that rate limits impose, per call and target, and answers
// calls that come too early itself. It never repeats a call.
type Transport struct {
	base      http.RoundTripper
	tuned     *http.Transport // the base, where it is our own
	trusted   *x509.CertPool  // nil stands for the system's
	userAgent string
	observer  Observer

	mu       sync.Mutex
	gates    map[gate]time.Time // not before
	siblings []*Transport
}

type gate struct{ op, target string }

// NewTransport returns a Transport.
func NewTransport(o Options) *Transport {
	t := &Transport{base: o.Base, userAgent: o.UserAgent, observer: o.Observer, gates: make(map[gate]time.Time)}
	if t.base == nil {
		t.tuned = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			ForceAttemptHTTP2:     true,
			MaxConnsPerHost:       ConnectionsPerHost,
			MaxIdleConnsPerHost:   ConnectionsPerHost,
			MaxIdleConns:          2 * ConnectionsPerHost,
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: time.Second,
			OnProxyConnectResponse: func(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
				return notThrough(proxy, answer.Status, answer.StatusCode)
			},
		}
		t.base = t.tuned
	}
	return t
}

// Trust makes further certificate authorities known, beside those of the system. It
// must come before the first call.
func (t *Transport) Trust(authorities []*x509.Certificate) error {
	if len(authorities) == 0 || t.tuned == nil {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return fmt.Errorf("reading the system's certificate authorities: %w", err)
	}
	for _, cert := range authorities {
		pool.AddCert(cert)
	}
	t.trusted = pool
	t.tuned.TLSClientConfig = t.TLS()
	return nil
}

// TLS is the config for connections to the service that are made past the transport;
// nil means the usual one.
func (t *Transport) TLS() *tls.Config {
	if t.trusted == nil {
		return nil
	}
	return &tls.Config{RootCAs: t.trusted, MinVersion: tls.VersionTLS12}
}

// Trusting returns a transport of its own that trusts further certificate authorities,
// for a service that is more than one server. It is closed with this one.
func (t *Transport) Trusting(authorities []*x509.Certificate) (*Transport, error) {
	s := NewTransport(Options{UserAgent: t.userAgent, Observer: t.observer})
	if err := s.Trust(authorities); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.siblings = append(t.siblings, s)
	return s, nil
}

// Client returns an http.Client on the transport. It follows no redirects: no
// service uses them, and a redirect could carry a token elsewhere.
func (t *Transport) Client() *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// CloseIdle closes connections that no call uses.
func (t *Transport) CloseIdle() {
	if b, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		b.CloseIdleConnections()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.siblings {
		s.CloseIdle()
	}
}

// Call is one call to a service while it is under way and after. The vendor's
// library gets the context, and its transport leaves the facts in the Call.
type Call struct {
	op, target string
	limit      time.Duration // what it may take; zero for no limit
	sent       atomic.Bool

	mu     sync.Mutex
	scheme string
	status int
	header http.Header
	early  time.Duration
}

type callKey struct{}

// Begin starts a call with the given name. Target narrows what a rate limit on
// it holds for (a channel's id, say); empty means that it holds for the op.
func Begin(ctx context.Context, op, target string) (context.Context, *Call) {
	c := &Call{op: op, target: target}
	if end, ok := ctx.Deadline(); ok {
		c.limit = time.Until(end).Round(100 * time.Millisecond)
	}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { c.sent.Store(true) },
	})
	return context.WithValue(ctx, callKey{}, c), c
}

type witnessKey struct{}

// Witness returns a context for calls, and a func that reports whether any of them
// was answered over the network so far.
func Witness(ctx context.Context) (context.Context, func() bool) {
	answered := new(atomic.Bool)
	return context.WithValue(ctx, witnessKey{}, answered), answered.Load
}

// Heard notes that a call under the context was answered over another way than HTTP,
// for the Witness.
func Heard(ctx context.Context) {
	if answered, ok := ctx.Value(witnessKey{}).(*atomic.Bool); ok {
		answered.Store(true)
	}
}

// RoundTrip carries out one HTTP request.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c, _ := req.Context().Value(callKey{}).(*Call)
	if c == nil {
		c = &Call{op: req.Method + " " + req.URL.Path}
	}
	if wait := t.gated(c); wait > 0 {
		c.set(0, nil, wait)
		if t.observer != nil {
			t.observer.Limited(c.op, wait)
		}
		closeBody(req)
		return nil, &Error{Kind: Wait, Op: c.op, After: wait, Err: errors.New("held back by the service's rate limit")}
	}
	if held, err := rehearsed(req); held {
		return nil, &Error{Kind: Retry, Op: c.op, Err: err}
	}
	if t.userAgent != "" {
		req = req.WithContext(req.Context()) // a copy: the caller's own may not be changed
		req.Header = req.Header.Clone()
		req.Header.Set("User-Agent", t.userAgent)
	}
	resp, err := t.base.RoundTrip(req)
	if err == nil {
		Heard(req.Context())
		status := resp.StatusCode
		c.set(status, resp.Header, 0)
		c.via(req.URL.Scheme)
		resp.Body = &boundedBody{body: resp.Body, left: maxBody}
		if status == http.StatusTooManyRequests {
			t.hold(c, retryAfter(resp.Header))
		}
	}
	return resp, err
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

func (t *Transport) gated(c *Call) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := time.Duration(0)
	for _, g := range []gate{{}, {c.op, ""}, {c.op, c.target}} {
		if until, ok := t.gates[g]; ok {
			wait = max(wait, time.Until(until))
		}
	}
	return wait
}

// hold keeps back further calls of the same kind.
func (t *Transport) hold(c *Call, wait time.Duration) {
	if wait == 0 {
		wait = untoldWait
	}
	t.holdFor(gate{c.op, c.target}, wait)
	if t.observer != nil {
		t.observer.Limited(c.op, wait)
	}
}

// HoldAll keeps back every call for a while: a service's global limit.
func (t *Transport) HoldAll(wait time.Duration) { t.holdFor(gate{}, wait) }

// Hold keeps back the calls of one op and target, where the service tells a
// waiting time in its own form.
func (t *Transport) Hold(op, target string, wait time.Duration) { t.holdFor(gate{op, target}, wait) }

func (t *Transport) holdFor(g gate, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(t.gates, func(_ gate, until time.Time) bool { return !until.After(now) })
	if until := now.Add(min(wait, maxWait)); until.After(t.gates[g]) {
		t.gates[g] = until
	}
}

// retryAfter reads the standard header, in (possibly broken) seconds or as a
// date, or else RateLimit-Reset (draft-ietf-httpapi-ratelimit-headers) in seconds.
// It is zero when neither tells anything, and never above maxWait.
func retryAfter(h http.Header) time.Duration {
	text := cmp.Or(h.Get("Retry-After"), h.Get("RateLimit-Reset"))
	if s, err := strconv.ParseFloat(text, 64); err == nil && s > 0 && s < maxWait.Seconds() {
		return time.Duration(s * float64(time.Second))
	} else if err == nil && s > 0 {
		return maxWait
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), maxWait)
	}
	return 0
}

func (c *Call) set(status int, h http.Header, early time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status, c.header, c.early = status, h, early
}

// via notes how the service was reached.
func (c *Call) via(scheme string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scheme = scheme
}

// Status is the HTTP status of the answer, or zero.
func (c *Call) Status() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Header returns the answer's header; never nil.
func (c *Call) Header() http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.header == nil {
		return http.Header{}
	}
	return c.header
}

// Fail sorts an error of the vendor's library by what the transport saw, as is
// right for a call with an effect whose answer does not have the vendor's own
// shape: it comes from a gateway, and tells nothing of what became of the call.
// The caller then changes kind and scope where the vendor has spoken, and makes
// Unclear a Retry where the call only reads. It returns nil for nil.
func (c *Call) Fail(err error) *Error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	scheme, status, header, early := c.scheme, c.status, c.header, c.early
	c.mu.Unlock()
	hint, sentence := InWords(err)
	if c.limit > 0 && errors.Is(err, context.DeadlineExceeded) {
		sentence = &told{fmt.Sprintf("no answer within %v", c.limit), err}
	}
	e := &Error{Op: c.op, Status: status, Err: sentence, Hint: cmp.Or(hint, plainHint(scheme, status))}
	switch {
	case early > 0:
		e.Kind, e.After = Wait, early
		e.Err = errors.New("held back by the service's rate limit")
	case status == 0 && !c.sent.Load():
		e.Kind = Retry
	case status == http.StatusTooManyRequests:
		e.Kind, e.After = Wait, cmp.Or(retryAfter(header), untoldWait)
	case status == http.StatusServiceUnavailable && retryAfter(header) > 0:
		e.Kind, e.After = Wait, retryAfter(header)
	default:
		e.Kind = Unclear
	}
	return e
}
