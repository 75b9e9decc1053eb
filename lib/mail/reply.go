package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// untoldWait is how long to wait where a server says that it is asked too often, and
// not for how long; longestWait bounds what one says.
const (
	untoldWait  = time.Minute
	longestWait = 10 * time.Minute
)

// longestWord is how much of what a server says is kept, in characters.
const longestWord = 300

func op(at stage) string { return "SMTP " + string(at) }

// errWide is for an address that the server cannot take, and errWideSender for one of our
// own.
var (
	errWide = &outbound.Error{
		Kind: outbound.Refused, Scope: outbound.ThePlace, Op: op(addressing), Code: "no SMTPUTF8",
		Hint: "the mail server takes addresses in ASCII alone; name another address",
	}
	errWideSender = &outbound.Error{
		Kind: outbound.Refused, Scope: outbound.TheToken, Op: op(sending), Code: "no SMTPUTF8",
		Hint: "the mail server takes addresses in ASCII alone; name another one as sender and reply_to in [delivery]",
	}
)

// reply is what a server said (RFC 5321, 4.2; RFC 3463).
type reply struct {
	at         stage
	code       int
	enhanced   string // as in 5.1.1, or empty
	text       string // in small letters
	persistent bool
}

var enhancedCode = regexp.MustCompile(`^([245]\.\d{1,3}\.\d{1,3})\b`)

// replyOf is the reply in an error, if it is one that refuses.
func replyOf(at stage, err error) (reply, bool) {
	var said *textproto.Error
	if !errors.As(err, &said) || said.Code < 400 || said.Code > 599 {
		return reply{}, false
	}
	return reply{at, said.Code, enhancedCode.FindString(said.Msg), strings.ToLower(said.Msg), said.Code >= 500}, true
}

// agreed leaves out that a reply has another code than is usual, where its first digit
// says that the command was carried out (RFC 5321, 4.3.2).
func agreed(err error) error {
	var said *textproto.Error
	if errors.As(err, &said) && said.Code/100 == 2 {
		return nil
	}
	return err
}

// goesOn reports whether a conversation can go on after a call: the server has answered,
// and did not say that it ends.
func goesOn(err error) bool {
	r, said := replyOf("", err)
	return err == nil || said && r.code != 421 || errors.Is(err, errWide) || errors.Is(err, errWideSender)
}

// endedBefore reports whether a server has ended a conversation before it heard of
// another mail, as those do that take so many over one connection.
func endedBefore(err error) bool {
	var e *outbound.Error
	r, said := replyOf(sending, err)
	return said && r.code == 421 && errors.As(err, &e) && e.Op == op(sending)
}

// failed sorts a failure by the stage and by what the server said. What is not a reply
// says that nothing was done, unless the text had ended: then the server may have it.
func (s *server) failed(ctx context.Context, at stage, err error) error {
	var sorted *outbound.Error
	if errors.As(err, &sorted) { // of the token, say
		return err
	}
	hint, sentence := outbound.InWords(err)
	if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		hint, sentence = outbound.InWords(errors.Join(context.DeadlineExceeded, err))
	}
	e := &outbound.Error{Kind: outbound.Retry, Op: op(at), Err: sentence, Hint: s.instead(at, err, hint)}
	r, said := replyOf(at, err)
	switch {
	case said:
		outbound.Heard(ctx)
		e.Hint = ""
		e.Code = strings.TrimSpace(fmt.Sprintf("%d %s", r.code, message.Line(message.Cut(strings.TrimSpace(errText(err)), longestWord))))
		r.sort(e)
	case at == closing:
		e.Kind = outbound.Unclear
	case errors.Is(err, errNoTLS):
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.TheToken, `use a port at which the server offers it, or set starttls_policy = "opportunistic" if mails may go out in clear`
	case errors.Is(err, errNoWay):
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.TheToken, `see starttls_policy and auth in [smtp], or write auth = "none" if the server needs no login`
	case isCertificate(err):
		e.Kind, e.Scope = outbound.Refused, outbound.TheToken
	}
	return e
}

// instead is what to do where it is another thing for a mail server than for the servers
// of which the hint speaks.
func (s *server) instead(at stage, err error, hint string) string {
	switch {
	case errors.As(err, new(tls.RecordHeaderError)) && s.implicit():
		return "name a port in [smtp] that speaks TLS from the first byte, or leave out implicit_tls at another port than 465"
	case errors.As(err, new(tls.RecordHeaderError)):
		return ""
	case strings.Contains(err.Error(), "remote error: tls:") && strings.Contains(err.Error(), "certificate"):
		return "the server does not take the certificate of the plugin, or wants one; see client_cert and client_key in [smtp]"
	case at == connecting && !s.implicit() && isLate(err):
		return "see host and port in [smtp]; a port that speaks TLS from the first byte needs implicit_tls = true"
	case at == connecting:
		return cmp.Or(hint, "see host and port in [smtp]")
	}
	return hint
}

// isLate reports whether an error says that the time was over.
func isLate(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// errText is the text of a reply.
func errText(err error) string {
	var said *textproto.Error
	errors.As(err, &said)
	return said.Msg
}

func isCertificate(err error) bool {
	var wrong *tls.CertificateVerificationError
	return errors.As(err, &wrong)
}

// sort says what a reply means, and how far it reaches.
func (r reply) sort(e *outbound.Error) {
	switch {
	case !r.persistent:
		r.passing(e)
	case r.at == addressing && r.code != 530:
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.ThePlace, cmp.Or(r.known(), "see that the address exists and takes mail from the sender")
	case r.at == opening || r.at == writing || r.at == closing && r.code != 530:
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.OneCall, "the mail server does not take this mail; what it says is its own rule"
	default: // concerns every mail
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.TheToken, r.advice()
	}
}

// notOfTheAddress are refusals that servers give where the sender or a recipient is named,
// and that say nothing of the recipient.
var notOfTheAddress = []struct{ word, hint string }{
	{"relay", "the mail server takes mail for this address only after a login, or not at all; see username in [smtp]"},
	{"sender address rejected", "the mail server does not take the sender; see that the login may send as the address delivery.sender"},
	{"sender verify", "the mail server does not take the sender; see that the address delivery.sender exists"},
	{"limit exceeded", "the mail server takes no more mails for now; see the limits of the account in [smtp]"},
	{"helo command rejected", "the mail server does not take the name of this machine; set helo in [smtp] to one by which it is known"},
	{"client host", "the mail server lets this machine send no mail; see username in [smtp], and whether its address is on a block list"},
}

// known is what to do about such a refusal, or empty.
func (r reply) known() string {
	for _, refusal := range notOfTheAddress {
		if strings.Contains(r.text, refusal.word) {
			return refusal.hint
		}
	}
	return ""
}

// advice is what to do about a refusal of every mail.
func (r reply) advice() string {
	switch {
	case r.enhanced == "5.7.30" || strings.Contains(r.text, "basic authentication"):
		return `the server takes no passwords any more; use auth = "xoauth2" and [smtp.oauth]`
	case r.at == loggingIn || r.code == 530:
		return "see username, password and auth in [smtp]"
	case r.at == sending:
		return cmp.Or(r.known(), "see that the login may send as the address delivery.sender")
	case r.at == greeting && slices.Contains([]int{500, 502, 504}, r.code):
		return "the server does not know EHLO, and so neither STARTTLS nor a login; see host and port in [smtp]"
	case r.at == securing:
		return "the server offers STARTTLS and does not do it, which is often for want of a certificate; have it put right there"
	case r.at == greeting:
		return "set helo in [smtp] to a name by which this machine is known"
	}
	return "see host and port in [smtp], and that the server lets this machine in"
}

// passing sorts a reply that asks to come again.
func (r reply) passing(e *outbound.Error) {
	wait := toldWait(r.text)
	tooFast := r.code != 452 && (rate.MatchString(r.text) || strings.Contains(r.text, "throttl") ||
		strings.Contains(r.text, "too many") || r.enhanced == "4.7.0" && r.at != loggingIn || strings.Contains(r.text, "concurrent connections"))
	if wait == 0 && !tooFast {
		return
	}
	e.Kind, e.After = outbound.Wait, cmp.Or(wait, untoldWait)
	if r.at == addressing {
		e.Scope = outbound.ThePlace // grey lists and limits of a mailbox
	}
}

// rate is the word for how much is sent in a time, alone or before another one.
var rate = regexp.MustCompile(`\brate(s|d|[- ]?limit\w*)?\b`)

// soon is how servers with grey lists say when to come again.
var soon = regexp.MustCompile(`(?:\bagain in|\bagain after|\blater in|listed for|\bback in|\bretry in|\bretry after|\bwait) (\d{1,6}) ?(s|sec|secs|second|seconds|min|mins|minute|minutes)\b`)

// toldWait is how long a text says to wait, or zero.
func toldWait(text string) time.Duration {
	m := soon.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // six digits
	unit := time.Second
	if strings.HasPrefix(m[2], "m") {
		unit = time.Minute
	}
	return min(max(time.Duration(n)*unit, time.Second), longestWait)
}
