package panel

import (
	"iter"
	"strings"
)

// Node is a piece of a message. It holds a text, or other pieces, or both.
type Node struct {
	// Kind is one of the kinds below.
	Kind string `json:"kind,omitempty"`
	Text string `json:"text,omitempty"`
	// Href is where a link or a button leads, whom a mention pings, and what
	// moment it is in RFC 3339.
	Href string `json:"href,omitempty"`
	// ID is by what the service knows a button.
	ID string `json:"id,omitempty"`
	// Tone is the style of a button (primary, good or danger), or the colour of
	// a card.
	Tone  string `json:"tone,omitempty"`
	Nodes []Node `json:"nodes,omitempty"`
	// Mark stands before and after the piece in its text.
	Mark string `json:"-"`
}

// Kinds of pieces. Those up to Rule are lines of their own, the others stand in
// a line.
const (
	Line  = "line"
	Title = "title"
	Small = "small"
	Row   = "row"   // side by side
	Card  = "card"  // in a frame, below a line
	Field = "field" // its first piece is its name
	Rule  = "rule"

	Plain   = ""
	Bold    = "bold"
	Italic  = "italic"
	Struck  = "struck"
	Under   = "under"
	Code    = "code"
	Pre     = "pre"
	Link    = "link"
	Mention = "mention"
	Named   = "named" // a channel, who pings nobody
	Moment  = "moment"
	Button  = "button"
)

// Rendered is what a reader of a message sees.
type Rendered struct {
	// Text is readable plain text, one line for each part; links are shown as
	// label (address), mentions as @ or # with the ID, buttons in brackets.
	Text string
	// Body is the message in pieces.
	Body []Node
	// Mentions are those that ping someone, by what the service calls them.
	Mentions []string
	// Links are the addresses that can be clicked, those of buttons included.
	Links []string
	// Buttons are those that can be pressed, and Tones the colours of the cards.
	Buttons []Node
	Tones   []string
}

// Render reads the pieces of a message.
func Render(body []Node) Rendered {
	r := Rendered{Body: body}
	var b strings.Builder
	for _, n := range body {
		r.line(&b, n)
	}
	r.Text = strings.TrimSuffix(b.String(), "\n")
	return r
}

// line writes a piece that is a line of its own, or several.
func (r *Rendered) line(b *strings.Builder, n Node) {
	switch n.Kind {
	case Rule:
		b.WriteString("---\n")
		return
	case Card:
		b.WriteString("---\n")
		r.Tones = append(r.Tones, n.Tone)
		for _, in := range n.Nodes {
			r.line(b, in)
		}
		return
	}
	var in strings.Builder
	if n.Kind == Title {
		r.link(n.Href)
	}
	in.WriteString(n.Text)
	for i, piece := range n.Nodes {
		if i > 0 && n.Kind == Row {
			in.WriteByte(' ')
		}
		r.piece(&in, piece)
		if i == 0 && n.Kind == Field {
			in.WriteString(": ")
		}
	}
	if in.Len() > 0 {
		b.WriteString(in.String() + "\n")
	}
}

func (r *Rendered) link(address string) {
	if address != "" {
		r.Links = append(r.Links, address)
	}
}

// piece writes a piece that stands in a line.
func (r *Rendered) piece(b *strings.Builder, n Node) {
	var in strings.Builder
	in.WriteString(n.Text)
	for _, p := range n.Nodes {
		r.piece(&in, p)
	}
	text, after := n.Mark+in.String()+n.Mark, ""
	switch n.Kind {
	case Mention:
		r.Mentions = append(r.Mentions, n.Href)
	case Button:
		r.Buttons = append(r.Buttons, n)
		text, after = "["+text+"]", n.Href
		r.link(n.Href)
	case Link:
		r.link(n.Href)
		if text != n.Href {
			after = n.Href
		}
	}
	b.WriteString(text)
	if after != "" {
		b.WriteString(" (" + after + ")")
	}
}

// Text is a text as it is, or nothing.
func Text(kind, text string) []Node {
	if text == "" {
		return nil
	}
	return []Node{{Kind: kind, Text: text}}
}

// All are the pieces and what is in them.
func All(nodes []Node) iter.Seq[Node] {
	return func(yield func(Node) bool) { visit(nodes, yield) }
}

func visit(nodes []Node, yield func(Node) bool) bool {
	for _, n := range nodes {
		if !yield(n) || !visit(n.Nodes, yield) {
			return false
		}
	}
	return true
}
