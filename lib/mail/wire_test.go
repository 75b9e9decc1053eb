package mail

import (
	"context"
	"encoding/base64"
	"errors"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

// script is what a server says to commands, in turn.
type script = map[string][]string

// limited is a context within whose time a test may make calls.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// sends sends a mail to a server of a test, in clear if nothing else is asked for.
func (a *awkward) sends(t *testing.T, m Mail, change func(*SMTP)) error {
	t.Helper()
	s := at(a.serve(t))
	if change != nil {
		change(&s)
	}
	p := opened(t, Settings{SMTP: s})
	if a.secure != nil {
		p.carrier.(*server).tls.RootCAs = a.roots
	}
	_, err := p.Send(limited(t), m)
	return err
}

// Changes of the section [smtp].
func policy(p string) func(*SMTP) { return func(s *SMTP) { s.Policy = p } }

func user(s *SMTP) { s.Username, s.Password = "u", config.NewSecret("hush-hush") }

// What RFC 5321 allows a server to say is understood, and a mail that was taken is not
// sent again.
func TestRepliesInEveryFormThatIsAllowed(t *testing.T) {
	bare := make(script)
	for verb, said := range usual {
		if verb != "greeting" && verb != "EHLO" {
			bare[verb] = []string{said[:3]}
		}
	}
	for name, a := range map[string]*awkward{
		"usual":                           {},
		"codes alone (4.2)":               {says: bare},
		"byte by byte":                    {slices: true},
		"codes alone, byte by byte":       {says: bare, slices: true},
		"in several lines (4.2.1)":        {says: script{"greeting": {"220-a\r\n220 b"}, "MAIL": {"250-2.1.0 a\r\n250 2.1.0 b"}, "DATA": {"354-go\r\n354 on"}, ".": {"250-2.0.0 a\r\n250-\r\n250"}}},
		"other codes of success (4.3.2)":  {says: script{"MAIL": {"200 ok"}, "RCPT": {"251 will forward"}, ".": {"201 queued"}}},
		"not known, and taken (3.5.3)":    {says: script{"RCPT": {"252 will try"}}},
		"a text longer than allowed":      {says: script{".": {"250 " + strings.Repeat("x", 20_000)}}},
		"lines that end without a return": {says: script{"MAIL": {"250-a\n250 b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := a.sends(t, letter, nil); err != nil || len(a.taken()) != 1 {
				t.Errorf("%v; %d mails", err, len(a.taken()))
			}
		})
	}
}

// The names of extensions are known in any case of their letters (RFC 5321, 4.1.1.1),
// before and after STARTTLS.
func TestExtensionsAreKnownInAnyCase(t *testing.T) {
	a := &awkward{says: script{"EHLO": {"250-mail\r\n250-StartTLS\r\n250 size 100", "250-mail\r\n250-smtputf8\r\n250 auth plain Login"}}}
	a.withTLS(t)
	m := letter
	m.To = "jürgen@example.com"
	if err := a.sends(t, m, func(s *SMTP) { user(s); s.Policy = mandatory }); err != nil {
		t.Fatal(err)
	}
	if got := a.commands("AUTH PLAIN"); len(got) != 1 {
		t.Errorf("logged in with %q", got)
	}
}

// What was said in clear after the answer to STARTTLS is not believed (CVE-2011-0411).
func TestNothingIsTakenOverIntoTLS(t *testing.T) {
	a := &awkward{says: script{"EHLO": {"250-mail\r\n250 STARTTLS", "250 mail"}, "STARTTLS": {"220 go ahead\r\n250-evil\r\n250 AUTH LOGIN"}}}
	a.withTLS(t)
	if err := a.sends(t, letter, func(s *SMTP) { user(s); s.Policy = mandatory }); err != nil || len(a.commands("AUTH")) != 0 {
		t.Errorf("%v, logged in with %q", err, a.commands("AUTH"))
	}
}

// Where a server knows few extensions, or not even EHLO, what is missing is named, and
// mails go out where the config needs nothing of that.
func TestServersThatKnowLittle(t *testing.T) {
	const help, none, old = "250-mail\r\n250 HELP", "250 mail", "502 5.5.1 command not implemented"
	for name, tc := range map[string]struct {
		ehlo   string
		change func(*SMTP)
		kind   outbound.Kind // empty: it is sent
		says   string
	}{
		"STARTTLS may be missing":               {help, policy(opportunistic), "", ""},
		"STARTTLS may not be missing":           {help, policy(mandatory), outbound.Refused, "does not offer STARTTLS; use a port at which"},
		"no extension":                          {none, policy(opportunistic), "", ""},
		"no extension, and TLS is needed":       {none, policy(mandatory), outbound.Refused, "does not offer STARTTLS"},
		"no login is known":                     {none, user, "", ""},
		"no login is known, and one is named":   {none, func(s *SMTP) { user(s); s.Auth = authPlain }, outbound.Refused, "no way to log in"},
		"HELO alone":                            {old, nil, "", ""},
		"HELO alone, and TLS may be missing":    {old, policy(opportunistic), "", ""},
		"HELO alone, and TLS is needed":         {old, policy(mandatory), outbound.Refused, "EHLO: 502 5.5.1 command not implemented; the server does not know EHLO"},
		"HELO alone, and a login is needed":     {old, user, outbound.Refused, "the server does not know EHLO"},
		"EHLO is refused for now":               {"451 4.3.0 later", policy(opportunistic), outbound.Retry, "EHLO: 451 4.3.0 later"},
		"EHLO is refused for our name":          {"550 5.7.1 bad name", policy(mandatory), outbound.Refused, "set helo in [smtp]"},
		"EHLO ends it":                          {"421 4.3.2 closing", policy(mandatory), outbound.Retry, "EHLO: 421 4.3.2 closing"},
		"EHLO is met with something else":       {"<html>", policy(opportunistic), outbound.Retry, "EHLO"},
		"EHLO breaks it off":                    {"", policy(mandatory), outbound.Retry, "EHLO: the connection was closed"},
		"HELO alone, and the login is left out": {old, func(s *SMTP) { user(s); s.Auth = authNone }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := &awkward{says: script{"EHLO": {tc.ehlo}}}
			err := a.sends(t, letter, tc.change)
			if (err == nil) != (tc.kind == "") || err != nil && (outbound.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("got %v, of the kind %q", err, outbound.KindOf(err))
			}
		})
	}
}

// A server that ends the conversation at any stage is asked again, over a new one; the
// mail arrives once.
func TestAServerThatCloses(t *testing.T) {
	for _, stage := range []string{"greeting", "EHLO", "MAIL", "RCPT", "DATA", "."} {
		t.Run(stage, func(t *testing.T) {
			a := &awkward{says: script{stage: {"421 4.3.2 closing", usual[stage]}}}
			p := opened(t, Settings{SMTP: at(a.serve(t))})
			if _, err := p.Send(limited(t), letter); outbound.KindOf(err) != outbound.Retry || !outbound.Answered(err) {
				t.Errorf("got %v, of the kind %q", err, outbound.KindOf(err))
			}
			if _, err := p.Send(limited(t), letter); err != nil || a.met() != 2 {
				t.Errorf("then %v, over %d connections", err, a.met())
			}
		})
	}
}

// A refused recipient costs no connection, and the next mail does not notice it.
func TestARefusalIsThatOfOneRecipient(t *testing.T) {
	a := &awkward{says: script{"RCPT": {"550 5.1.1 unknown", "250 ok", "450 4.2.0 greylisted", "250 ok"}}}
	p := opened(t, Settings{SMTP: at(a.serve(t))})
	for i, want := range []outbound.Kind{outbound.Refused, "", outbound.Retry, ""} {
		if _, err := p.Send(limited(t), letter); (err == nil) != (want == "") || err != nil && outbound.KindOf(err) != want {
			t.Errorf("%d: %v", i, err)
		}
	}
	if len(a.taken()) != 2 || a.met() != 1 || len(a.commands("RSET")) != 3 {
		t.Errorf("%d mails over %d connections with %d resets", len(a.taken()), a.met(), len(a.commands("RSET")))
	}
}

// Where the two ends disagree about TLS, the keys of [smtp] are named that say so, and
// none of another service.
func TestDisagreementAboutTLS(t *testing.T) {
	implicit := func(s *SMTP) { s.Implicit = true }
	for name, tc := range map[string]struct {
		a      *awkward
		change func(*SMTP)
		says   string
	}{
		"the server does not begin with TLS": {&awkward{}, implicit, "leave out implicit_tls"},
		"the server begins with TLS":         {&awkward{tlsNow: true}, nil, "needs implicit_tls = true"},
		"the server stays in clear":          {&awkward{says: script{"EHLO": {"250-mail\r\n250 STARTTLS"}, "STARTTLS": {"220 go\r\n220 on"}}}, policy(mandatory), "STARTTLS"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.a.withTLS(t)
			s := at(tc.a.serve(t))
			if tc.change != nil {
				tc.change(&s)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if err := opened(t, Settings{SMTP: s}).Check(ctx); err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "http") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A server that repeats what it was told tells nobody else.
func TestALoginIsNotRepeatedInErrors(t *testing.T) {
	const secret = "correct horse 2718"
	coded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	plain, token := coded("\x00u\x00"+secret), coded("user=u\x01auth=Bearer "+secret+"\x01\x01")
	challenge := map[string][]string{"PLAIN": nil, "LOGIN": {"334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"}, "CRAM-MD5": {"334 PDE+"}, "XOAUTH2": {"334 e30="}}
	for way, said := range challenge {
		for _, echo := range []string{secret, coded(secret), coded(secret)[:12], plain, plain[:16], plain[8:], token, token[:40]} {
			a := &awkward{says: script{"EHLO": {"250-mail\r\n250 AUTH " + way}, "AUTH": append(slices.Clone(said), "535 5.7.8 not recognized: AUTH "+way+" "+echo+"\r\n")}}
			s := at(a.serve(t))
			user(&s)
			s.Password, s.Auth = config.NewSecret(secret), strings.ToLower(way)
			p := opened(t, Settings{SMTP: s})
			p.carrier.(*server).tokens.have = &oauth2.Token{AccessToken: secret}
			_, err := p.Send(limited(t), letter)
			if !outbound.RefusesToken(err) || !strings.Contains(err.Error(), "535 5.7.8 not recognized: AUTH "+way) || strings.Contains(err.Error(), echo) {
				t.Errorf("%s, repeated %q: %v", way, echo, err)
			}
		}
	}
	for _, text := range []string{"5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant", "5.7.8 Error: authentication failed: UGFzc3dvcmQ6"} {
		if got := hide(&textproto.Error{Code: 535, Msg: text}, "u", secret); got.Error() != (&textproto.Error{Code: 535, Msg: text}).Error() {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := hide(errors.New("not expected: "+secret), "u", secret); strings.Contains(got.Error(), secret) {
		t.Error(got)
	}
}

// A conversation whose other end has gone without a word does not cost the mail: a new
// one has the rest of its time.
func TestAConversationThatHasDied(t *testing.T) {
	a := &awkward{says: script{"RSET": {mute}}}
	p := opened(t, Settings{SMTP: at(a.serve(t))})
	if _, err := p.Send(limited(t), letter); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := p.Send(ctx, letter); err != nil || len(a.taken()) != 2 || a.met() != 2 {
		t.Errorf("%v; %d mails over %d connections", err, len(a.taken()), a.met())
	}
}

// Whoever waits for room waits no longer than for what it is.
func TestNobodyWaitsForRoomInVain(t *testing.T) {
	p := opened(t, Settings{SMTP: SMTP{Host: "127.0.0.1", Port: 9, Policy: disabled}})
	for range mostSessions {
		p.carrier.(*server).room <- struct{}{}
	}
	ctx, cancel := context.WithCancel(limited(t))
	cancel()
	began := time.Now()
	if _, err := p.Send(ctx, letter); outbound.KindOf(err) != outbound.Retry || time.Since(began) > time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// Recipients whose mailboxes do not answer leave room for others, once that is known of
// them.
func TestSlowRecipientsLeaveRoomForOthers(t *testing.T) {
	a := &awkward{says: script{"RCPT TO:<slow@example.com>": {mute}, "RCPT TO:<slower@example.com>": {mute}}}
	p := opened(t, Settings{SMTP: at(a.serve(t))})
	running, end := context.WithCancel(t.Context())
	to := func(name string, d time.Duration) error {
		ctx, cancel := context.WithTimeout(running, d)
		defer cancel()
		m := letter
		m.To = name + "@example.com"
		_, err := p.Send(ctx, m)
		return err
	}
	slow := []string{"slow", "slower"}
	for _, name := range slow {
		if err := to(name, 50*time.Millisecond); outbound.KindOf(err) != outbound.Retry {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for _, name := range slow {
		all.Go(func() { _ = to(name, time.Minute) })
	}
	for end := time.Now().Add(5 * time.Second); len(a.commands("RCPT TO:<slow")) < 3 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	for range 5 {
		if err := to("oncall", time.Second); err != nil {
			t.Error(err)
		}
	}
	if got := len(a.commands("RCPT TO:<slow")); got != 3 {
		t.Errorf("%d of them are asked for at once", got-2)
	}
	end()
	all.Wait()
}

// A server that takes so many mails over one connection gets the next over another, at
// once. One that takes none is not asked again.
func TestALimitOfMailsForAConnection(t *testing.T) {
	const over = "421 4.7.0 too many messages in this connection"
	a := &awkward{says: script{"MAIL": {usual["MAIL"], over, usual["MAIL"], over}}}
	p := opened(t, Settings{SMTP: at(a.serve(t))})
	for range 2 {
		if _, err := p.Send(limited(t), letter); err != nil {
			t.Error(err)
		}
	}
	if len(a.taken()) != 2 || a.met() != 2 {
		t.Errorf("%d mails over %d connections", len(a.taken()), a.met())
	}
	if _, err := p.Send(limited(t), letter); outbound.KindOf(err) != outbound.Wait || len(a.taken()) != 2 || a.met() != 3 {
		t.Errorf("%v; %d mails over %d connections", err, len(a.taken()), a.met())
	}
	if _, err := p.Send(limited(t), letter); outbound.KindOf(err) != outbound.Wait || a.met() != 4 {
		t.Errorf("%v, over %d connections", err, a.met())
	}
}
