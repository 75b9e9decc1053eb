// Package hook serves the address at which a service delivers over HTTP what people
// press.
package hook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"

	"teleport-plugins/lib/config"
)

// Endpoint is where to serve, by the keys of the section [review].
type Endpoint struct {
	Listen string `toml:"listen" doc:"host:port at which the service delivers what people press"`
	// CertFile and KeyFile are read again for every connection.
	CertFile string `toml:"listen_cert" doc:"path of the certificate at listen; without one a proxy before it must speak TLS"`
	KeyFile  string `toml:"listen_key" doc:"path of the private key of listen_cert"`
}

// Check checks the keys, where the service is to deliver.
func (e Endpoint) Check(f *config.Faults) {
	if _, _, err := net.SplitHostPort(e.Listen); err != nil {
		f.Add("listen", "this is not host:port", `write for example "0.0.0.0:3000"`)
	}
	if (e.CertFile == "") != (e.KeyFile == "") {
		f.Add("listen_cert", "listen_cert and listen_key go together", "set both or none")
	}
}

// Options say where to serve, and what.
type Options struct {
	Endpoint
	// Shared lets other processes of the same user that share the address listen there
	// too, where the system knows how: each connection then reaches one of them.
	Shared  bool
	Handler http.Handler
	Log     *zap.Logger
	// Callers hears when calls begin and cease to be taken; it may be nil.
	Callers *Callers
	// Ready is called once calls are taken.
	Ready func()
}

// The times of a call. A press may be decided before it is answered, for which a desk
// has eight seconds, and the person be told in another way, for which there are five.
const (
	readTime   = 10 * time.Second
	answerTime = 15 * time.Second
	// closeTime is how long calls under way may take at the end, for all of which the
	// program has fifteen seconds.
	closeTime = 14 * time.Second
)

// maxConns is how many connections are taken at once: each holds what its caller has sent
// so far, and anybody who reaches the address may open some. Further ones wait.
const maxConns = 512

// Serve takes calls until ctx ends, and returns once those under way are answered. The
// error says what a person must correct.
func Serve(ctx context.Context, o Options) error {
	server := &http.Server{
		Handler: o.Handler, ReadHeaderTimeout: readTime / 2, ReadTimeout: readTime,
		WriteTimeout: readTime + answerTime, MaxHeaderBytes: 16 << 10,
		ErrorLog:  zap.NewStdLog(zap.NewNop()), // strangers may fail in any way
		Protocols: new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)    // with HTTP/2 one connection carries hundreds of calls
	server.SetKeepAlivesEnabled(false) // presses are rare, and strangers hold no connection for long
	serve := server.Serve
	if o.CertFile != "" {
		held := &certificate{Options: o}
		if _, err := held.read(nil); err != nil {
			return err
		}
		server.TLSConfig = &tls.Config{GetCertificate: held.read, MinVersion: tls.VersionTLS12}
		serve = func(socket net.Listener) error { return server.ServeTLS(socket, "", "") }
	}
	var with net.ListenConfig
	if o.Shared {
		with.Control = share
	}
	socket, err := with.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("listening at review.listen: %w", err)
	}
	defer server.Close() //nolint:errcheck // it has ended
	o.Callers.awaited()
	defer o.Callers.note("")
	o.Ready()
	stopped := make(chan error, 1)
	go func() { stopped <- serve(netutil.LimitListener(socket, maxConns)) }()
	select {
	case err := <-stopped:
		return fmt.Errorf("serving at review.listen: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		_ = server.Close()
	}
	if err := <-stopped; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving at review.listen: %w", err)
	}
	return nil
}

// certificate is the one at the address, which is read again for every connection: it
// may have been renewed.
type certificate struct {
	Options
	mu   sync.Mutex
	last *tls.Certificate // the last one that could be read
	// stale says that it could not be read any more when it was needed last.
	stale bool
}

// read returns the certificate as it is in the files, or else the last one: the two
// files may be replaced one after the other.
func (c *certificate) read(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	switch {
	case err == nil:
		c.last, c.stale = &pair, false
	case c.last == nil:
		return nil, fmt.Errorf("reading review.listen_cert and review.listen_key: %w", err)
	case !c.stale:
		c.stale = true
		c.Log.Warn("The certificate at review.listen cannot be read; the last one is used", zap.Error(err))
	}
	return c.last, nil
}
