package slack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"
)

// maxHook bounds what is read of one call of Slack's, in bytes.
const maxHook = 1 << 20

// serve takes presses by HTTP until ctx ends.
func (l *listener) serve(ctx context.Context) error {
	server := &http.Server{
		Handler: l.hook(ctx), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	serve := server.Serve
	if l.review.CertFile != "" {
		held := &certificate{listener: l}
		if _, err := held.read(nil); err != nil {
			return err
		}
		server.TLSConfig = &tls.Config{GetCertificate: held.read, MinVersion: tls.VersionTLS12}
		serve = func(socket net.Listener) error { return server.ServeTLS(socket, "", "") }
	}
	socket, err := net.Listen("tcp", l.review.Listen)
	if err != nil {
		return fmt.Errorf("listening at review.listen: %w", err)
	}
	defer server.Close() //nolint:errcheck // it has ended
	l.noteButtons("no call that Slack has signed has come to review.listen yet")
	defer l.noteButtons("")
	l.desk.Heard("")
	stopped := make(chan error, 1)
	go func() { stopped <- serve(socket) }()
	select {
	case err := <-stopped:
		return fmt.Errorf("serving at review.listen: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		_ = server.Close()
	}
	if err := <-stopped; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving at review.listen: %w", err)
	}
	return nil
}

// certificate is the one at review.listen, which is read again for every connection:
// it may have been renewed.
type certificate struct {
	*listener
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
	pair, err := tls.LoadX509KeyPair(c.review.CertFile, c.review.KeyFile)
	switch {
	case err == nil:
		c.last, c.stale = &pair, false
	case c.last == nil:
		return nil, fmt.Errorf("reading review.listen_cert and review.listen_key: %w", err)
	case !c.stale:
		c.stale = true
		c.log.Warn("The certificate at review.listen cannot be read; the last one is used", zap.Error(err))
	}
	return c.last, nil
}

// hook is the only thing that answers there: every call must be signed by Slack, over
// the bytes as they came in, whatever it is about.
func (l *listener) hook(ctx context.Context) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHook))
		if err == nil {
			err = l.signed(r.Header, body)
		}
		if err != nil {
			l.unsigned(err)
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		}
		l.noteButtons("")
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("payload") == "" || r.Method != http.MethodPost {
			http.Error(w, "no payload", http.StatusBadRequest)
			return
		}
		if ctx.Err() != nil {
			http.Error(w, "stopping", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusOK)
		l.take(ctx, []byte(form.Get("payload")))
	})
}

// unsigned logs a call that is not Slack's, now and then: strangers may make any number.
func (l *listener) unsigned(err error) {
	now := time.Now().Unix()
	if last := l.complained.Load(); now-last < 60 || !l.complained.CompareAndSwap(last, now) {
		return
	}
	l.log.Warn("A call at review.listen was not signed with the signing secret and was refused", zap.Error(err))
}

// signed makes sure that a call was signed with the signing secret, within five
// minutes.
func (l *listener) signed(header http.Header, body []byte) error {
	secret, err := l.review.SigningSecret.Read()
	switch {
	case err != nil:
		return fmt.Errorf("review.signing_secret: %w", err)
	case secret == "":
		return errors.New("review.signing_secret is empty")
	}
	v, err := slack.NewSecretsVerifier(header, secret)
	if err != nil {
		return err
	}
	if _, err := v.Write(body); err != nil {
		return err
	}
	return v.Ensure()
}
