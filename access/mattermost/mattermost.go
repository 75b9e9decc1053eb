// Package mattermost carries access requests to Mattermost: a post in each channel or
// direct message, a reply in its thread for each review, an edit for each change, and,
// if that is wanted, a word to the requester about the decision.
package mattermost

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/history"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/request"
)

// service carries requests to one Mattermost server.
type service struct {
	client
	log     *zap.Logger
	note    func(name, text string)
	people  *identity.People
	notices bool // requesters hear of their requests
	review  Review
	history *history.Index
}

var _ interface {
	integration.Service
	integration.Shower
	integration.Finder
	integration.Requester
	remind.Service
	plugin.Inspector
	decision.Listener
} = (*service)(nil)

// announce is the first announcement of a request. Any other says the same.
var announce = integration.Effect{Kind: integration.Announce}

// Tells accepts every kind but the end: the post itself shows that, and it is told below
// one that cannot be changed.
func (s *service) Tells(k integration.Kind) bool {
	return k != integration.End && (!k.Private() || s.notices)
}

// Tell makes an effect happen.
func (s *service) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	if e.Kind == integration.Review && (e.Index < 0 || e.Index >= len(v.Reviews)) {
		return plugindata.Message{}, &outbound.Error{Kind: outbound.Retry, Op: createPost, Err: fmt.Errorf("the request has no review %d", e.Index)}
	}
	d := draft{Channel: to.Address, Message: s.text(e, v), Props: props{Mark: mark(e, v)}}
	if e.Kind.Below() {
		d.Channel, d.Root = to.Message.Channel, to.Message.ID
	}
	if e.Kind == integration.Announce {
		d.Props.Attachments = s.buttons(v, d.Channel)
	}
	d.Pending = s.pending(d)
	return s.post(ctx, d)
}

// Show makes a post show the view. Its props are replaced as a whole, since the buttons
// among them come and go.
func (s *service) Show(ctx context.Context, m plugindata.Message, v request.View) error {
	d := draft{Message: s.text(announce, v), Props: props{Mark: mark(announce, v), Bot: "true", Attachments: s.buttons(v, m.Channel)}}
	patch := call{route: patchPost, args: []string{m.ID}, body: d}
	err := s.do(ctx, patch, &post{})
	if !deniesEdit(err) {
		return err
	}
	hint, err := s.whyNot(ctx, m, err)
	if err == nil { // unless the bot was invited meanwhile
		err = s.do(ctx, patch, &post{})
	}
	if !deniesEdit(err) || hint == "" {
		return err
	}
	s.log.Warn("A post cannot be brought up to date; how the request ends is told below it",
		zap.String("channel_id", m.Channel), zap.String("message_id", m.ID), zap.String("hint", hint), zap.Error(err))
	return &outbound.Error{Kind: outbound.Fixed, Op: patchPost, Code: codeOf(err), Hint: hint, Err: err}
}

func deniesEdit(err error) bool {
	code := codeOf(err)
	return (code == noRight || code == noRightToEdit) && outbound.KindOf(err) == outbound.Refused
}

// whyNot finds out why a post may not be edited, of which Mattermost says the same for
// one that was deleted, that of another account, and ours in a channel that we are no
// member of. It returns what to do where it will stay so, and no error where the post is
// there and ours.
func (s *service) whyNot(ctx context.Context, m plugindata.Message, denied error) (hint string, err error) {
	self, err := s.me(ctx)
	if err != nil {
		return "", err
	}
	var p post
	err = s.do(ctx, call{route: getPost, args: []string{m.ID}}, &p)
	switch {
	case err == nil && p.Deleted != 0:
		return "", &outbound.Error{Kind: outbound.Gone, Op: patchPost, Code: codeOf(denied), Err: denied}
	case err == nil && p.User == self.ID:
		return "give the bot the permission to edit its own posts", nil
	case err == nil:
		return "it was posted by another account; use the token of that one", denied
	case !deniesEdit(err):
		return "", err
	case strings.Contains(self.Roles, postsAnywhere):
		return hintInvite + ": it can post without being a member, and not edit", denied
	}
	return "", &outbound.Error{Kind: outbound.Refused, Scope: outbound.ThePlace, Op: patchPost, Code: codeOf(denied), Hint: hintInvite, Err: denied}
}

// postsAnywhere begins the roles of bots that may post where they are no members, which
// the rights post:all and post:channels are.
const postsAnywhere = "system_post_all"

// post posts a message, or a reply.
func (s *service) post(ctx context.Context, d draft) (plugindata.Message, error) {
	var made post
	err := s.do(ctx, call{route: createPost, body: d}, &made)
	if err == nil && made.Channel != d.Channel {
		err = &outbound.Error{Kind: outbound.Unclear, Op: createPost, Err: errForeign, Hint: foreignHint}
	}
	if err != nil {
		return plugindata.Message{}, err
	}
	return plugindata.Message{Channel: made.Channel, ID: made.ID}, nil
}

// text is what tells an effect.
func (s *service) text(e integration.Effect, v request.View) string {
	return fitted(s.runes(), func(d dialect) string { return told(e, v, d) })
}

// maxMark bounds the id in a mark. Teleport's own ids have 36 characters.
const maxMark = 200

// mark is by what a post of ours is found again: the effect that it is, and the request,
// whose id may be used again. Every member of a channel can read it, so it holds ids
// alone.
func mark(e integration.Effect, v request.View) string {
	return e.String() + "/" + strconv.FormatInt(v.Created.Unix(), 10) + "/" + message.Cut(v.ID, maxMark)
}

// pending is the key by which the server knows a repeated call, for half a minute: it
// answers with the first post then. The keys are those of everybody, so that nobody
// else may be able to make this one.
func (s *service) pending(d draft) string {
	token, _ := s.token.Read() // the call itself fails without one
	mac := hmac.New(sha256.New, []byte(token))
	fmt.Fprintf(mac, "%q", []string{d.Channel, d.Root, d.Props.Mark})
	return hex.EncodeToString(mac.Sum(nil))
}

// Requester is the recipient that stands for the Teleport user who asks, if requesters
// are to hear of their requests.
func (s *service) Requester(ctx context.Context, v request.View) string {
	if !s.notices {
		return ""
	}
	return s.Person(ctx, v.User)
}

// Person is the recipient that stands for a Teleport user.
func (s *service) Person(ctx context.Context, user string) string {
	return s.people.Find(ctx, user).Name
}

// Remind tells an owner of the access lists that are to be reviewed.
func (s *service) Remind(ctx context.Context, address string, r remind.Reminder) error {
	most := s.runes()
	text := r.Text(newDialect(message.ReasonLimit).Dialect, maxLists, func(text string) bool { return utf8.RuneCountInString(text) <= most })
	_, err := s.post(ctx, draft{Channel: address, Message: text})
	return err
}

// Check asks Mattermost who we are.
func (s *service) Check(ctx context.Context) error {
	_, err := s.ask(ctx)
	if err == nil {
		s.measure(ctx)
	}
	return err
}
