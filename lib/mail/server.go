package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/recent"
)

// mostSessions bounds the conversations at once, since mailboxes do (Exchange Online:
// three), and idleTime is how long one is kept that nobody uses.
const (
	mostSessions = 2
	mostSlow     = 1000 // addresses of which it is remembered that nothing was answered in time
	idleTime     = 30 * time.Second
)

// server is a mail server.
type server struct {
	SMTP
	from   *mail.Address
	wide   bool // our own addresses are for servers with SMTPUTF8 alone
	tls    *tls.Config
	dialer net.Dialer
	tokens *tokens
	room   chan struct{} // one for each conversation
	aside  chan struct{} // the part of it for slow addresses
	slow   *recent.Memory[string, bool]
	idle   time.Duration

	mu    sync.Mutex
	spare []*session // the last used one at the end
}

func newServer(settings SMTP, from, replyTo *mail.Address, t *outbound.Transport) (*server, error) {
	if err := t.Trust(settings.CAFile.Certificates()); err != nil {
		return nil, fmt.Errorf("smtp.ca_file: %w", err)
	}
	s := &server{
		SMTP: settings, from: from, wide: !isASCII(from.Address) || replyTo != nil && !isASCII(replyTo.Address), room: make(chan struct{}, mostSessions), idle: idleTime,
		aside: make(chan struct{}, mostSessions-1), slow: recent.New[string, bool](mostSlow),
		tokens: &tokens{OAuth: settings.OAuth, http: t.Client()},
	}
	if s.tls = t.TLS(); s.tls == nil {
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	s.tls.ServerName = s.Host
	if s.ClientCert != "" {
		s.tls.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(s.ClientCert, s.ClientKey) // each time, so that it can be replaced
			return &pair, err
		}
	}
	if s.Helo == "" {
		s.Helo = domainOf(from)
		if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") {
			s.Helo = name
		}
	}
	return s, nil
}

// roomWait is how long a mail waits at least for which there was no room.
const roomWait = time.Second

// mostWait is how long a call may wait for something before it begins: half of its time,
// so that a mail that begins can end.
func mostWait(ctx context.Context) time.Duration {
	until, limited := ctx.Deadline()
	if !limited {
		return time.Minute
	}
	return time.Until(until) / 2
}

// enter waits until there is room for a call about an address, and returns what ends its
// stay. Those that were not answered in time before go one by one, so that there is room
// for others beside them.
func (s *server) enter(ctx context.Context, to string) (leave func(), err error) {
	rooms := []chan struct{}{s.room}
	if slow, _ := s.slow.Get(to); slow {
		rooms = []chan struct{}{s.aside, s.room}
	}
	late := time.NewTimer(mostWait(ctx))
	defer late.Stop()
	held := 0
	leave = func() {
		for _, room := range rooms[:held] {
			<-room
		}
	}
	for _, room := range rooms {
		select {
		case room <- struct{}{}:
			held++
		case <-ctx.Done():
			leave()
			return nil, s.failed(ctx, connecting, context.Cause(ctx))
		case <-late.C:
			leave()
			return nil, &outbound.Error{Kind: outbound.Wait, Op: op(connecting), After: roomWait, Err: errors.New("other mails go first")}
		}
	}
	return leave, nil
}

// with makes a call about an address on a conversation, a new one if that is asked for.
// One that broke off, or that the server has ended, is not used again.
func (s *server) with(ctx context.Context, anew bool, to string, do func(c *session) error) (err error) {
	ctx, call := outbound.Begin(ctx, op(connecting), "")
	defer func() {
		var fault *outbound.Error
		if errors.As(err, &fault) && errors.Is(err, context.DeadlineExceeded) {
			fault.Err = call.Fail(fault.Err).Err // says how long there was
		}
	}()
	leave, err := s.enter(ctx, to)
	if err != nil {
		return err
	}
	defer leave()
	c, kept, err := s.take(ctx, anew)
	if err != nil {
		return err
	}
	err = do(c)
	if kept && endedBefore(err) {
		s.settle(c, err)
		if c, err = s.open(ctx); err != nil {
			return err
		}
		err = do(c)
	}
	s.slow.Put(to, isLate(err))
	s.settle(c, err)
	return err
}

// settle keeps a conversation after a call that ended so, if it goes on.
func (s *server) settle(c *session, err error) {
	if c.unbind() && goesOn(err) {
		s.keep(c)
	} else {
		c.close(false)
	}
}

// take is a conversation that was kept, if it still goes on, or a new one.
func (s *server) take(ctx context.Context, anew bool) (c *session, kept bool, err error) {
	for c := s.kept(); c != nil; c = s.kept() {
		if anew {
			c.close(true)
			continue
		}
		if c.resume(ctx) {
			return c, true, nil
		}
		c.close(false)
	}
	c, err = s.open(ctx)
	return c, false, err
}

// resetWait is how long a conversation that was kept may take to go on: one whose other
// end is gone without a word never does, and a new one is to have the rest of the time.
const resetWait = 5 * time.Second

// resume takes a conversation up again, if the server does.
func (s *session) resume(ctx context.Context) bool {
	brief, cancel := context.WithTimeout(ctx, min(resetWait, mostWait(ctx)))
	defer cancel()
	s.bind(brief)
	if err := agreed(s.Reset()); !s.unbind() || err != nil {
		return false
	}
	s.bind(ctx)
	return true
}

func (s *server) kept() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.spare)
	if n == 0 {
		return nil
	}
	c := s.spare[n-1]
	s.spare = s.spare[:n-1]
	c.idle.Stop()
	return c
}

func (s *server) keep(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = append(s.spare, c)
	c.idle = time.AfterFunc(s.idle, func() { s.drop(c) })
}

// drop ends a conversation that nobody has used for long.
func (s *server) drop(c *session) {
	s.mu.Lock()
	i := slices.Index(s.spare, c)
	if i >= 0 {
		s.spare = slices.Delete(s.spare, i, i+1)
	}
	s.mu.Unlock()
	if i >= 0 {
		c.close(true)
	}
}

// deliver implements carrier.
func (s *server) deliver(ctx context.Context, m Mail, text []byte) (string, error) {
	return m.ID, s.with(ctx, false, m.To, func(c *session) error {
		if err := s.address(ctx, c, m.To); err != nil {
			return err
		}
		w, err := c.Data()
		if err != nil {
			return s.failed(ctx, opening, err)
		}
		if _, err := w.Write(text); err != nil { // without its end the server drops the text
			return s.failed(ctx, writing, err)
		}
		if err := agreed(w.Close()); err != nil {
			return s.failed(ctx, closing, err)
		}
		outbound.Heard(ctx)
		return nil
	})
}

// address names the sender and, if there is one, the recipient.
func (s *server) address(ctx context.Context, c *session, to string) error {
	switch offered, _ := c.Extension("SMTPUTF8"); {
	case !offered && s.wide:
		return errWideSender
	case !offered && !isASCII(to):
		return errWide
	}
	c.SkipSMTPUTF8(!s.wide && isASCII(to)) // the next server may not know it
	if err := agreed(c.Mail("<" + s.from.Address + ">")); err != nil {
		return s.failed(ctx, sending, err)
	}
	outbound.Heard(ctx)
	if to == "" {
		return nil
	}
	if err := c.Rcpt("<" + to + ">"); err != nil {
		return s.failed(ctx, addressing, err)
	}
	return nil
}

// Check implements carrier. It begins a conversation of its own, since one that goes on
// proves nothing of the present password.
func (s *server) Check(ctx context.Context) error {
	return s.with(ctx, true, "", func(c *session) error { return s.address(ctx, c, "") })
}

// prove implements carrier.
func (s *server) prove(ctx context.Context, to string) error {
	return s.with(ctx, false, to, func(c *session) error { return s.address(ctx, c, to) })
}
