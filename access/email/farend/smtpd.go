package farend

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// The stages at which a mail server can fail before it has seen a mail, by which faults
// and counters name them.
const (
	stageHello = "EHLO"
	stageAuth  = "AUTH"
	stageMail  = "MAIL"
	stageRcpt  = "RCPT"
)

// Traits are what a simulated mail server is like, beside the usual.
type Traits struct {
	// Ways are the mechanisms of AUTH that it offers; PLAIN and LOGIN when nil.
	Ways []string
	// NoTLS has it offer no STARTTLS, and Implicit speak TLS from the first byte.
	NoTLS, Implicit bool
	// Foreign has it show a certificate for another name.
	Foreign bool
	// Wide has it take addresses outside ASCII.
	Wide bool
}

// smtpd is a simulated mail server. The state, faults and log are those of the embedded
// server, which serves nothing itself.
type smtpd struct {
	*apiserver.Server
	o       *Office
	traits  Traits
	latency atomic.Int64

	// The lock of the embedded server guards the rest.
	addr, dir string
	running   *smtp.Server
	port      net.Listener
	served    chan struct{}
	ending    chan struct{} // closed as the server ends
	sessions  map[*session]bool
	opened    int // how many conversations there ever were
}

// Start listens and serves until Close; after that it can come back at the same address.
func (d *smtpd) Start() (err error) {
	d.Look(func() {
		if d.running != nil {
			err = errors.New("the simulated mail server is already started")
		}
	})
	if err != nil {
		return err
	}
	cert, authority, err := certificate(d.traits.Foreign)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mail-authority")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), authority, 0o600); err != nil {
		return fmt.Errorf("writing the authority: %w", err)
	}
	addr := "127.0.0.1:0"
	d.Look(func() {
		if d.addr != "" {
			addr = d.addr
		}
	})
	port, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listening for mails: %w", err)
	}
	d.Change(func() {
		d.addr, d.dir = port.Addr().String(), dir
		d.serve(port, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	})
	return nil
}

// serve begins to serve; the lock is held.
func (d *smtpd) serve(port net.Listener, secure *tls.Config) {
	s := smtp.NewServer(smtp.BackendFunc(d.newSession))
	s.Domain, s.ErrorLog, s.AllowInsecureAuth, s.EnableSMTPUTF8 = "mail.example.com", log.New(io.Discard, "", 0), d.traits.NoTLS, d.traits.Wide
	s.MaxMessageBytes = 1 << 20
	switch {
	case d.traits.Implicit:
		port = tls.NewListener(port, secure)
	case !d.traits.NoTLS:
		s.TLSConfig = secure
	}
	served := make(chan struct{})
	d.running, d.port, d.served, d.ending, d.sessions = s, port, served, make(chan struct{}), make(map[*session]bool)
	go func() {
		defer close(served)
		_ = s.Serve(port)
	}()
}

// Close stops listening, and ends the conversations.
func (d *smtpd) Close() (err error) {
	var running *smtp.Server
	var port net.Listener
	var served chan struct{}
	var dir string
	d.Change(func() {
		if running, port, served, dir, d.running = d.running, d.port, d.served, d.dir, nil; running != nil {
			close(d.ending)
		}
	})
	if running == nil {
		return nil
	}
	err = running.Close()
	_ = port.Close() // which it does not know of yet, if it has just begun
	<-served
	return errors.Join(err, os.RemoveAll(dir))
}

// URL is where the server listens. It is empty until it was started, and stays.
func (d *smtpd) URL() (url string) {
	d.Look(func() {
		if d.addr != "" {
			url = "smtp://" + d.addr
		}
	})
	return url
}

// SetLatency changes the time that each mail takes from now on.
func (d *smtpd) SetLatency(t time.Duration) { d.latency.Store(int64(t)) }

// hurry ends the conversations of those who logged in with a password that holds no
// more, each once it is idle; the lock is held.
func (d *smtpd) hurry() {
	for s := range d.sessions {
		if !s.busy {
			_ = s.conn.Conn().Close()
		}
		s.stale = true
	}
}

// session is a conversation.
type session struct {
	d      *smtpd
	conn   *smtp.Conn
	ending <-chan struct{}
	// The lock of the server guards the rest.
	known, busy, stale bool
	to                 string
}

func (d *smtpd) newSession(c *smtp.Conn) (smtp.Session, error) {
	s := &session{d: d, conn: c}
	d.Look(func() { s.ending = d.ending })
	if err := s.meet(stageHello, c.Hostname(), "", nil); err != nil {
		return nil, err
	}
	_, secure := c.TLSConnectionState()
	d.Look(func() {
		if d.sessions[s] = true; secure || d.traits.NoTLS { // the greeting before STARTTLS does not count
			d.opened++
		}
	})
	return s, nil
}

// Reset ends a transaction.
func (s *session) Reset() {
	s.d.Look(func() {
		if s.busy = false; s.stale {
			_ = s.conn.Conn().Close()
		}
	})
}

// Logout ends the conversation.
func (s *session) Logout() error {
	s.d.Change(func() { delete(s.d.sessions, s) })
	return nil
}

// Mail takes the sender.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	return s.meet(stageMail, "", "", func() error { // whom the mail is for comes next
		switch s.busy = true; {
		case !s.known:
			return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
		case from != sender:
			return &smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Sender address rejected: not owned by user"}
		}
		return nil
	})
}

// Rcpt takes the recipient: one for each mail.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	return s.meet(stageRcpt, to, "", func() error {
		if s.d.o.inbox(to) == nil {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "User unknown"}
		}
		s.to = to
		return nil
	})
}

// Data takes the mail.
func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("reading the mail: %w", err)
	}
	s.pause(time.Duration(s.d.latency.Load()))
	l, err := read(text, s.to, s.d.Now())
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: err.Error()}
	}
	return s.meet(l.kind, s.to, string(text), func() error {
		s.d.o.inbox(s.to).put(l)
		s.d.Changed()
		return nil
	})
}

// pause lets time pass, unless the server ends.
func (s *session) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ending:
	}
}

// meet carries a command out, or what a fault has in its place.
func (s *session) meet(method, target, content string, do func() error) error {
	f, hit := s.d.Faults().TakeCall(fault.Call{Method: method, Target: target, Content: content})
	if hit {
		s.d.Wake() // lets those look again who wait for a fault to hit
	}
	var err error
	switch {
	case hit && f.Effect == fault.Slow:
		s.pause(f.Delay())
	case hit && f.Effect != fault.DoneNotAnswered:
		err = misbehave(f)
	}
	if err == nil && do != nil {
		s.d.Look(func() { err = do() })
	}
	s.log(method, target, content, f, err)
	if hit {
		s.breakOff(f.Effect)
	}
	return err
}

// misbehave is what the server says instead.
func misbehave(f fault.Fault) error {
	said := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "simulated failure"}
	switch f.Effect {
	case fault.RateLimit:
		said = &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "rate limit exceeded"}
		if f.RetryAfter() > 0 {
			said.Message += ", try again in " + f.RetryAfterSeconds() + " seconds"
		}
	case fault.Refuse:
		said.Code, said.EnhancedCode = 550, smtp.NoEnhancedCode
		if _, err := fmt.Sscanf(f.Code, "%d ", &said.Code); err != nil {
			said.Code = 550
		}
		said.Message = strings.TrimPrefix(f.Code, fmt.Sprintf("%d ", said.Code))
	}
	return said
}

// breakOff does to the connection what a fault says.
func (s *session) breakOff(e fault.Effect) {
	conn := s.conn.Conn()
	switch e {
	case fault.Hang:
		_, _ = io.Copy(io.Discard, conn) // until the other side goes
	case fault.Garbage, fault.Gateway:
		_, _ = io.Copy(conn, bytes.NewReader([]byte("<html><body>This is not what you asked for.</body></html>\r\n")))
	case fault.Cut, fault.DoneNotAnswered:
	default:
		return
	}
	_ = conn.Close()
}

// log notes a command.
func (s *session) log(method, target, content string, f fault.Fault, err error) {
	r := apiserver.Request{Time: s.d.Now(), Method: method, Target: target, Path: content, HTTPMethod: "SMTP", Status: 250, Error: string(f.Effect)}
	var said *smtp.SMTPError
	if errors.As(err, &said) {
		r.Status, r.Error = said.Code, fmt.Sprintf("%d %s", said.Code, said.Message)
	}
	if !s.d.Keeps() {
		r = apiserver.Request{Time: r.Time, Method: method}
	}
	s.d.Add(method, r)
	s.d.Wake()
}
