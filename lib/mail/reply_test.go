package mail

import (
	"context"
	"errors"
	"io"
	"net"
	"net/textproto"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"teleport-plugins/lib/outbound"
)

// The replies are those of Postfix, Exchange Online, Gmail, Amazon and of servers with
// grey lists.
func TestReplies(t *testing.T) {
	const retry, wait, refused = outbound.Retry, outbound.Wait, outbound.Refused
	for name, tc := range map[string]struct {
		at    stage
		code  int
		text  string
		kind  outbound.Kind
		scope outbound.Scope
		after time.Duration
		hint  string
	}{
		"busy":                       {connecting, 421, "4.3.2 Service not available", retry, 0, 0, ""},
		"too many connections":       {connecting, 421, "4.3.2 The maximum number of concurrent connections has exceeded a limit", wait, 0, time.Minute, ""},
		"not let in":                 {connecting, 554, "5.7.1 You are not allowed to connect", refused, outbound.TheToken, 0, "lets this machine in"},
		"a bad name":                 {greeting, 550, "5.7.1 Invalid credentials for relay: localhost", refused, outbound.TheToken, 0, "helo"},
		"TLS is out of order":        {securing, 454, "4.7.0 TLS not available due to temporary reason", wait, 0, time.Minute, ""},
		"a wrong password":           {loggingIn, 535, "5.7.8 Error: authentication failed", refused, outbound.TheToken, 0, "username, password and auth"},
		"Gmail's wrong password":     {loggingIn, 534, "5.7.9 Application-specific password required", refused, outbound.TheToken, 0, "username"},
		"no passwords any more":      {loggingIn, 550, "5.7.30 Basic authentication is not supported for Client Submission", refused, outbound.TheToken, 0, "xoauth2"},
		"passwords are switched off": {loggingIn, 535, "5.7.139 Authentication unsuccessful, basic authentication is disabled", refused, outbound.TheToken, 0, "xoauth2"},
		"the login is out of order":  {loggingIn, 454, "4.7.0 Temporary authentication failure", retry, 0, 0, ""},
		"too many logins":            {loggingIn, 454, "4.7.0 Too many login attempts, please try again later", wait, 0, time.Minute, ""},
		"login needed":               {sending, 530, "5.7.0 Must issue a STARTTLS command first", refused, outbound.TheToken, 0, "username"},
		"not as this sender":         {sending, 553, "5.7.1 Sender address rejected: not owned by user", refused, outbound.TheToken, 0, "delivery.sender"},
		"Amazon's limit":             {sending, 454, "Throttling failure: Maximum sending rate exceeded.", wait, 0, time.Minute, ""},
		"Amazon's quota":             {sending, 454, "Throttling failure: Daily message quota exceeded.", wait, 0, time.Minute, ""},
		"nobody of that name":        {addressing, 550, "5.1.1 <x@example.com>: Recipient address rejected: User unknown", refused, outbound.ThePlace, 0, "address exists"},
		"a full mailbox for good":    {addressing, 552, "5.2.2 Mailbox full", refused, outbound.ThePlace, 0, "address exists"},
		"a disabled mailbox":         {addressing, 550, "5.2.1 Mailbox disabled", refused, outbound.ThePlace, 0, "address exists"},
		"no relay":                   {addressing, 554, "5.7.1 <x@example.net>: Relay access denied", refused, outbound.ThePlace, 0, "after a login"},
		"login needed to relay":      {addressing, 530, "5.7.0 Authentication required", refused, outbound.TheToken, 0, "username"},
		"a full mailbox for now":     {addressing, 452, "4.2.2 Over quota", retry, 0, 0, ""},
		"a grey list":                {addressing, 450, "4.2.0 <x@example.com>: Recipient address rejected: Greylisted", retry, 0, 0, ""},
		"a grey list that says when": {addressing, 450, "4.2.0 Greylisted, please try again in 300 seconds", wait, outbound.ThePlace, 5 * time.Minute, ""},
		"one that says minutes":      {addressing, 451, "4.7.1 Greylisted for 5 minutes", wait, outbound.ThePlace, 5 * time.Minute, ""},
		"one that asks for too long": {addressing, 450, "4.7.1 come back in 999999 seconds", wait, outbound.ThePlace, longestWait, ""},
		"the limit of a mailbox":     {addressing, 450, "4.7.0 This user is receiving mail at a rate that is too high", wait, outbound.ThePlace, time.Minute, ""},
		"a time that is over":        {sending, 421, "4.4.2 idle for 300 seconds, closing", retry, 0, 0, ""},
		"temporary is no rate":       {addressing, 451, "4.3.0 Temporary lookup failure", retry, 0, 0, ""},
		"a rate and no corporation":  {addressing, 450, "4.3.2 corporate policy: cannot generate an answer, operation integrated", retry, 0, 0, ""},
		"a rate in one word":         {sending, 450, "4.3.2 account is ratelimited", wait, 0, time.Minute, ""},
		"Gmail's limit":              {sending, 550, "5.4.5 Daily user sending limit exceeded", refused, outbound.TheToken, 0, "see the limits of the account"},
		"a sender who is not there":  {sending, 550, "Sender verify failed", refused, outbound.TheToken, 0, "see that the address delivery.sender exists"},
		"TLS without a certificate":  {securing, 554, "5.7.3 Unable to initialize security subsystem", refused, outbound.TheToken, 0, "offers STARTTLS and does not do it"},
		"EHLO is not known":          {greeting, 502, "5.5.1 not implemented", refused, outbound.TheToken, 0, "does not know EHLO"},
		"no recipients":              {opening, 554, "5.5.1 No valid recipients", refused, outbound.OneCall, 0, "does not take this mail"},
		"content":                    {closing, 554, "5.7.1 Message rejected as spam by content filtering", refused, outbound.OneCall, 0, "does not take this mail"},
		"too large":                  {closing, 552, "5.3.4 Message size exceeds fixed limit", refused, outbound.OneCall, 0, "does not take this mail"},
		"Amazon's sandbox":           {closing, 554, "Message rejected: Email address is not verified.", refused, outbound.OneCall, 0, "does not take this mail"},
		"later":                      {closing, 451, "4.3.0 queue file write error", retry, 0, 0, ""},
		"ends after the text":        {closing, 421, "4.4.2 timeout exceeded", retry, 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var e *outbound.Error
			s := &server{}
			if err := s.failed(t.Context(), tc.at, &textproto.Error{Code: tc.code, Msg: tc.text}); !errors.As(err, &e) {
				t.Fatal(err)
			}
			if e.Kind != tc.kind || e.Scope != tc.scope || e.After != tc.after || !strings.Contains(e.Hint, tc.hint) || !outbound.Answered(e) {
				t.Errorf("got %q, scope %d, after %v, hint %q", e.Kind, e.Scope, e.After, e.Hint)
			}
			if !strings.Contains(e.Error(), tc.text) {
				t.Errorf("the text is not in %q", e.Error())
			}
		})
	}
}

// What is no reply is never taken for one, and leaves it open whether a mail went out
// only after its end.
func TestWhatIsNoReply(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tc := range map[string]struct {
		ctx  context.Context
		err  error
		says string
	}{
		"closed":     {t.Context(), io.EOF, "the connection was closed"},
		"reset":      {t.Context(), &net.OpError{Op: "read", Err: syscall.ECONNRESET}, "broken off"},
		"a page":     {t.Context(), textproto.ProtocolError("short response: <html>"), "short response"},
		"out of row": {t.Context(), &textproto.Error{Code: 354, Msg: "go ahead"}, "go ahead"},
		"in time":    {t.Context(), &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, "no answer in time"},
		"over":       {done, &net.OpError{Op: "read", Err: errors.New("i/o timeout")}, "no answer in time"},
	} {
		for _, at := range []stage{connecting, greeting, securing, loggingIn, sending, addressing, opening, writing, closing} {
			want := outbound.Retry
			if at == closing {
				want = outbound.Unclear
			}
			err := (&server{}).failed(tc.ctx, at, tc.err)
			if outbound.KindOf(err) != want || outbound.Answered(err) || !strings.Contains(err.Error(), tc.says) || !strings.HasPrefix(err.Error(), "SMTP "+string(at)) {
				t.Errorf("%s at %s: %v, of the kind %q", name, at, err, outbound.KindOf(err))
			}
		}
	}
}
