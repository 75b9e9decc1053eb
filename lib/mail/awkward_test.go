package mail

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// awkward is a mail server that says what a test wants it to, and otherwise what is
// usual. It knows no more of the protocol than that.
type awkward struct {
	// says are the replies to a command or a whole line, in turn; the last one holds on. "greeting" and
	// "." stand for the beginning and the end of a text. The empty reply breaks off, and
	// mute says nothing.
	says map[string][]string
	// slices has replies go out byte by byte.
	slices bool
	secure *tls.Config
	roots  *x509.CertPool
	tlsNow bool // from the first byte

	mu    sync.Mutex
	heard []string // lines, those of texts left out
	texts []string
	conns int
}

// mute stands for no reply at all.
const mute = "…"

// usual is what servers say.
var usual = map[string]string{
	"greeting": "220 mail.example.com ESMTP", "EHLO": "250-mail.example.com\r\n250-8BITMIME\r\n250 SIZE 1000000", "HELO": "250 mail.example.com",
	"STARTTLS": "220 go ahead", "AUTH": "235 2.7.0 welcome", "MAIL": "250 2.1.0 ok", "RCPT": "250 2.1.5 ok", "DATA": "354 go ahead", ".": "250 2.0.0 queued",
	"RSET": "250 ok", "NOOP": "250 ok", "QUIT": "221 bye", "*": "501 aborted",
}

// serve has it listen until the test ends.
func (a *awkward) serve(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			a.mu.Lock()
			a.conns++
			a.mu.Unlock()
			all.Go(func() { a.talk(t, c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l
}

// reply is what it says now.
func (a *awkward) reply(to string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	said := a.says[to]
	if len(said) == 0 {
		return usual[to]
	}
	if len(said) > 1 {
		a.says[to] = said[1:]
	}
	return said[0]
}

func (a *awkward) talk(t *testing.T, c net.Conn) {
	raw := c
	stop := context.AfterFunc(t.Context(), func() { _ = raw.Close() })
	defer stop()
	defer func() { _ = raw.Close() }()
	if a.tlsNow {
		c = tls.Server(c, a.secure)
	}
	in := bufio.NewReader(c)
	for verb := "greeting"; a.answer(c, verb); {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		a.mu.Lock()
		a.heard = append(a.heard, line)
		verb, _, _ = strings.Cut(line, " ")
		if a.says[line] != nil {
			verb = line
		} else if usual[verb] == "" && a.says[verb] == nil {
			verb = "AUTH" // an answer to a challenge
		}
		a.mu.Unlock()
		switch verb {
		case "DATA":
			if !a.answer(c, verb) {
				return
			}
			if verb = "."; !a.read(in) {
				return
			}
		case "STARTTLS":
			if said := a.reply(verb); !a.say(c, said) {
				return
			} else if strings.HasPrefix(said, "220") {
				c = tls.Server(c, a.secure)
				in = bufio.NewReader(c)
			}
			verb = ""
		}
	}
}

// read takes a text as it stands.
func (a *awkward) read(in *bufio.Reader) bool {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(line)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.texts = append(a.texts, text.String())
	return true
}

func (a *awkward) answer(c net.Conn, verb string) bool {
	return verb == "" || a.say(c, a.reply(verb))
}

func (a *awkward) say(c net.Conn, text string) bool {
	switch text {
	case "":
		return false
	case mute:
		return true
	}
	text += "\r\n"
	size := len(text)
	if a.slices {
		size = 1
	}
	for ; text != ""; text = text[min(size, len(text)):] {
		if _, err := c.Write([]byte(text[:min(size, len(text))])); err != nil {
			return false
		}
	}
	return true
}

// commands are the lines that it heard that begin so.
func (a *awkward) commands(verb string) (lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, line := range a.heard {
		if strings.HasPrefix(line, verb) {
			lines = append(lines, line)
		}
	}
	return lines
}

// taken are the texts that it was given.
func (a *awkward) taken() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.texts...)
}

// met is how many connections there were.
func (a *awkward) met() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conns
}

// withTLS gives it a certificate, and makes out whose it is.
func (a *awkward) withTLS(t *testing.T) {
	t.Helper()
	other := httptest.NewTLSServer(nil)
	t.Cleanup(other.Close)
	a.secure = &tls.Config{Certificates: other.TLS.Certificates, MinVersion: tls.VersionTLS12}
	a.roots = x509.NewCertPool()
	a.roots.AddCert(other.Certificate())
}
