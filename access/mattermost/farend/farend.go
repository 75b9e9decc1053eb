// Package farend provides the simulated Mattermost to all that tries plugins. It is as
// strict as a server: membership, lengths, repeated calls, threads, archived channels,
// deactivated accounts, and errors whose texts are in another language.
package farend

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"teleport-plugins/access/mattermost"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

// Service describes Mattermost.
func Service() farend.Service {
	return farend.Service{
		Integration: mattermost.Integration(),
		Simulate:    func(o farend.Options) farend.FarEnd { return New(o) },
		Methods:     farend.Methods{Post: createPost, Edit: patchPost, Find: listPosts},
		Refusals:    []string{noRight.id, archivedPost.id},
		OneLimit:    true,
		SetUps:      setUps,
		Accent:      "#1c58d9", Side: "#1e325c",
	}
}

// Mattermost is a simulated server with one team.
type Mattermost struct {
	*apiserver.Server
	farend.Tokens
	places []string
	hook   string // host:port at which the plugin is to listen

	token string // that is taken; the server's lock guards this and the world
	w     *world

	// away says that the plugin cannot be reached, and returns how often it could be
	// again.
	away    atomic.Bool
	returns atomic.Int64
	sockets sockets
}

// New makes a server that does not serve yet.
func New(o farend.Options) *Mattermost {
	m := &Mattermost{w: newWorld(o), token: "x7gk3mqp9tbybxwo5p4c1d8rse", places: []string{"main/access-requests", "main/security", "main/db-team"}}
	for i := range o.Places {
		m.places = append(m.places, fmt.Sprintf("main/team-%03d", i))
	}
	m.Server = apiserver.New("the simulated Mattermost", subPath, apiserver.Options{KeepRequests: o.KeepCalls}, m)
	take := func(token string) { m.Change(func() { m.token = token }) }
	m.Tokens = farend.Tokens{Valid: m.token, Next: "8renewedtokenofthebot1234x", Allow: take, Deny: func(string) { take("another") }}
	return m
}

// Start listens and serves until Close.
func (m *Mattermost) Start() error {
	if m.hook == "" {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("looking for a free address: %w", err)
		}
		m.hook = free.Addr().String()
		if err := free.Close(); err != nil {
			return fmt.Errorf("looking for a free address: %w", err)
		}
	}
	return m.Server.Start()
}

// Config is the section [mattermost].
func (m *Mattermost) Config() map[string]any {
	return map[string]any{"mattermost": map[string]any{"url": m.URL(), "token": m.Token(), "requester_notice": true}}
}

// Token is the bot's token.
func (m *Mattermost) Token() string { return m.Tokens.Token() }

// Places are channels that the bot is in.
func (m *Mattermost) Places() []string { return m.places }

// Place is the ID of a channel, or of the conversation with a person.
func (m *Mattermost) Place(name string) (id string) {
	m.Look(func() {
		id = name
		if a := find(m.w.accounts, func(a *account) bool { return a.email == name || a.id == name || "@"+a.name == name }); a != nil {
			id = m.w.direct(m.w.bot.id, a.id).id
			return
		}
		_, in, _ := strings.Cut(name, "/")
		if s := find(m.w.spaces, func(s *space) bool { return s.team != "" && s.name == in }); s != nil {
			id = s.id
		}
	})
	return id
}

// Person is the address of a user who has an account.
func (m *Mattermost) Person(user string) (name string) {
	m.Look(func() {
		if a := find(m.w.accounts, func(a *account) bool { return !a.bot && strings.EqualFold(a.email, user) }); a != nil {
			name = a.email
		}
	})
	return name
}

// Threads holds everywhere.
func (m *Mattermost) Threads(string) bool { return true }

// What an announcement says of its request.
var (
	idLine     = regexp.MustCompile(`(?m)^\*\*Request ID\*\*: ([0-9a-zA-Z-]+)$`)
	statusLine = regexp.MustCompile(`(?m)^\*\*Status\*\*: [^A-Z\n]*([A-Z]+)`)
)

// Panel is the server as people see it.
func (m *Mattermost) Panel(limit int) (out panel.Panel) {
	m.Look(func() {
		out.People = make(map[string]string)
		for _, a := range m.w.accounts {
			out.People[a.id] = a.name
		}
		for _, s := range m.w.spaces {
			out.Channels = append(out.Channels, m.w.shown(s, limit))
		}
	})
	return out
}

func (w *world) shown(s *space, limit int) panel.Channel {
	ch := panel.Channel{ID: s.id, Name: s.display, Kind: map[string]string{"O": panel.Public, "P": panel.Private, "D": panel.Direct}[s.kind], Messages: []panel.Message{}}
	if s.kind == "D" {
		for _, a := range w.accounts {
			if s.members[a.id] && a != w.bot {
				ch.User, ch.Name = a.name, a.name
			}
		}
	}
	for _, e := range s.newest(limit) {
		r := w.rendered(e)
		p := panel.Message{
			ID: e.id, Thread: e.root, Author: w.accountBy(e.user).name, Created: time.UnixMilli(e.created),
			Text: r.Text, Body: r.Body, Mentions: r.Mentions, Edited: e.edits > 0, Deleted: e.deleted != 0,
		}
		p.Read(e.message)
		if id, status := idLine.FindStringSubmatch(e.message), statusLine.FindAllStringSubmatch(e.message, -1); e.root == "" && id != nil && status != nil {
			if p.Request, p.State = id[1], status[0][1]; len(status) > 1 {
				p.State += panel.Repeated
			}
		}
		ch.Messages = append(ch.Messages, p)
	}
	return ch
}

// Remove removes a post as a person would by hand, with what is below it.
func (m *Mattermost) Remove(place, id string) (err error) {
	m.Change(func() {
		in, e := m.w.post(id)
		if in == nil || in.id != place {
			err = fmt.Errorf("there is no post %q at %q", id, place)
			return
		}
		for _, other := range in.posts {
			if other == e || other.root == id {
				other.deleted = m.Now().UnixMilli()
				other.updated = other.deleted
			}
		}
	})
	return err
}

// Adopt posts as Teleport's own plugin would.
func (m *Mattermost) Adopt(place, request, _ string, n int) (map[string]string, error) {
	text := "*You have new pending request to review!*\n**User**: " + cluster.Alice + "\n**Roles**: editor\n**Request ID**: " + request + "\n\n**Status**: ⏳ PENDING\n"
	return farend.Adopt(place, n, func() (id string, err error) {
		m.Change(func() {
			in := m.w.spaceBy(place)
			if in == nil {
				err = fmt.Errorf("there is no channel %q", place)
				return
			}
			id = m.w.put(in, &entry{user: m.w.bot.id, message: text, props: map[string]any{"from_bot": "true"}}, m.Now()).id
		})
		return id, err
	})
}
