package farend

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/panel"
)

// What a mail tells, by which faults and counters name it.
const (
	announced = "announcement"
	reviewed  = "review"
	resolved  = "resolution"
	noMail    = "mail"
)

// letter is a mail as it arrived.
type letter struct {
	id, subject, plain, html string
	from                     string
	references               []string
	date, arrived            time.Time
	kind, request, state     string
	shown                    panel.Rendered
	removed                  bool
}

// inbox is a mailbox. It keeps a mail once, by its Message-ID and its Date, as Exchange
// and Cyrus do.
type inbox struct {
	address string
	letters []*letter
	repeats int
}

// maxLine is how long a line can be, its end included (RFC 5322, 2.1.1).
const maxLine = 1000

// wellFormed says what is wrong with the form of a mail: its lines, and its characters.
func wellFormed(text []byte) error {
	for line := range bytes.Lines(text) {
		switch {
		case len(line) > maxLine:
			return errors.New("a line is too long")
		case !bytes.HasSuffix(line, []byte("\r\n")) || bytes.ContainsAny(line[:len(line)-2], "\r\x00"):
			return errors.New("a line does not end in CRLF")
		case bytes.ContainsFunc(line, func(r rune) bool { return r > '~' }):
			return errors.New("a character is not ASCII")
		}
	}
	return nil
}

// once are the headers that a mail must have once (RFC 5322, 3.6; RFC 3834).
var once = []string{"From", "To", "Subject", "Date", "Message-Id", "Mime-Version", "Content-Type", "Auto-Submitted"}

// read takes a mail apart, and refuses one that is not as it should be.
func read(text []byte, to string, now time.Time) (*letter, error) {
	if err := wellFormed(text); err != nil {
		return nil, err
	}
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	for _, name := range once {
		if len(m.Header[name]) != 1 {
			return nil, fmt.Errorf("the header %s is there %d times", name, len(m.Header[name]))
		}
	}
	l := &letter{id: strings.Trim(m.Header.Get("Message-Id"), "<>"), arrived: now}
	if err := l.header(m.Header, to); err != nil {
		return nil, err
	}
	if err := l.parts(m); err != nil {
		return nil, err
	}
	l.tell()
	return l, nil
}

// header reads what stands above the text.
func (l *letter) header(h mail.Header, to string) (err error) {
	if l.date, err = h.Date(); err != nil {
		return fmt.Errorf("reading the date: %w", err)
	}
	list, err := h.AddressList("To")
	if err != nil || len(list) != 1 || !strings.EqualFold(list[0].Address, to) {
		return fmt.Errorf("the header To is not %s alone", to)
	}
	from, err := mail.ParseAddress(h.Get("From"))
	if err != nil {
		return fmt.Errorf("reading the sender: %w", err)
	}
	l.from = from.String()
	if l.subject, err = new(mime.WordDecoder).DecodeHeader(h.Get("Subject")); err != nil {
		return fmt.Errorf("reading the subject: %w", err)
	}
	for _, id := range strings.Fields(h.Get("References")) {
		l.references = append(l.references, strings.Trim(id, "<>"))
	}
	if last := strings.Trim(h.Get("In-Reply-To"), "<>"); last != "" && !slices.Contains(l.references, last) {
		return errors.New("the mail answers one to which it does not refer")
	}
	return nil
}

// parts reads the two forms of the text.
func (l *letter) parts(m *mail.Message) error {
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return fmt.Errorf("the mail is %q and has no alternatives", kind)
	}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("reading the parts: %w", err)
		}
		if err := l.part(part); err != nil {
			return err
		}
	}
	if l.plain == "" || l.html == "" {
		return errors.New("the mail lacks a part, or has them in the wrong order")
	}
	l.shown = panel.Render(render(l.html))
	return nil
}

// part reads one of them. The plain one comes first.
func (l *letter) part(part *multipart.Part) error {
	kind, params, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" || !strings.EqualFold(params["charset"], "utf-8") {
		return errors.New("a part is not in UTF-8 and quoted-printable")
	}
	text, err := io.ReadAll(quotedprintable.NewReader(bufio.NewReader(part)))
	if err != nil {
		return fmt.Errorf("reading a part: %w", err)
	}
	switch {
	case kind == "text/plain" && l.html == "":
		l.plain = strings.ReplaceAll(string(text), "\r\n", "\n")
	case kind == "text/html":
		l.html = string(text)
	}
	return nil
}

var (
	idLine      = regexp.MustCompile(`(?m)^ID: ([0-9a-zA-Z-]+)$`)
	statusLine  = regexp.MustCompile(`(?m)^Status: [^A-Z\n]*([A-Z]+)`)
	lastOfTitle = regexp.MustCompile(`Role Request ([0-9a-zA-Z-]+)$`)
)

// tell finds out what a mail says about which request, as a reader would.
func (l *letter) tell() {
	first, _, _ := strings.Cut(l.plain, "\n")
	switch {
	case strings.HasPrefix(first, "You have a new Role Request"):
		l.kind = announced
	case strings.HasPrefix(first, "Role Request has been resolved"):
		l.kind = resolved
	case strings.Contains(first, " reviewed the request at "):
		l.kind = reviewed
	default:
		l.kind = noMail
	}
	if m := lastOfTitle.FindStringSubmatch(l.subject); m != nil {
		l.request = m[1]
	}
	if m := idLine.FindStringSubmatch(l.plain); m != nil {
		l.request = m[1]
	}
	if m := statusLine.FindStringSubmatch(l.plain); m != nil {
		l.state = m[1]
	}
}

// put keeps a mail, unless it is there.
func (b *inbox) put(l *letter) {
	for _, have := range b.letters {
		if have.id == l.id && have.date.Equal(l.date) {
			b.repeats++
			return
		}
	}
	b.letters = append(b.letters, l)
}

// conversation is by what mail clients keep mails together: the first mail that one
// refers to, be it there or not.
func (l *letter) conversation() string {
	if len(l.references) > 0 {
		return l.references[0]
	}
	return l.id
}

// foreign reports whether another program has sent the mail.
func (l *letter) foreign() bool { return !strings.HasPrefix(l.id, "teleport.") }

// heads are, for each mail, the first mail of its conversation that is still there. A mail
// that was removed stands alone.
func (b *inbox) heads() map[*letter]*letter {
	heads, first := make(map[*letter]*letter), make(map[string]*letter)
	for _, l := range b.letters {
		heads[l] = l
		switch have := first[l.conversation()]; {
		case l.removed:
		case have == nil:
			first[l.conversation()] = l
		default:
			heads[l] = have
		}
	}
	return heads
}

// states are how the request stands for who reads a conversation: as the newest mail
// says about it. Of conversations that another program began twice about a
// request only one goes on; readers know by the subject that the other one is over.
func (b *inbox) states(heads map[*letter]*letter) map[*letter]string {
	states, told := make(map[*letter]string), make(map[string]string)
	foreign := make(map[string][]*letter)
	for _, l := range b.letters {
		if l.state != "" {
			told[l.conversation()] = l.state
		}
		if l.foreign() {
			foreign[l.request] = append(foreign[l.request], l)
		}
		if states[heads[l]] = told[l.conversation()]; l.kind == resolved {
			for _, other := range foreign[l.request] {
				states[heads[other]] = l.state
			}
		}
	}
	return states
}
