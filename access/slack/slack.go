// Package slack carries access requests to Slack: an announcement in each
// channel or direct message, a reply in its thread for each review, an edit for
// each change, and a word to the requester about the decision.
package slack

import (
	"context"
	"fmt"
	"strings"

	"github.com/slack-go/slack"
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

// service carries requests to one Slack workspace.
type service struct {
	client
	log        *zap.Logger
	note       func(name, text string)
	configured []string // recipients that the config names
	people     *identity.People
	drafts     message.Drafts[integration.Effect, content]
	rooms      rooms
	history    *history.Index
	review     Review
	quiet      bool   // reminders are shown in threads alone
	app        client // calls with the app-level token
	address    string // of the API
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

// Tells accepts every kind but the end: the message itself shows that, and it is
// told below one that cannot be changed any more.
func (s *service) Tells(k integration.Kind) bool { return k != integration.End }

// Resolve finds the user with an e-mail address; any other recipient is a
// channel or an id, which Slack takes as it is.
func (s *service) Resolve(ctx context.Context, name string) (string, error) {
	if isID(name) {
		return name, nil
	}
	if !identity.IsEmail(name) {
		return channelName(name), nil
	}
	id := ""
	err := s.call(ctx, "users.lookupByEmail", "", func(ctx context.Context) error {
		user, err := s.api.GetUserByEmailContext(ctx, name)
		if err == nil {
			id = user.ID
		}
		return whole(id != "", err)
	})
	return id, err
}

// Tell makes an effect happen.
func (s *service) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	if e.Kind == integration.Review && (e.Index < 0 || e.Index >= len(v.Reviews)) {
		return plugindata.Message{}, &outbound.Error{
			Kind: outbound.Retry, Op: "chat.postMessage", Err: fmt.Errorf("the request has no review %d", e.Index),
		}
	}
	address, thread := to.Address, ""
	if e.Kind.Below() {
		address, thread = to.Message.Channel, to.Message.ID
	}
	c := s.content(e, v)
	c.mark = mark(e, v)
	c.broadcast = e.Kind == integration.Pending && !s.quiet
	return s.post(ctx, address, thread, c)
}

// Show makes an announcement show the view.
func (s *service) Show(ctx context.Context, m plugindata.Message, v request.View) error {
	_, err := s.send(ctx, "chat.update", "", s.content(announce, v), func(ctx context.Context, c content) (channel, ts string, err error) {
		opts := c.options()
		if c.blocks == nil {
			opts = append(opts, slack.MsgOptionBlocks()) // the blocks that it had would hide the text
		}
		channel, ts, _, err = s.api.UpdateMessageContext(ctx, m.Channel, m.ID, opts...)
		return channel, ts, err
	})
	return err
}

// post sends a message to a channel or a user, or into a thread there.
func (s *service) post(ctx context.Context, address, thread string, c content) (plugindata.Message, error) {
	return s.send(ctx, "chat.postMessage", address, c, func(ctx context.Context, c content) (channel, ts string, err error) {
		opts := append(c.options(), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
		if thread != "" {
			opts = append(opts, slack.MsgOptionTS(thread))
			if c.broadcast {
				opts = append(opts, slack.MsgOptionBroadcast())
			}
		}
		return s.api.PostMessageContext(ctx, address, opts...)
	})
}

// send makes a call once, and again without what Slack refuses of the content.
func (s *service) send(
	ctx context.Context, method, target string, c content, say func(context.Context, content) (channel, ts string, err error),
) (plugindata.Message, error) {
	for {
		var m plugindata.Message
		err := s.call(ctx, method, target, func(ctx context.Context) (err error) {
			m.Channel, m.ID, err = say(ctx, c)
			return whole(m.Channel != "" && m.ID != "", err)
		})
		if err == nil {
			return m, nil
		}
		plainer, ok := c.less(codeOf(err))
		if !ok {
			return plugindata.Message{}, err
		}
		s.log.Warn("Slack refused the form of a message; a plainer one is sent", zap.Error(err))
		c = plainer
	}
}

// Requester is the recipient that stands for the Teleport user who asks.
func (s *service) Requester(ctx context.Context, v request.View) string {
	return s.Person(ctx, v.User)
}

// Person is the recipient that stands for a Teleport user.
func (s *service) Person(ctx context.Context, user string) string {
	return s.people.Find(ctx, user).Name
}

// known takes an e-mail address, or the id of a user, for one by which Slack knows
// somebody.
func known(text string) (name string, ok bool) { return text, isUser(text) || identity.IsEmail(text) }

// Remind tells an owner of the access lists that are to be reviewed.
func (s *service) Remind(ctx context.Context, address string, r remind.Reminder) error {
	_, err := s.post(ctx, address, "", reminder(r))
	return err
}

// Check asks Slack who we are, and notes what it does not let us do.
func (s *service) Check(ctx context.Context) error {
	err := s.ask(ctx)
	if err == nil && s.note != nil {
		s.note("looking messages up", s.blind())
	}
	return err
}

// ours is who we are. It is asked for where it is not known, as after a start while the
// token was refused.
func (s *service) ours(ctx context.Context) (account, error) {
	if me := s.me(); me.user != "" {
		return me, nil
	}
	if err := s.ask(ctx); err != nil {
		return account{}, fmt.Errorf("asking to which workspace the app belongs: %w", err)
	}
	return s.me(), nil
}

// ask asks Slack who we are.
func (s *service) ask(ctx context.Context) error {
	return s.call(ctx, "auth.test", "", func(ctx context.Context) error {
		who, err := s.api.AuthTestContext(ctx)
		if err = whole(who != nil && who.UserID != "", err); err != nil {
			return err
		}
		scopes := strings.FieldsFunc(who.Header.Get("X-OAuth-Scopes"), func(r rune) bool { return r == ',' || r == ' ' })
		s.mu.Lock()
		defer s.mu.Unlock()
		s.self = account{who.BotID, who.UserID, who.TeamID, who.EnterpriseID, scopes}
		return nil
	})
}
