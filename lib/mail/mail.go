// Package mail carries mails, by SMTP or by Mailgun's API, and says what became of each.
// It knows nothing of what they are about.
//
// A mail cannot be looked up once it is on its way. One whose fate is not known is sent
// again as the same mail, which most mail systems keep once.
package mail

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Mail is a mail to one person.
type Mail struct {
	// ID is the Message-ID without angle brackets, and the same in every attempt.
	ID string
	To string
	// References are the ids of the mails that it belongs below, the oldest first.
	References []string
	Date       time.Time
	Subject    string
	// Plain and HTML are the same text, for readers of either.
	Plain, HTML string
}

// MIME is the mail as it goes out (RFC 5322, RFC 2045): lines of ASCII, each at most 998
// characters long, that end in CRLF. The same mail is the same text.
func (m Mail) MIME(from, replyTo *mail.Address) ([]byte, error) {
	// Nobody can write a text that holds a sum of the text itself, and so ends its part.
	boundary := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%q %q %q", m.ID, m.Plain, m.HTML)))
	out := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP), gomail.WithBoundary(boundary[:40]))
	out.FromMailAddress(from)
	out.ToMailAddress(&mail.Address{Address: m.To})
	if replyTo != nil {
		out.ReplyToMailAddress(replyTo)
	}
	out.Subject(m.Subject)
	out.SetDateWithValue(m.Date)
	out.SetMessageIDWithValue(m.ID)
	if n := len(m.References); n > 0 {
		out.SetGenHeader(gomail.HeaderInReplyTo, "<"+m.References[n-1]+">")
		out.SetGenHeader(gomail.HeaderReferences, "<"+strings.Join(m.References, "> <")+">")
	}
	out.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	out.SetGenHeader("X-Auto-Response-Suppress", "All")  // the same for Exchange
	out.SetBodyString(gomail.TypeTextPlain, m.Plain)     // the last part is the best (RFC 2046, 5.1.4)
	out.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	var b bytes.Buffer
	if _, err := out.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("writing the mail: %w", err)
	}
	return b.Bytes(), nil
}
