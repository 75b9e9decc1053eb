package farend

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"teleport-plugins/access/email"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

// sender is the address that mails come from.
const sender = "teleport@example.com"

// Service describes mailboxes behind a mail server.
func Service() farend.Service {
	return farend.Service{
		Integration: email.Integration(),
		Simulate:    func(o farend.Options) farend.FarEnd { return New(o, Traits{}) },
		Methods:     farend.Methods{Post: announced, Edit: resolved},
		Refusals:    []string{"550 5.1.1 User unknown", "550 5.2.1 Mailbox disabled"},
		Accent:      "#8a5a00", Side: "#3d2a05",
	}
}

// Mailgun describes mailboxes behind Mailgun.
func Mailgun() farend.Service {
	s := Service()
	s.Simulate = func(o farend.Options) farend.FarEnd { return NewMailgun(o) }
	return s
}

// way is what serves mailboxes.
type way interface {
	farend.Server
	Look(read func())
	Change(do func())
	Changed()
}

// Office is simulated mailboxes, and what delivers to them.
type Office struct {
	way
	farend.Tokens
	places []string
	smtpd  *smtpd // nil for Mailgun

	// The lock of the way guards the rest.
	taken   string // the password
	inboxes []*inbox
}

func newOffice(o farend.Options) *Office {
	f := &Office{taken: "correct-horse-battery-2718", places: []string{"oncall@example.com", "security@example.com", "platform@example.com"}}
	for i := range o.Places {
		f.places = append(f.places, fmt.Sprintf("team-%03d@example.com", i))
	}
	for _, name := range append(slices.Clone(f.places), "alice@example.com", "bob@example.com", "carol@example.com", "dave@example.com", "mallory@example.com") {
		f.inboxes = append(f.inboxes, &inbox{address: name})
	}
	take := func(password string) {
		f.Change(func() {
			f.taken = password
			if f.smtpd != nil {
				f.smtpd.hurry()
			}
		})
	}
	f.Tokens = farend.Tokens{Valid: f.taken, Next: "renewed-horse-battery-3141", Allow: take, Deny: func(string) { take("another-password") }}
	return f
}

// New makes mailboxes behind a mail server, which does not serve yet.
func New(o farend.Options, t Traits) *Office {
	f := newOffice(o)
	f.smtpd = &smtpd{Server: apiserver.New("the simulated mail server", "", apiserver.Options{KeepRequests: o.KeepCalls}, nil), o: f, traits: t}
	f.way = f.smtpd
	return f
}

// NewMailgun makes mailboxes behind Mailgun, which does not serve yet.
func NewMailgun(o farend.Options) *Office {
	f := newOffice(o)
	f.way = apiserver.New("the simulated Mailgun", "", apiserver.Options{KeepRequests: o.KeepCalls}, gun{f})
	return f
}

// Config is the sections for the way, and the sender.
func (f *Office) Config() map[string]any {
	all := map[string]any{"delivery": map[string]any{"sender": "Teleport <" + sender + ">", "requester_notice": true}}
	if f.smtpd == nil {
		all["mailgun"] = map[string]any{"domain": domain, "private_key": f.Token(), "api_base": f.URL()}
		return all
	}
	host, port, _ := net.SplitHostPort(strings.TrimPrefix(f.URL(), "smtp://"))
	n, _ := strconv.Atoi(port)
	section := map[string]any{"host": host, "port": n, "username": username, "password": f.Token()}
	if host == "" { // does not serve yet
		section["host"], section["port"] = "127.0.0.1", 9
	} else {
		f.Look(func() { section["ca_file"] = filepath.Join(f.smtpd.dir, "ca.pem") })
	}
	if f.smtpd.traits.Implicit {
		section["implicit_tls"] = true
	}
	all["smtp"] = section
	return all
}

// Places are addresses.
func (f *Office) Places() []string { return f.places }

// Place is the address itself.
func (f *Office) Place(name string) string { return name }

// Person is the user's address.
func (f *Office) Person(user string) string {
	if f.inbox(user) == nil {
		return ""
	}
	return user
}

// Threads holds everywhere.
func (f *Office) Threads(string) bool { return true }

// Repeats is how often a mail came that was there.
func (f *Office) Repeats() (n int) {
	f.Look(func() {
		for _, b := range f.inboxes {
			n += b.repeats
		}
	})
	return n
}

// Pages are the parts in HTML of the mails in a mailbox.
func (f *Office) Pages(of string) (pages []string) {
	f.Look(func() {
		for _, l := range f.inbox(of).letters {
			pages = append(pages, l.html)
		}
	})
	return pages
}

// Opened is how many conversations there ever were with the mail server.
func (f *Office) Opened() (n int) {
	f.Look(func() { n = f.smtpd.opened })
	return n
}

// Open is how many of them go on.
func (f *Office) Open() (n int) {
	f.Look(func() { n = len(f.smtpd.sessions) })
	return n
}

// inbox is the mailbox of an address. The list of them does not change.
func (f *Office) inbox(address string) *inbox {
	i := slices.IndexFunc(f.inboxes, func(b *inbox) bool { return strings.EqualFold(b.address, address) })
	if i < 0 {
		return nil
	}
	return f.inboxes[i]
}

// Panel is the mailboxes as mail clients show them.
func (f *Office) Panel(limit int) (out panel.Panel) {
	f.Look(func() {
		for _, b := range f.inboxes {
			ch := panel.Channel{ID: b.address, Name: b.address, Kind: panel.Place, Messages: []panel.Message{}}
			letters := b.letters
			if limit > 0 && len(letters) > limit {
				letters = letters[len(letters)-limit:]
			}
			heads := b.heads()
			states := b.states(heads)
			for _, l := range letters {
				ch.Messages = append(ch.Messages, l.message(heads[l], states[l]))
			}
			out.Channels = append(out.Channels, ch)
		}
	})
	return out
}

// message is a mail in its conversation.
func (l *letter) message(head *letter, state string) panel.Message {
	m := panel.Message{
		ID: l.id, Author: l.from, Created: l.arrived, Text: l.subject + "\n" + l.plain, Body: l.shown.Body, Mentions: l.shown.Mentions,
		Deleted: l.removed, Review: l.kind == reviewed,
	}
	if head == l {
		m.Request, m.State, m.Status = l.request, state, state
	} else {
		m.Thread = head.id
	}
	return m
}

// Remove removes a mail from its mailbox.
func (f *Office) Remove(place, id string) (err error) {
	f.Change(func() {
		if b := f.inbox(place); b != nil {
			for _, l := range b.letters {
				if l.id == id && !l.removed {
					l.removed = true
					return
				}
			}
		}
		err = fmt.Errorf("there is no mail %q in the mailbox of %q", id, place)
	})
	return err
}

// Adopt makes mails as Teleport's own plugin would. Each has an id of its own.
func (f *Office) Adopt(place, request, _ string, n int) (map[string]string, error) {
	var items []string
	f.Change(func() {
		b := f.inbox(place)
		for range n {
			l := &letter{
				id: fmt.Sprintf("2QLX8VQ3JZ%04d.1ANK5W9XD2MJI@localhost", len(b.letters)), subject: "example.com Role Request " + request, from: sender,
				plain:   "You have a new Role Request:\n\nID: " + request + "\nCluster: example.com\n\nStatus: ⏳ PENDING",
				arrived: time.Now(), date: time.Now(),
			}
			l.shown = panel.Render(panel.Text(panel.Line, l.plain))
			l.tell()
			b.letters = append(b.letters, l)
			items = append(items, place+"/2023-05-01 10:00:00.123456789 +0000 UTC m=+1.5/"+l.id)
		}
	})
	return map[string]string{"email_threads": strings.Join(items, ",")}, nil
}
