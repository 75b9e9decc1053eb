package slackapi

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
)

// replyPath is where the addresses for answers to a press are. ResponseURL is what
// calls of them are named in faults and in the log of calls; their target is the
// conversation.
const (
	replyPath   = "/actions/"
	ResponseURL = "response_url"
)

// Limits of an address for answers.
const (
	replyUses = 5
	replyLife = 30 * time.Minute
)

// replyURL is an address for answers to one press.
type replyURL struct {
	channel, user string
	ts            int64
	made          time.Time
	uses          int
	said          []string // to the person alone
}

// newReply makes an address for answers, where the server is or, if it does not
// listen itself, where the app has found it; the lock is held.
func (s *Server) newReply(r replyURL) string {
	path := replyPath + s.state.teamID + "/" + s.state.live.unique("") + "/sandbox"
	s.state.live.replies[path] = &r
	return cmp.Or(strings.TrimSuffix(s.URL(), "/api/"), s.state.live.site, "http://slack.invalid") + path
}

// openReply reads an answer to a press.
func (s *Server) openReply(c *apiserver.Call) {
	d := decode(c, true)
	c.Method, c.Path, c.Own = ResponseURL, replyPath, d
	c.Args, c.Form, c.JSON, c.Content = d.args, d.form, d.json, d.args.text()
	s.Look(func() {
		if r := s.state.live.replies[c.R.URL.Path]; r != nil {
			c.Target = r.channel
		}
	})
}

// answerReply carries an answer to a press out. What Slack answers to a bad one is
// known from users only.
func (s *Server) answerReply(c *apiserver.Call, d decoded) apiserver.Answer {
	err := s.reply(c, d)
	if err == nil {
		return apiserver.Answer{Status: http.StatusOK, Body: done(object{})}
	}
	e := asAPIError(err)
	out := apiserver.Answer{Status: http.StatusOK, Body: e.body(), Code: e.code}
	switch e.code {
	case "no_such_url", "expired_url", "used_url":
		out.Status = http.StatusNotFound
	}
	return out
}

func (s *Server) reply(c *apiserver.Call, d decoded) error {
	r := s.state.live.replies[c.R.URL.Path]
	switch {
	case r == nil || c.R.Method != http.MethodPost:
		return failure("no_such_url")
	case s.Now().Sub(r.made) > replyLife:
		return failure("expired_url")
	case r.uses >= replyUses:
		return failure("used_url")
	case d.err != nil:
		return d.err
	case d.json == nil:
		return failure("invalid_post_type")
	}
	r.uses++
	return s.say(r, d.args)
}

// say shows an answer as it asks for.
func (s *Server) say(r *replyURL, args Args) error {
	ch := s.state.channels[r.channel]
	m := ch.Find(r.ts)
	if args.truth("delete_original") {
		if m == nil || m.Deleted {
			return failure("message_not_found")
		}
		ch.remove(m)
		s.Changed()
		return nil
	}
	body, err := args.content()
	if err != nil {
		return err
	}
	if body.empty() {
		return failure("no_text")
	}
	if args.truth("replace_original") {
		return s.replaceOriginal(ch, m, body)
	}
	said := message{ts: s.state.nextTS(s.Now()), Message: Message{Author: s.state.botUser, Text: body.text, Blocks: body.blocks}}
	if m != nil {
		said.thread = m.thread
	}
	switch args["response_type"] {
	case "in_channel":
	case "", "ephemeral":
		said.EphemeralTo = r.user
	default:
		return failure("invalid_response_type")
	}
	written := said.written()
	ch.add(written)
	if written.EphemeralTo != "" {
		s.state.live.show(r.user, written.Rendered.Text)
		s.state.live.replied[r.user]++
		r.said = append(r.said, written.Rendered.Text)
	}
	s.Changed()
	return nil
}

// replaceOriginal puts an answer in the place of the message that was pressed, for
// everybody.
func (s *Server) replaceOriginal(ch *channel, m *message, body content) error {
	if m == nil || m.Deleted {
		return failure("message_not_found")
	}
	changed, err := m.changedTo(body)
	if err != nil {
		return err
	}
	changed.editedTS = s.Now().UnixMicro()
	ch.Put(changed.ts, changed)
	s.Changed()
	return nil
}
