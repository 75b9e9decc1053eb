package mail

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"net/url"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/recent"
)

// carrier takes mails away. Its errors are of the kinds of lib/outbound.
type carrier interface {
	// deliver hands a mail over, once, and returns the id under which it goes.
	deliver(ctx context.Context, m Mail, text []byte) (id string, err error)
	// Check says whether mails from the sender are taken at all.
	Check(ctx context.Context) error
	// prove looks whether mails to an address are taken, without sending one.
	prove(ctx context.Context, to string) error
}

// Post carries mails. Make one with New; it may be used by several goroutines. The errors
// of calls are of the kinds of lib/outbound.
type Post struct {
	carrier
	from, replyTo *mail.Address
	unclear       *recent.Memory[string, int] // attempts at mails whose fate is not known, by id
	log           *zap.Logger
}

// mostUnclear is how many mails are remembered whose fate is not known.
const mostUnclear = 1000

// New makes a Post of settings that are valid.
func New(s Settings, t *outbound.Transport, log *zap.Logger) (p *Post, err error) {
	p = &Post{unclear: recent.New[string, int](mostUnclear), log: log}
	if p.from, err = address(s.Sender.Address); err != nil {
		return nil, fmt.Errorf("delivery.sender: %w", err)
	}
	if s.Sender.ReplyTo != "" {
		if p.replyTo, err = address(s.Sender.ReplyTo); err != nil {
			return nil, fmt.Errorf("delivery.reply_to: %w", err)
		}
	}
	if s.SMTP.Host != "" {
		p.carrier, err = newServer(s.SMTP, p.from, p.replyTo, t)
	} else {
		p.carrier, err = newMailgun(s.Mailgun, t)
	}
	return p, err
}

// Domain is what stands behind the @ of the sender, in ASCII.
func (p *Post) Domain() string { return domainOf(p.from) }

// Prove looks whether mails to an address are taken, without sending one.
func (p *Post) Prove(ctx context.Context, to string) error {
	return p.prove(ctx, wire(to)) //nolint:wrapcheck // of the kinds of lib/outbound
}

// pauses follow the attempts at a mail whose fate is not known. A server that takes a mail
// each time and never says so would fill a mailbox otherwise.
var pauses = []time.Duration{0, 0, 10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute}

// Send sends a mail once, and returns the id under which it goes. One whose fate was not
// known so often that there is no further pause counts as sent: it most likely is.
func (p *Post) Send(ctx context.Context, m Mail) (id string, err error) {
	m.To = wire(m.To)
	text, err := m.MIME(p.from, p.replyTo)
	if err != nil {
		return "", err
	}
	form := url.Values{"message_id": {m.ID}, "subject": {m.Subject}, "text": {m.Plain}, "html": {m.HTML}}
	if outbound.Rehearsing(ctx, outbound.Held{Method: "MAIL", Path: m.To, ContentType: "application/x-www-form-urlencoded", Body: []byte(form.Encode())}) {
		return "", &outbound.Error{Kind: outbound.Retry, Op: "mail", Code: "rehearsed"}
	}
	n, _ := p.unclear.Get(m.ID)
	switch n {
	case len(pauses):
		p.log.Warn("A mail was sent several times, and the mail server never said whether it took it; it is not sent again",
			zap.String("recipient", m.To), zap.String("message_id", m.ID))
		return m.ID, nil
	case len(pauses) - 1: // the last attempt counts only where the server is well otherwise
		if err := p.Check(ctx); err != nil {
			return "", err //nolint:wrapcheck // of the kinds of lib/outbound
		}
	}
	id, err = p.deliver(ctx, m, text)
	var fault *outbound.Error
	if errors.As(err, &fault) && fault.Kind == outbound.Unclear {
		fault.After = pauses[n]
		if n < len(pauses)-1 || mayBeTaken(fault.Status) {
			n++
		}
		p.unclear.Put(m.ID, n)
	}
	return id, err //nolint:wrapcheck // of the kinds of lib/outbound
}

// mayBeTaken reports whether a mail that was answered with an HTTP status, or zero for
// none, is likely to be there: nothing has said that it failed.
func mayBeTaken(status int) bool { return status < 300 || status == http.StatusGatewayTimeout }
