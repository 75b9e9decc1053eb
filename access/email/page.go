package email

import (
	_ "embed" // for the page
	"fmt"
	"html/template"
	"strings"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

//go:embed page.html
var pageText string

// page is the part of a mail in HTML. Its texts are escaped where they stand; there is
// nothing in it that a mail client would fetch.
var page = template.Must(template.New("page").Parse(pageText))

// sheet is what the page shows.
type sheet struct {
	Title  string
	Fields []row
	State  string
	Colour template.CSS
	Link   string
	Action string
}

// row is a field; its value is in lines.
type row struct {
	Label string
	Lines []string
}

// colours are those of the states.
var colours = map[request.Status]template.CSS{
	request.Pending: "#8a6d00", request.Approved: "#1a7f37", request.Denied: "#b3261e", request.Promoted: "#5b3fc4", request.Expired: "#5f6368",
}

// html writes the part of a mail in HTML.
func html(v request.View, e integration.Effect) (string, error) {
	s := sheet{State: sheets.State(v.Status), Colour: colours[v.Status], Link: v.Link, Action: "View the request"}
	switch e.Kind {
	case integration.Review:
		s.review(v.Reviews[e.Index])
	case integration.Announce:
		s.Title = strings.TrimSuffix(message.Title(v), ":")
		if v.Status == request.Pending {
			s.Action = "Review the request"
		}
		s.fields(v)
	case integration.Pending:
		s.Title = "Still pending"
		s.add("Reminder", message.Pending(v, message.Line))
		s.fields(v)
	case integration.Ending:
		s.Title = "Access ends soon"
		s.add("Note", message.Ending(v, message.Line))
		s.fields(v)
	default:
		s.Title = strings.TrimSuffix(headline(e), ":")
		s.fields(v)
	}
	return s.html()
}

// html is the sheet as a page.
func (s *sheet) html() (string, error) {
	var b strings.Builder
	if err := page.Execute(&b, s); err != nil {
		return "", fmt.Errorf("writing the mail in HTML: %w", err)
	}
	return b.String(), nil
}

func (s *sheet) fields(v request.View) {
	if progress := message.Progress(v); progress != "" {
		s.State += " (" + progress + ")"
	}
	for _, f := range message.Fields(v) {
		if f.Key == message.FieldLink { // is the button
			continue
		}
		s.add(f.Label, sheets.Value(f))
		if f.Also != nil {
			s.add(f.Also.Label, sheets.Value(*f.Also))
		}
	}
	s.add("Because", v.ResolveReason)
	s.add("Access list", message.Line(v.AccessList))
}

func (s *sheet) review(r request.Review) {
	s.Title, s.State, s.Colour = inert(message.Line(r.Author))+" reviewed the request", sheets.State(r.State), colours[r.State]
	if !r.Created.IsZero() {
		s.add("Reviewed", sheets.Moment(r.Created))
	}
	s.add("Reason", r.Reason)
}

func (s *sheet) add(label, value string) {
	if value = clean(value); value != "" {
		s.Fields = append(s.Fields, row{label, strings.Split(inert(value), "\n")})
	}
}
