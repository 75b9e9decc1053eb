package farend

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"teleport-plugins/lib/sandbox/panel"
)

// render is the part of a mail in HTML as a mail client shows it.
func render(text string) (nodes []panel.Node) {
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return panel.Text(panel.Line, text)
	}
	for n := range doc.Descendants() {
		switch {
		case n.DataAtom == atom.P && len(nodes) == 0:
			nodes = append(nodes, panel.Node{Kind: panel.Title, Text: words(n)})
		case n.DataAtom == atom.P && link(n) != nil:
			a := link(n)
			nodes = append(nodes, panel.Node{Kind: panel.Line, Nodes: []panel.Node{{Kind: panel.Button, Text: words(a), Href: attribute(a, "href")}}})
		case n.DataAtom == atom.P:
			nodes = append(nodes, panel.Node{Kind: panel.Line, Nodes: []panel.Node{{Kind: panel.Bold, Text: words(n)}}})
		case n.DataAtom == atom.Tr:
			var field []panel.Node
			for cell := range n.ChildNodes() {
				if cell.DataAtom == atom.Td {
					field = append(field, panel.Node{Text: words(cell)})
				}
			}
			nodes = append(nodes, panel.Node{Kind: panel.Field, Nodes: field})
		}
	}
	return nodes
}

func link(n *html.Node) *html.Node {
	for in := range n.Descendants() {
		if in.DataAtom == atom.A {
			return in
		}
	}
	return nil
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// words is the text of a piece, with its breaks of lines.
func words(n *html.Node) string {
	var b strings.Builder
	for in := range n.Descendants() {
		switch {
		case in.Type == html.TextNode:
			b.WriteString(in.Data)
		case in.DataAtom == atom.Br:
			b.WriteByte('\n')
		}
	}
	return b.String()
}
