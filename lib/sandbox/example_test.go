package sandbox_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

// board is a simulated service with three places and a switch.
type board struct {
	*apiserver.Server
	farend.Tokens
	places []string
	notes  []panel.Channel
	on     bool
}

// markup has nothing but links: <address|label>.
var markup = panel.Markup{Starts: "<", Rules: []panel.Form{{
	Form: regexp.MustCompile(`^<([^<>|]+)\|([^<>]*)>`),
	Make: func(m []string) panel.Node { return panel.Node{Kind: panel.Link, Href: m[1], Text: m[2]} },
}}}

func newBoard(farend.Options) farend.FarEnd {
	b := &board{places: []string{"left", "middle", "right"}, Tokens: farend.Tokens{Valid: "board-token"}}
	for _, name := range b.places {
		b.notes = append(b.notes, panel.Channel{ID: name, Name: name, Kind: panel.Public})
	}
	b.Server = apiserver.New("the board", "", apiserver.Options{}, b)
	return b
}

// services are two of a kind.
func services() (list []farend.Service) {
	for _, name := range []string{"example", "another"} {
		list = append(list, farend.Service{
			Integration: plugin.Integration{Name: name, Title: "The " + name}, Simulate: newBoard,
			Furnish: func(c *cluster.Cluster) { c.Annotate("demo-role", map[string][]string{name: {"left"}}) },
		})
	}
	return list
}

func (b *board) Open(*apiserver.Call) bool { return true }

func (b *board) Answer(*apiserver.Call) apiserver.Answer {
	return apiserver.Answer{Status: http.StatusOK}
}

func (b *board) TooFast(*apiserver.Call, time.Duration) apiserver.Answer {
	return apiserver.Answer{Status: http.StatusTooManyRequests}
}

func (b *board) Config() map[string]any {
	return map[string]any{"board": map[string]any{"token": b.Token(), "url": b.URL()}}
}

func (b *board) Places() []string          { return b.places }
func (b *board) Place(name string) string  { return name }
func (b *board) Person(user string) string { return "@" + user }
func (b *board) Threads(string) bool       { return true }

func (b *board) Panel(int) (out panel.Panel) {
	b.Look(func() {
		for _, ch := range b.notes {
			ch.Messages = slices.Clone(ch.Messages)
			out.Channels = append(out.Channels, ch)
		}
		out.Switches = []panel.Switch{{ID: "light", Group: "The room", Title: "Light", Label: "The light is on", On: b.on}}
	})
	return out
}

// note puts a text up at the first place, or in the place of an earlier one, and
// returns its ID.
func (b *board) note(id, text string) string {
	m := panel.Message{Author: "Teleport", Created: time.Now(), Text: text, Body: []panel.Node{{Kind: panel.Line, Nodes: markup.Parse(text)}}}
	b.Change(func() {
		notes := &b.notes[0].Messages
		i := slices.IndexFunc(*notes, func(m panel.Message) bool { return m.ID == id })
		if m.Edited = i >= 0; m.Edited {
			m.ID = id
			(*notes)[i] = m
			return
		}
		m.ID = fmt.Sprint(len(*notes))
		*notes = append(*notes, m)
	})
	return m.ID
}

func (b *board) Remove(_, id string) error { return fmt.Errorf("there is no note %s", id) }

func (b *board) Adopt(place, _, text string, n int) (map[string]string, error) {
	return farend.Adopt(place, n, func() (string, error) { return b.note("", text), nil })
}

func (b *board) Switch(id string, on bool) error {
	if id != "light" {
		return fmt.Errorf("there is no switch %q", id)
	}
	b.Change(func() { b.on = on })
	return nil
}

// example is the first of the services.
func example(sb *sandbox.Sandbox) *board {
	far, err := sb.FarEnd("example")
	if err != nil {
		panic(err)
	}
	return far.(*board)
}
