package mail

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"go.uber.org/zap"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

const oncall = "oncall@example.com"

var letter = Mail{
	ID: "1@example.com", To: oncall, References: []string{"0@example.com"}, Date: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC),
	Subject: "A subject", Plain: "A text", HTML: "<p>A text</p>",
}

// opened is a post of settings, with a sender.
func opened(t *testing.T, s Settings) *Post {
	t.Helper()
	transport := outbound.NewTransport(outbound.Options{})
	t.Cleanup(transport.CloseIdle)
	s.Sender.Address = "Teleport <teleport@example.com>"
	p, err := New(s, transport, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// at are the settings for a server that knows neither TLS nor a login.
func at(l net.Listener) SMTP {
	return SMTP{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Policy: disabled}
}

// office takes mails, and counts its conversations.
type office struct {
	open, opened atomic.Int64
	texts        chan string
}

func (o *office) NewSession(*smtp.Conn) (smtp.Session, error) {
	o.open.Add(1)
	o.opened.Add(1)
	return &talk{o}, nil
}

type talk struct{ *office }

func (*talk) Reset() {}

func (k *talk) Logout() error {
	k.open.Add(-1)
	return nil
}

func (*talk) Mail(string, *smtp.MailOptions) error { return nil }

func (*talk) Rcpt(string, *smtp.RcptOptions) error { return nil }

func (k *talk) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	k.texts <- string(text)
	return err
}

// newOffice is one at an address.
func newOffice(t *testing.T) (*office, net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &office{texts: make(chan string, 10)}
	server := smtp.NewServer(o)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		_, _ = server.Close(), l.Close() // it may not serve yet
		<-ended
	})
	return o, l
}

// A conversation that nobody uses is ended, and the next mail begins another one.
func TestAnIdleConnectionIsClosed(t *testing.T) {
	o, l := newOffice(t)
	p := opened(t, Settings{SMTP: at(l)})
	p.carrier.(*server).idle = time.Millisecond
	for range 2 {
		if id, err := p.Send(t.Context(), letter); err != nil || id != letter.ID {
			t.Fatal(id, err)
		}
		for end := time.Now().Add(10 * time.Second); o.open.Load() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the conversation goes on")
			}
		}
	}
	if got := o.opened.Load(); got != 2 {
		t.Errorf("%d connections", got)
	}
	if first, again := <-o.texts, <-o.texts; first != again || !strings.Contains(first, "In-Reply-To: <0@example.com>\r\n") {
		t.Errorf("the same mail is %q and then %q", first, again)
	}
}

// What cannot be the address of a sender begins nothing.
func TestASenderIsOneAddress(t *testing.T) {
	for _, s := range []Sender{{Address: ""}, {Address: "a@example.com, b@example.com"}, {Address: "a@example.com", ReplyTo: "it"}} {
		if _, err := New(Settings{Sender: s}, outbound.NewTransport(outbound.Options{}), zap.NewNop()); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}

// In a rehearsal a mail is shown, and goes nowhere.
func TestARehearsedMailIsHeldBack(t *testing.T) {
	ctx, held := outbound.Rehearse(t.Context())
	_, err := opened(t, Settings{SMTP: SMTP{Host: "127.0.0.1"}}).Send(ctx, letter)
	if got := held(); err == nil || len(got) != 1 || got[0].Path != letter.To || !strings.Contains(string(got[0].Body), "subject=A+subject") {
		t.Errorf("held back %+v, %v", got, err)
	}
}

// A server that never ends its greeting costs no memory.
func TestAServerCannotTalkForEver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for chunk := []byte("220-" + strings.Repeat("x", 1<<16) + "\r\n"); err == nil; {
				_, err = c.Write(chunk)
			}
			_ = c.Close()
		}
	}()
	p := opened(t, Settings{SMTP: at(l)})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := p.Check(ctx); err == nil || !strings.Contains(err.Error(), "says more than 1 MiB") {
		t.Errorf("got %v", err)
	}
}

// Only what Mailgun says in its own form is a verdict.
func TestMailgunsAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		kind   outbound.Kind
		scope  outbound.Scope
		check  outbound.Kind // empty for success
	}{
		"a wrong key":          {401, "Forbidden", outbound.Refused, outbound.TheToken, outbound.Refused},
		"a wrong key, in JSON": {401, `{"message":"Invalid private key"}`, outbound.Refused, outbound.TheToken, outbound.Refused},
		"a gateway's 401":      {401, "<html>login</html>", outbound.Unclear, 0, outbound.Retry},
		"an unpaid bill":       {402, `{"message":"Account disabled"}`, outbound.Refused, outbound.TheToken, outbound.Refused},
		"a domain for tests":   {403, `{"message":"Domain mg.example.com is not allowed to send: Please add the address to your authorized recipients"}`, outbound.Refused, outbound.ThePlace, outbound.Refused},
		"another domain":       {404, `{"message":"Domain not found: mg.example.com"}`, outbound.Refused, outbound.TheToken, outbound.Refused},
		"a proxy's 404":        {404, "not found", outbound.Unclear, 0, outbound.Retry},
		"a bad address":        {400, `{"message":"'to' parameter is not a valid address. please check documentation"}`, outbound.Refused, outbound.ThePlace, ""},
		"a bad mail":           {400, `{"message":"message is not parsable"}`, outbound.Refused, outbound.OneCall, ""},
		"too large":            {413, `{"message":"Too large"}`, outbound.Refused, outbound.OneCall, outbound.Refused},
		"too fast":             {429, `{"message":"Too many requests"}`, outbound.Wait, 0, outbound.Wait},
		"out of order":         {500, `{"message":"Internal error"}`, outbound.Unclear, 0, outbound.Retry},
		"a gateway":            {502, "<html>", outbound.Unclear, 0, outbound.Retry},
		"a redirect":           {308, "", outbound.Unclear, 0, outbound.Retry},
		"many words":           {401, `{"message":"` + strings.Repeat("x\\n", 1000) + `"}`, outbound.Refused, outbound.TheToken, outbound.Refused},
		"silence":              {200, "", outbound.Unclear, 0, outbound.Retry},
		"no id":                {200, `{"message":"Queued. Thank you."}`, outbound.Unclear, 0, outbound.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			t.Cleanup(server.Close)
			gun := Mailgun{Domain: "mg.example.com", PrivateKey: config.NewSecret("key-1"), APIBase: server.URL}
			if _, err := opened(t, Settings{Mailgun: gun}).Send(t.Context(), letter); err == nil || len(err.Error()) > 500 || strings.Contains(err.Error(), "\n") || outbound.KindOf(err) != tc.kind || outbound.ScopeOf(err) != tc.scope {
				t.Errorf("got %v, of the kind %q and scope %d", err, outbound.KindOf(err), outbound.ScopeOf(err))
			}
			again := opened(t, Settings{Mailgun: gun}) // without the limit that it was told
			if err := again.Check(t.Context()); (err == nil) != (tc.check == "") || err != nil && outbound.KindOf(err) != tc.check {
				t.Errorf("the check says %v, of the kind %q", err, outbound.KindOf(err))
			}
		})
	}
}

// An address with a domain outside ASCII is one that every server takes. One whose other
// part is outside ASCII needs a server that says so, whoever's it is.
func TestAddressesOutsideASCII(t *testing.T) {
	const narrow, wide, sender = "250-mail\r\n250 8BITMIME", "250-mail\r\n250 SMTPUTF8", "teleport@example.com"
	for name, tc := range map[string]struct {
		ehlo, from, replyTo, to string
		lines                   []string // of the mail and before it
		refused                 outbound.Scope
	}{
		"a domain":                     {narrow, sender, "", "alice@bücher.example", []string{"MAIL FROM:<teleport@example.com> BODY=8BITMIME", "RCPT TO:<alice@xn--bcher-kva.example>", "To: <alice@xn--bcher-kva.example>"}, 0},
		"a domain as it is written":    {narrow, sender, "", "alice@BÜCHER.Example", []string{"RCPT TO:<alice@xn--bcher-kva.example>"}, 0},
		"the domain of the sender":     {narrow, "teleport@bücher.example", "", oncall, []string{"MAIL FROM:<teleport@xn--bcher-kva.example> BODY=8BITMIME", "From: <teleport@xn--bcher-kva.example>"}, 0},
		"the domain for answers":       {narrow, sender, "it@bücher.example", oncall, []string{"Reply-To: <it@xn--bcher-kva.example>"}, 0},
		"a name":                       {wide, sender, "", "jürgen@example.com", []string{"MAIL FROM:<teleport@example.com> SMTPUTF8", "RCPT TO:<jürgen@example.com>", "To: <jürgen@example.com>"}, 0},
		"a name, and a narrow server":  {narrow, sender, "", "jürgen@example.com", nil, outbound.ThePlace},
		"the sender":                   {wide, "jürgen@example.com", "", oncall, []string{"MAIL FROM:<jürgen@example.com> SMTPUTF8"}, 0},
		"the sender, a narrow server":  {narrow, "jürgen@example.com", "", oncall, nil, outbound.TheToken},
		"for answers":                  {wide, sender, "jürgen@example.com", oncall, []string{"MAIL FROM:<teleport@example.com> SMTPUTF8"}, 0},
		"for answers, a narrow server": {narrow, sender, "jürgen@example.com", oncall, nil, outbound.TheToken},
		"nothing":                      {wide, sender, "", oncall, []string{"MAIL FROM:<teleport@example.com>"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := &awkward{says: script{"EHLO": {tc.ehlo}}}
			s := Settings{SMTP: at(a.serve(t)), Sender: Sender{Address: tc.from, ReplyTo: tc.replyTo}}
			s.SMTP.Helo = ""
			p, err := New(s, outbound.NewTransport(outbound.Options{}), zap.NewNop())
			if err != nil {
				t.Fatal(err)
			}
			m := letter
			m.To = tc.to
			_, err = p.Send(limited(t), m)
			if (err == nil) != (tc.lines != nil) || err != nil && (outbound.KindOf(err) != outbound.Refused || outbound.ScopeOf(err) != tc.refused) {
				t.Fatalf("got %v", err)
			}
			said := strings.Join(a.commands(""), "\r\n") + "\r\n" + strings.Join(a.taken(), "") + "\r\n"
			for _, line := range tc.lines {
				if !strings.Contains(said, line+"\r\n") {
					t.Errorf("%q is not in\n%s", line, said)
				}
			}
			if err := p.Prove(limited(t), tc.to); (err == nil) != (tc.lines != nil) {
				t.Errorf("the look at the address says %v", err)
			}
			if err := p.Check(limited(t)); (err != nil) != (tc.refused == outbound.TheToken) {
				t.Errorf("the check says %v", err)
			}
		})
	}
}
