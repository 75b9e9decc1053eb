package email

import (
	"context"
	"fmt"
	"strings"
	"time"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/mail"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/repeat"
	"teleport-plugins/lib/request"
)

// service is mailboxes in the words of the engine: a recipient is an address, and what
// is told below a message is a mail in its conversation.
type service struct {
	post   *mail.Post
	copies bool
	people *identity.People
	now    func() time.Time
}

var (
	_ integration.Service   = (*service)(nil)
	_ integration.Repeater  = (*service)(nil)
	_ integration.Requester = (*service)(nil)
	_ remind.Service        = (*service)(nil)
	_ plugin.Inspector      = (*service)(nil)
)

// Tells implements integration.Service. Requesters who are told have a conversation like
// all others, and need no further notice of its end.
func (s *service) Tells(k integration.Kind) bool {
	return k != integration.Notice && (k != integration.Ending || s.copies)
}

// Resolve implements integration.Service. Mail systems do not tell addresses apart by
// the case of their letters, whatever RFC 5321 allows.
func (s *service) Resolve(_ context.Context, name string) (string, error) {
	if !identity.IsEmail(name) {
		return "", &outbound.Error{
			Kind: outbound.Refused, Scope: outbound.ThePlace, Op: "find address", Err: fmt.Errorf("%q does not look like a valid email", name),
			Hint: "write the bare address, as in alice@example.com",
		}
	}
	return strings.ToLower(name), nil
}

// Tell implements integration.Service.
func (s *service) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	if e.Kind == integration.Review && (e.Index >= len(v.Reviews) || v.Reviews[e.Index].Author == "") {
		return plugindata.Message{}, nil // of a review that the record alone knows there is nothing to say
	}
	if !identity.IsEmail(to.Address) { // a record can be written by others
		_, err := s.Resolve(ctx, to.Address)
		return plugindata.Message{}, err
	}
	m, err := letter(v, to, e, s.post.Domain(), s.now())
	if err != nil {
		return plugindata.Message{}, err
	}
	id, err := s.post.Send(ctx, m)
	if err != nil {
		return plugindata.Message{}, err
	}
	return plugindata.Message{Channel: m.To, ID: id}, nil
}

// CanFind implements integration.Finder.
func (s *service) CanFind(string) bool { return true }

// Repeats implements integration.Repeater.
func (s *service) Repeats() {}

// Find implements integration.Finder. Mail cannot be looked up: what may have gone out is
// sent again as the same mail, which most mail systems keep once.
func (s *service) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	return repeat.Find(ctx, s, to, e, v) //nolint:wrapcheck // of the kinds of lib/outbound
}

// Check implements integration.Service.
func (s *service) Check(ctx context.Context) error { return s.post.Check(ctx) }

// Requester implements integration.Requester.
func (s *service) Requester(ctx context.Context, v request.View) string {
	if !s.copies {
		return ""
	}
	return s.Person(ctx, v.User)
}

// Probes implements plugin.Inspector.
func (s *service) Probes() []check.Leg { return nil }

// Prove implements plugin.Inspector. Many servers take mail for any address, and say
// later that there is none.
func (s *service) Prove(ctx context.Context, name string) error {
	address, err := s.Resolve(ctx, name)
	if err != nil {
		return err
	}
	return s.post.Prove(ctx, address)
}

// Build makes the service.
func (c *Config) Build(d plugin.Deps) (plugin.Parts, error) {
	post, err := mail.New(c.Settings, d.Transport, d.Log)
	if err != nil {
		return plugin.Parts{}, err
	}
	s := &service{
		post: post, copies: c.Mail.Copies, now: time.Now,
		people: &identity.People{Section: c.Identity, Traits: d.Traits, Known: identity.ByEmail},
	}
	return plugin.Parts{
		Service: s, People: s.people, Codec: codec{},
		Router:    recipient.Static{Table: c.RoleToRecipients, Log: d.Log, People: s.people},
		Reminders: &c.Reminders,
	}, nil
}
