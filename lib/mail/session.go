package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// stage is where a conversation with a mail server is.
type stage string

const (
	connecting stage = "connect"
	greeting   stage = "EHLO"
	securing   stage = "STARTTLS"
	loggingIn  stage = "AUTH"
	sending    stage = "MAIL FROM"
	addressing stage = "RCPT TO"
	opening    stage = "DATA"
	writing    stage = "the text"
	closing    stage = "the end of the text" // the server owns the mail once it has answered
)

// longest bounds a call that has no deadline of its own.
const longest = time.Minute

// mostHeard bounds what a server may say during one call, in bytes: its replies are a few
// lines, and the library keeps all of one.
const mostHeard = 1 << 20

// bounded is a connection on which no more than that is heard.
type bounded struct {
	net.Conn
	left atomic.Int64
}

// Read implements net.Conn.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if b.left.Add(-int64(n)) < 0 {
		return 0, errEndless
	}
	return n, err
}

var errEndless = fmt.Errorf("the mail server says more than %d MiB", mostHeard>>20)

// session is a conversation with a mail server, for one call at a time.
type session struct {
	*smtp.Client
	conn   *bounded
	unbind func() bool
	idle   *time.Timer
}

// bind has every read and write end with the call.
func (s *session) bind(ctx context.Context) {
	end, ok := ctx.Deadline()
	if !ok {
		end = time.Now().Add(longest)
	}
	s.conn.left.Store(mostHeard)
	_ = s.conn.SetDeadline(end) // fails on a closed connection, on which all else fails too
	s.unbind = context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
}

// close ends the conversation. It waits for nothing.
func (s *session) close(polite bool) {
	if polite {
		_ = s.conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = s.Text.Cmd("QUIT")
	}
	_ = s.conn.Close()
}

// open begins a conversation, up to the login.
func (s *server) open(ctx context.Context) (_ *session, err error) {
	raw, err := s.dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return nil, s.failed(ctx, connecting, err)
	}
	c := &session{conn: &bounded{Conn: raw}}
	var conn net.Conn = c.conn
	c.bind(ctx)
	at := connecting
	defer func() {
		if err != nil {
			c.unbind()
			_ = conn.Close()
			err = s.failed(ctx, at, err)
		}
	}()
	if s.implicit() {
		secure := tls.Client(conn, s.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
		conn = secure
	}
	if c.Client, err = smtp.NewClient(conn, s.Host); err != nil {
		return nil, err //nolint:wrapcheck // sorted by failed
	}
	at = greeting
	if err = c.Hello(s.Helo); err != nil {
		return nil, err //nolint:wrapcheck // the same
	}
	if !extended(c.Client) && (s.Policy != disabled || s.Username != "") {
		return nil, errNoEHLO
	}
	at = securing
	if err = s.secure(c); err != nil {
		return nil, err
	}
	at = loggingIn
	return c, s.login(ctx, c)
}

// errNoEHLO is for a server that took HELO in the place of EHLO, as the library tries: it
// may offer more the next time.
var errNoEHLO = errors.New("the server does not take EHLO")

// extended reports whether a server has named anything that it can do.
func extended(c *smtp.Client) bool {
	return slices.ContainsFunc([]string{"STARTTLS", "AUTH", "SIZE", "8BITMIME", "PIPELINING", "ENHANCEDSTATUSCODES"}, func(name string) bool {
		ok, _ := c.Extension(name)
		return ok
	})
}

var errNoTLS = errors.New("the server does not offer STARTTLS")

// secure switches to TLS, as the policy says.
func (s *server) secure(c *session) error {
	if s.implicit() || s.Policy == disabled {
		return nil
	}
	switch offered, _ := c.Extension("STARTTLS"); {
	case offered:
		return c.StartTLS(s.tls) //nolint:wrapcheck // sorted by failed
	case s.Policy == mandatory:
		return errNoTLS
	}
	return nil
}

// login logs in, where that is asked for. A server that knows no login is taken as it
// is, unless the config names a way.
func (s *server) login(ctx context.Context, c *session) error {
	offered, list := c.Extension("AUTH")
	if s.Auth == authNone || s.Username == "" || !offered && s.Auth == authAny {
		return nil
	}
	_, encrypted := c.TLSConnectionState()
	way, err := s.wayIn(strings.Fields(strings.ToLower(list)), encrypted || local(s.Host))
	if err != nil {
		return err
	}
	proof, err := s.proof(ctx, way)
	if err != nil {
		return err
	}
	auth := map[string]smtp.Auth{
		authPlain: smtp.PlainAuth("", s.Username, proof, s.Host, false), authLogin: smtp.LoginAuth(s.Username, proof, s.Host, false),
		authCRAMMD5: smtp.CRAMMD5Auth(s.Username, proof), authXOAuth2: smtp.XOAuth2Auth(s.Username, proof),
	}[way]
	if err = c.Auth(auth); err != nil {
		s.tokens.forget() // it may be good no more
	}
	return err //nolint:wrapcheck // sorted by failed
}

// proof is what proves who the plugin is: a token, or the password, which is read each
// time, so that it can be replaced.
func (s *server) proof(ctx context.Context, way string) (string, error) {
	if way == authXOAuth2 {
		return s.tokens.token(ctx)
	}
	return s.Password.Read() //nolint:wrapcheck // names the secret
}

var errNoWay = errors.New("no way to log in")

// wayIn chooses the way to log in. One that shows the password is taken only where
// nobody can read along.
func (s *server) wayIn(offered []string, private bool) (string, error) {
	ways := []string{authPlain, authLogin, authCRAMMD5}
	switch {
	case s.Auth != authAny:
		ways = []string{s.Auth}
	case !private:
		ways = []string{authCRAMMD5}
	}
	for _, way := range ways {
		if !private && way != authCRAMMD5 {
			return "", fmt.Errorf("%w: the connection is not encrypted, and %s shows the password", errNoWay, strings.ToUpper(way))
		}
		if slices.Contains(offered, way) {
			return way, nil
		}
	}
	return "", fmt.Errorf("%w: the server offers %q on this connection", errNoWay, strings.ToUpper(strings.Join(offered, " ")))
}

// local reports whether a host is this machine, as the library sees it.
func local(host string) bool { return slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, host) }
