package farend

import (
	"fmt"
	"regexp"
	"time"

	"teleport-plugins/access/board"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

// Service describes the notice board.
func Service() farend.Service {
	return farend.Service{
		Integration: board.Integration(),
		Simulate:    func(o farend.Options) farend.FarEnd { return New(o) },
		Methods:     farend.Methods{Post: addNote, Edit: changeNote},
		Refusals:    []string{"no such board"},
		Accent:      "#a0522d", Side: "#4a2c1a",
	}
}

// Boards are the boards of a simulated server.
type Boards struct {
	*apiserver.Server
	farend.Tokens
	places []string

	token  string // that is taken; the server's lock guards this and the boards
	boards []*pinned
}

// New makes boards that are not served yet.
func New(o farend.Options) *Boards {
	b := &Boards{token: "board-token-8461", places: []string{"left", "middle", "right"}}
	for i := range o.Places {
		b.places = append(b.places, fmt.Sprintf("team-%03d", i))
	}
	for _, id := range b.places {
		b.boards = append(b.boards, &pinned{id: id})
	}
	b.Server = apiserver.New("the simulated board", "", apiserver.Options{KeepRequests: o.KeepCalls}, b)
	take := func(token string) { b.Change(func() { b.token = token }) }
	b.Tokens = farend.Tokens{Valid: b.token, Next: "board-token-renewed", Allow: take, Deny: func(string) { take("another") }}
	return b
}

// Config is the section [board].
func (b *Boards) Config() map[string]any {
	return map[string]any{"board": map[string]any{"url": b.URL(), "token": b.Token()}}
}

// Places are the boards.
func (b *Boards) Places() []string { return b.places }

// Place is the name itself.
func (b *Boards) Place(name string) string { return name }

// Person is nobody: users are not told.
func (b *Boards) Person(string) string { return "" }

// Threads holds everywhere.
func (b *Boards) Threads(string) bool { return true }

// What a note says of its request.
var (
	idLine     = regexp.MustCompile(`(?m)^ID: ([0-9a-zA-Z-]+)`)
	statusLine = regexp.MustCompile(`(?m)^\S* ?Status: ([A-Z]+)`)
)

// Panel is the boards as people see them.
func (b *Boards) Panel(limit int) (out panel.Panel) {
	b.Look(func() {
		for _, board := range b.boards {
			ch := panel.Channel{ID: board.id, Name: board.id, Kind: panel.Place, Messages: []panel.Message{}}
			notes := board.below
			if limit > 0 && len(notes) > limit {
				notes = notes[len(notes)-limit:]
			}
			for _, n := range notes {
				m := shown(n, "")
				if id, status := idLine.FindStringSubmatch(n.text), statusLine.FindStringSubmatch(n.text); id != nil && status != nil {
					m.Request, m.State = id[1], status[1]
				}
				ch.Messages = append(ch.Messages, m)
				for _, reply := range n.below {
					r := shown(reply, n.id)
					r.Review = true
					ch.Messages = append(ch.Messages, r)
				}
			}
			out.Channels = append(out.Channels, ch)
		}
	})
	return out
}

func shown(p *pinned, thread string) panel.Message {
	return panel.Message{
		ID: p.id, Thread: thread, Author: "Teleport", Created: p.created, Text: p.text, Edited: p.edited, Deleted: p.removed,
		Body: panel.Text(panel.Line, p.text),
	}
}

// Remove takes a note down.
func (b *Boards) Remove(_, id string) (err error) {
	b.Change(func() {
		n := b.note(id)
		if n == nil {
			err = fmt.Errorf("there is no note %q", id)
			return
		}
		n.removed = true
	})
	return err
}

// Adopt puts notes up as another program would.
func (b *Boards) Adopt(place, request, _ string, n int) (map[string]string, error) {
	return farend.Adopt(place, n, func() (id string, err error) {
		b.Change(func() {
			id = find(b.boards, place).pin(sent{Text: "ID: " + request + "\n⏳ Status: PENDING"}, time.Now()).id
		})
		return id, nil
	})
}
