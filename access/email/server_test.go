package email_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"teleport-plugins/access/email/farend"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

func TestWaysIn(t *testing.T) {
	for name, tc := range map[string]struct {
		traits farend.Traits
		smtp   map[string]any
		says   string // of the refusal; empty for success
	}{
		"usual":                         {},
		"plain":                         {farend.Traits{Ways: []string{"PLAIN"}}, nil, ""},
		"login":                         {farend.Traits{Ways: []string{"LOGIN"}}, nil, ""},
		"cram-md5":                      {farend.Traits{Ways: []string{"CRAM-MD5"}}, nil, ""},
		"the way of the config":         {farend.Traits{Ways: []string{"PLAIN", "LOGIN", "CRAM-MD5"}}, map[string]any{"auth": "LOGIN"}, ""},
		"a way that is not offered":     {farend.Traits{Ways: []string{"LOGIN"}}, map[string]any{"auth": "plain"}, `no way to log in: the server offers "LOGIN"`},
		"no way that is known":          {farend.Traits{Ways: []string{"GSSAPI"}}, nil, `no way to log in: the server offers "GSSAPI"`},
		"another password":              {farend.Traits{}, map[string]any{"password": "x"}, "535 5.7.8 Authentication failed; see username, password and auth in [smtp]"},
		"no login where one is needed":  {farend.Traits{}, map[string]any{"auth": "none"}, "530 5.7.0 Authentication required; see username"},
		"TLS from the first byte":       {farend.Traits{Implicit: true}, nil, ""},
		"STARTTLS where it is optional": {farend.Traits{}, map[string]any{"starttls_policy": "opportunistic"}, ""},
		"no STARTTLS":                   {farend.Traits{NoTLS: true}, nil, "SMTP STARTTLS: the server does not offer STARTTLS"},
		"no STARTTLS, which may be":     {farend.Traits{NoTLS: true}, map[string]any{"starttls_policy": "opportunistic"}, ""},
		"TLS is switched off":           {farend.Traits{NoTLS: true}, map[string]any{"starttls_policy": "disabled"}, ""},
		"a foreign certificate":         {farend.Traits{Foreign: true}, nil, "the server's certificate is for another name"},
		"an unknown authority":          {farend.Traits{}, map[string]any{"host": "localhost"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tc.traits, tc.smtp)
			_, err := r.tell(oncall, announce, pending())
			if (err == nil) != (tc.says == "") || err != nil && (!strings.Contains(err.Error(), tc.says) || !outbound.RefusesToken(err)) {
				t.Errorf("got %v", err)
			}
			if got := r.mails(oncall); (got == 1) != (tc.says == "") {
				t.Errorf("%d mails arrived", got)
			}
			if again := r.service.Check(t.Context()); (again == nil) != (tc.says == "") {
				t.Errorf("the check says %v", again)
			}
		})
	}
}

// Nothing but the end of the text leaves it open whether a mail went out, and no stage can
// hang longer than the call may take.
func TestEachStageCanFail(t *testing.T) {
	for _, stage := range []string{"EHLO", "AUTH", "MAIL", "RCPT", "announcement"} {
		for effect, want := range map[fault.Effect]outbound.Kind{
			fault.Cut: outbound.Retry, fault.Hang: outbound.Retry, fault.Garbage: outbound.Retry, fault.Status: outbound.Retry, fault.DoneNotAnswered: outbound.Retry,
		} {
			if stage == "announcement" && effect != fault.Status {
				want = outbound.Unclear
			}
			t.Run(stage+" "+string(effect), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, farend.Traits{}, nil)
				r.far.Faults().Add(fault.Fault{Method: stage, Effect: effect, Times: 1})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begun := time.Now()
				_, err := r.service.Tell(ctx, integration.Place{Address: oncall}, announce, pending())
				if err == nil || outbound.KindOf(err) != want || time.Since(begun) > 2*time.Second {
					t.Errorf("after %v: %v, of the kind %q", time.Since(begun), err, outbound.KindOf(err))
				}
				if effect == fault.Hang && !strings.Contains(err.Error(), "no answer within ") {
					t.Errorf("it says %v", err)
				}
				if len(r.far.Faults().List()) > 0 {
					t.Error("the fault did not hit")
				}
				if _, err := r.tell(oncall, announce, pending()); err != nil || r.mails(oncall) != 1 {
					t.Errorf("after the fault: %v, %d mails", err, r.mails(oncall))
				}
			})
		}
	}
}

// A repeated mail is the same mail.
func TestALostAnswerIsRepeatedToTheLetter(t *testing.T) {
	r := newRig(t, farend.Traits{}, nil)
	v := reviewed(pending())
	v.Status = request.Approved
	m, err := r.tell(oncall, announce, v)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range []integration.Effect{review, end(v)} {
		r.far.Faults().Add(fault.Fault{Effect: fault.DoneNotAnswered, Method: []string{"review", "resolution"}[i], Times: 1})
		if _, err := r.tell(oncall, e, v, m); outbound.KindOf(err) != outbound.Unclear {
			t.Errorf("%v: %v", e, err)
		}
		if _, err := r.tell(oncall, e, v, m); err != nil {
			t.Errorf("%v again: %v", e, err)
		}
	}
	texts := make(map[string]int)
	for _, c := range r.far.Requests() {
		texts[c.Path]++
	}
	delete(texts, "")
	if len(texts) != 3 || r.far.Repeats() != 2 || r.mails(oncall) != 3 {
		t.Errorf("%d different mails, %d repeats, %d mails arrived", len(texts), r.far.Repeats(), r.mails(oncall))
	}
}

// Several mails go over one connection, and at most two connections are open.
func TestConnectionsAreFewAndUsedAgain(t *testing.T) {
	r := newRig(t, farend.Traits{}, nil)
	v := pending()
	for range 5 {
		if _, err := r.tell(oncall, announce, v); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.far.Opened(); got != 1 {
		t.Errorf("%d connections for mails that go out one after the other", got)
	}
	r.far.SetLatency(20 * time.Millisecond)
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		all.Go(func() {
			w := v
			w.ID = name
			if _, err := r.tell(oncall, announce, w); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := r.far.Opened(); got != 2 {
		t.Errorf("%d connections for mails at once", got)
	}
	if _, err := r.tell("nobody@example.com", announce, v); outbound.KindOf(err) != outbound.Refused || outbound.ScopeOf(err) != outbound.ThePlace {
		t.Errorf("a recipient who is not there: %v", err)
	}
	if _, err := r.tell(oncall, announce, v); err != nil || r.far.Opened() != 2 {
		t.Errorf("after a refusal: %v, %d connections", err, r.far.Opened())
	}
}

// A connection that the server has closed meanwhile is no failure.
func TestAClosedConnectionIsOpenedAnew(t *testing.T) {
	r := newRig(t, farend.Traits{}, nil)
	if _, err := r.tell(oncall, announce, pending()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.far.Close(), r.far.Start()); err != nil {
		t.Fatal(err)
	}
	// The server has a new certificate after that, which its authority file has too.
	r.service = build(t, r.far.Config()).Service
	for range 2 {
		if _, err := r.tell(oncall, announce, pending()); err != nil {
			t.Error(err)
		}
	}
	r.far.RenewToken()
	r.service = build(t, r.far.Config()).Service
	if _, err := r.tell(oncall, announce, pending()); err != nil {
		t.Errorf("with the new password: %v", err)
	}
}

// A password that is replaced in its file is taken up, and a check does not believe the
// connection that is still there.
func TestPasswordIsReadAnew(t *testing.T) {
	far := newRig(t, farend.Traits{}, nil).far
	path := filepath.Join(t.TempDir(), "password")
	put := func() {
		if err := os.WriteFile(path+".new", []byte(far.Token()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	put()
	tree := far.Config()
	tree["smtp"].(map[string]any)["password"] = path
	r := &rig{t, far, build(t, tree).Service}
	if _, err := r.tell(oncall, announce, pending()); err != nil {
		t.Fatal(err)
	}
	far.RenewToken()
	if err := r.service.Check(t.Context()); !outbound.RefusesToken(err) {
		t.Errorf("with the old password: %v", err)
	}
	put()
	if err := r.service.Check(t.Context()); err != nil {
		t.Errorf("with the new password: %v", err)
	}
}

func TestRecipientsAreProvedWithoutAMail(t *testing.T) {
	r := newRig(t, farend.Traits{}, nil)
	inspector := r.service.(plugin.Inspector)
	for name, says := range map[string]string{
		oncall: "", "ONCALL@example.com": "", "nobody@example.com": "550 5.1.1 User unknown",
		"On Call <oncall@example.com>": "does not look like a valid email", "#general": "does not look like a valid email",
		"jürgen@example.com": "takes addresses in ASCII alone",
	} {
		if err := inspector.Prove(t.Context(), name); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r.mails(oncall) != 0 {
		t.Error("a mail was sent")
	}
	wide := newRig(t, farend.Traits{Wide: true}, nil)
	if err := wide.service.(plugin.Inspector).Prove(t.Context(), "jürgen@example.com"); err == nil || !strings.Contains(err.Error(), "User unknown") {
		t.Errorf("a server with SMTPUTF8: %v", err)
	}
}

func TestAddressesAreOneInAnyCase(t *testing.T) {
	r := newRig(t, farend.Traits{}, nil)
	got, err := r.service.Resolve(t.Context(), "OnCall@Example.com")
	if err != nil || got != oncall {
		t.Errorf("got %q, %v", got, err)
	}
}

// A server that never says whether it took a mail gets it a few times, ever more seldom,
// and then it counts as told.
func TestAMailIsNotSentForEver(t *testing.T) {
	r := newRig(t, farend.Traits{}, nil)
	r.far.Faults().Add(fault.Fault{Method: "announcement", Effect: fault.DoneNotAnswered})
	var waits []time.Duration
	finder := r.service.(integration.Finder)
	for range 6 {
		_, err := finder.Find(t.Context(), integration.Place{Address: oncall}, announce, pending())
		if outbound.KindOf(err) != outbound.Unclear {
			t.Fatalf("after %v: %v", waits, err)
		}
		waits = append(waits, outbound.AfterOf(err))
	}
	if !slices.Equal(waits, []time.Duration{0, 0, 10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute}) {
		t.Errorf("the pauses are %v", waits)
	}
	found, err := finder.Find(t.Context(), integration.Place{Address: oncall}, announce, pending())
	if err != nil || len(found) != 1 || r.far.Calls("announcement") != 6 || r.mails(oncall) != 1 {
		t.Errorf("found %v, %v, after %d calls", found, err, r.far.Calls("announcement"))
	}
	other := reviewed(pending())
	if _, err := r.tell(oncall, review, other, found[0]); err != nil {
		t.Errorf("what follows: %v", err)
	}
}

// That somebody is refused now does not say that an earlier mail was not taken.
func TestWhatIsInDoubtIsNotRefused(t *testing.T) {
	r := newRig(t, farend.Traits{}, nil)
	finder := r.service.(integration.Finder)
	_, err := finder.Find(t.Context(), integration.Place{Address: "nobody@example.com"}, announce, pending())
	if _, repeats := r.service.(integration.Repeater); !repeats || outbound.KindOf(err) != outbound.Refused || outbound.ScopeOf(err) != outbound.ThePlace {
		t.Errorf("got %v, of the kind %q", err, outbound.KindOf(err))
	}
	r.far.RefuseToken(true)
	if _, err := finder.Find(t.Context(), integration.Place{Address: oncall}, announce, pending()); !outbound.RefusesToken(err) {
		t.Errorf("got %v", err)
	}
}
