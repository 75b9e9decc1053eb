package mail

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"regexp"
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
	secure bool // nobody can read along
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
	c.bind(ctx)
	at := connecting
	defer func() {
		if err != nil {
			c.unbind()
			_ = raw.Close()
			err = s.failed(ctx, at, err)
		}
	}()
	if s.implicit() {
		err = s.encrypt(ctx, c, nil)
	} else {
		c.Client, err = smtp.NewClient(newTidy(c.conn, nil), s.Host)
	}
	if err != nil {
		return nil, err
	}
	at = greeting
	if err = s.hello(c); err != nil {
		return nil, err
	}
	at = securing
	if err = s.startTLS(ctx, c); err != nil {
		return nil, err
	}
	at = loggingIn
	return c, s.login(ctx, c)
}

// encrypt goes on over TLS, where the server says what is left of its greeting.
func (s *server) encrypt(ctx context.Context, c *session, said []byte) (err error) {
	conn := tls.Client(c.conn, s.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	c.secure = true
	c.Client, err = smtp.NewClient(newTidy(conn, said), s.Host)
	return err //nolint:wrapcheck // sorted by failed
}

// refusal keeps why a command was refused, which the library hides where it knows
// another one.
type refusal struct{ err error }

// HandleError implements smtp.ResponseErrorHandler.
func (r *refusal) HandleError(_, _ string, _ *textproto.Conn, err error) error {
	r.err = err
	return err
}

// hello greets the server. The library tries HELO where EHLO is refused, after which
// there is neither TLS nor a login: that will do where the server does not know EHLO, and
// neither is needed.
func (s *server) hello(c *session) error {
	var ehlo refusal
	c.ErrorHandlerRegistry.RegisterHandler(s.Host, "ehlo", &ehlo)
	if err := c.Hello(s.Helo); err != nil || ehlo.err == nil {
		return err //nolint:wrapcheck // sorted by failed
	}
	r, said := replyOf(greeting, ehlo.err)
	if secret := s.Username != "" && s.Auth != authNone; said && r.persistent && !secret && (c.secure || s.Policy != mandatory) {
		return nil
	}
	return ehlo.err
}

var errNoTLS = errors.New("the server does not offer STARTTLS")

// greeted stands for the greeting of a server, which comes once and not again after
// STARTTLS.
const greeted = "220 \r\n"

// startTLS switches to TLS, as the policy says.
func (s *server) startTLS(ctx context.Context, c *session) error {
	if c.secure || s.Policy == disabled {
		return nil
	}
	if offered, _ := c.Extension("STARTTLS"); !offered {
		if s.Policy == mandatory {
			return errNoTLS
		}
		return nil
	}
	if _, err := c.Text.Cmd("STARTTLS"); err != nil {
		return err //nolint:wrapcheck // sorted by failed
	}
	if _, _, err := c.Text.ReadResponse(220); err != nil {
		return err //nolint:wrapcheck // the same
	}
	if err := s.encrypt(ctx, c, []byte(greeted)); err != nil { // what else was said in clear is not read
		return err
	}
	return s.hello(c)
}

// login logs in, where that is asked for. A server that knows no login is taken as it
// is, unless the config names a way.
func (s *server) login(ctx context.Context, c *session) error {
	offered, list := c.Extension("AUTH")
	if s.Auth == authNone || s.Username == "" || !offered && s.Auth == authAny {
		return nil
	}
	way, err := s.wayIn(strings.Fields(strings.ToLower(list)), c.secure || local(s.Host))
	if err != nil {
		return err
	}
	proof, err := s.proof(ctx, way)
	if err != nil {
		return err
	}
	auth := map[string]smtp.Auth{ // that nobody can read along was seen to
		authPlain: smtp.PlainAuth("", s.Username, proof, s.Host, true), authLogin: smtp.LoginAuth(s.Username, proof, s.Host, true),
		authCRAMMD5: smtp.CRAMMD5Auth(s.Username, proof), authXOAuth2: smtp.XOAuth2Auth(s.Username, proof),
	}[way]
	if err = c.Auth(auth); err != nil {
		s.tokens.forget() // it may be good no more
	}
	return hide(err, s.Username, proof)
}

// hide takes out of an error of the login what proves who the plugin is: some servers
// repeat what they did not understand, or a part of it.
func hide(err error, user, proof string) error {
	var said *textproto.Error
	if err == nil || proof == "" {
		return err
	}
	coded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	secrets := []string{coded(proof), coded("\x00" + user + "\x00" + proof), coded("user=" + user + "\x01auth=Bearer " + proof + "\x01\x01")}
	words := func(text string) string {
		return code.ReplaceAllStringFunc(strings.ReplaceAll(text, proof, hidden), func(word string) string {
			if slices.ContainsFunc(secrets, func(secret string) bool { return strings.Contains(secret, word) || strings.Contains(word, secret) }) {
				return hidden
			}
			return word
		})
	}
	if errors.As(err, &said) {
		return &textproto.Error{Code: said.Code, Msg: words(said.Msg)}
	}
	if text := words(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// hidden stands where a secret stood, and code is what may be one in the way of the
// protocol, in base64.
const hidden = "(hidden)"

var code = regexp.MustCompile(`[A-Za-z0-9+/]{6,}=*`)

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

// local reports whether a host is this machine.
func local(host string) bool { return slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, host) }
