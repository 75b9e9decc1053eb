package discordapi

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Rendered is what a reader of a message sees.
type Rendered struct {
	// Text is readable plain text: the content, then a block for each embed,
	// then a line of buttons. Links are shown as label (address).
	Text string `json:"text"`
	// Mentions are those that are shown as a mention, whether or not they ping:
	// everyone, here, or the ID of a user, role or channel.
	Mentions []string `json:"mentions,omitempty"`
	// Links are the addresses that can be clicked, those of buttons included.
	Links []string `json:"links,omitempty"`
	// Buttons are those that can be pressed.
	Buttons []Button `json:"buttons,omitempty"`
	// Colors are the colours of the embeds; zero for one without.
	Colors []int `json:"colors,omitempty"`
}

// Button is a button of a message.
type Button struct {
	Text     string `json:"text"`
	CustomID string `json:"custom_id,omitempty"`
	URL      string `json:"url,omitempty"`
	Style    int    `json:"style"`
}

// SpanKind says what a Span is.
type SpanKind string

const (
	// PlainSpan is text as it is.
	PlainSpan SpanKind = "text"
	// CodeSpan is text in a fixed font, in which nothing has a meaning.
	CodeSpan SpanKind = "code"
	// LinkSpan is text that leads to the Target.
	LinkSpan SpanKind = "link"
	// MentionSpan names someone; the Target is users:<id>, roles:<id>,
	// everyone:everyone or everyone:here.
	MentionSpan SpanKind = "mention"
	// ChannelSpan names the channel with the ID Target.
	ChannelSpan SpanKind = "channel"
	// DateSpan is a moment in the reader's own time zone; here it is UTC.
	DateSpan SpanKind = "date"
)

// Span is a stretch of Markdown text. Text has its escapes undone and is not
// safe for HTML.
type Span struct {
	Kind   SpanKind `json:"kind"`
	Text   string   `json:"text"`
	Target string   `json:"target,omitempty"`
}

var (
	fencedCode  = regexp.MustCompile("^(?s)```(?:[0-9A-Za-z_+.#-]*\n)?(.+?)```")
	inlineCode  = regexp.MustCompile("^(?s)(?:``(.+?)``|`([^`]+)`)")
	maskedLink  = regexp.MustCompile(`^\[((?:[^\[\]\\]|\\.)+)\]\(<?(https?://[^\s)>]+)>?(?:\s+"[^"]*")?\)`)
	angleLink   = regexp.MustCompile(`^<(https?://[^\s>]+)>`)
	bareLink    = regexp.MustCompile(`^https?://[^\s<]+[^<.,:;"'\])\s]`)
	userTag     = regexp.MustCompile(`^<@!?(\d+)>`)
	roleTag     = regexp.MustCompile(`^<@&(\d+)>`)
	channelTag  = regexp.MustCompile(`^<#(\d+)>`)
	dateTag     = regexp.MustCompile(`^<t:(-?\d{1,17})(?::([tTdDfFRsS]))?>`)
	everyoneTag = regexp.MustCompile(`^@(everyone|here)`)
	escapedMark = regexp.MustCompile(`^\\([^0-9A-Za-z\s])`)
)

// ParseMarkdown splits text at its code, links, mentions and times and undoes
// escapes. Marks of emphasis, quotation and headings are left in the text.
func ParseMarkdown(s string) []Span {
	var out []Span
	for s != "" {
		next := strings.IndexAny(s, "\\`[<@h")
		if next < 0 {
			break
		}
		out = appendPlain(out, s[:next])
		s = s[next:]
		span, length := parseSpan(s)
		if length == 0 {
			span, length = Span{Kind: PlainSpan, Text: s[:1]}, 1
		}
		if span.Kind == PlainSpan {
			out = appendPlain(out, span.Text)
		} else {
			out = append(out, span)
		}
		s = s[length:]
	}
	return appendPlain(out, s)
}

// appendPlain adds text, joined to plain text before it.
func appendPlain(spans []Span, s string) []Span {
	if s == "" {
		return spans
	}
	if n := len(spans); n > 0 && spans[n-1].Kind == PlainSpan {
		spans[n-1].Text += s
		return spans
	}
	return append(spans, Span{Kind: PlainSpan, Text: s})
}

// parseSpan reads what begins at the start of s; a length of zero says that it
// is nothing in particular.
func parseSpan(s string) (Span, int) {
	if m := escapedMark.FindStringSubmatch(s); m != nil {
		return Span{Kind: PlainSpan, Text: m[1]}, len(m[0])
	}
	for _, rule := range []struct {
		form *regexp.Regexp
		make func(m []string) Span
	}{
		{fencedCode, func(m []string) Span { return Span{Kind: CodeSpan, Text: m[1]} }},
		{inlineCode, func(m []string) Span { return Span{Kind: CodeSpan, Text: m[1] + m[2]} }},
		{maskedLink, func(m []string) Span { return Span{Kind: LinkSpan, Text: unescape(m[1]), Target: m[2]} }},
		{angleLink, func(m []string) Span { return Span{Kind: LinkSpan, Text: m[1], Target: m[1]} }},
		{bareLink, func(m []string) Span { return Span{Kind: LinkSpan, Text: m[0], Target: m[0]} }},
		{userTag, func(m []string) Span { return Span{Kind: MentionSpan, Text: "@" + m[1], Target: "users:" + m[1]} }},
		{roleTag, func(m []string) Span { return Span{Kind: MentionSpan, Text: "@&" + m[1], Target: "roles:" + m[1]} }},
		{everyoneTag, func(m []string) Span { return Span{Kind: MentionSpan, Text: m[0], Target: "everyone:" + m[1]} }},
		{channelTag, func(m []string) Span { return Span{Kind: ChannelSpan, Text: "#" + m[1], Target: m[1]} }},
		{dateTag, date},
	} {
		if m := rule.form.FindStringSubmatch(s); m != nil {
			return rule.make(m), len(m[0])
		}
	}
	return Span{}, 0
}

func unescape(s string) string {
	out := ""
	for _, span := range ParseMarkdown(s) {
		out += span.Text
	}
	return out
}

// date shows a moment in UTC; relative times, which change as one reads, are
// shown as the moment too.
func date(m []string) Span {
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return Span{Kind: PlainSpan, Text: m[0]}
	}
	form := "January 2, 2006 15:04 UTC"
	switch m[2] {
	case "t", "T":
		form = "15:04 UTC"
	case "d", "D":
		form = "January 2, 2006"
	}
	return Span{Kind: DateSpan, Text: time.Unix(n, 0).UTC().Format(form), Target: m[1]}
}

// Render makes a message readable. It never fails; what it does not know is
// left out.
func Render(content string, embeds, components json.RawMessage) Rendered {
	var r renderer
	r.line(r.markdown(content))
	var list []embed
	_ = json.Unmarshal(embeds, &list)
	for _, e := range list {
		r.embed(e)
	}
	var rows []component
	_ = json.Unmarshal(components, &rows)
	for _, row := range rows {
		r.row(row)
	}
	r.out.Text = strings.TrimSpace(r.lines.String())
	return r.out
}

type renderer struct {
	out   Rendered
	lines strings.Builder
}

func (r *renderer) line(s string) {
	if s != "" {
		r.lines.WriteString(s + "\n")
	}
}

// markdown is the readable form of a text; it notes mentions and links.
func (r *renderer) markdown(s string) string {
	var b strings.Builder
	for _, span := range ParseMarkdown(s) {
		b.WriteString(span.Text)
		switch span.Kind {
		case LinkSpan:
			if span.Text != span.Target {
				b.WriteString(" (" + span.Target + ")")
			}
			r.out.Links = append(r.out.Links, span.Target)
		case MentionSpan:
			_, id, _ := strings.Cut(span.Target, ":")
			r.out.Mentions = append(r.out.Mentions, id)
		case ChannelSpan:
			r.out.Mentions = append(r.out.Mentions, span.Target)
		}
	}
	return b.String()
}

func (r *renderer) embed(e embed) {
	r.line("---")
	color := 0
	if e.Color != nil {
		color = *e.Color
	}
	r.out.Colors = append(r.out.Colors, color)
	if e.Author != nil {
		r.line(e.Author.Name)
	}
	if e.URL != "" {
		r.out.Links = append(r.out.Links, e.URL)
	}
	r.line(r.markdown(e.Title))
	r.line(r.markdown(e.Description))
	for _, f := range e.Fields {
		r.line(r.markdown(f.Name) + ": " + r.markdown(f.Value))
	}
	footer := ""
	if e.Footer != nil {
		footer = e.Footer.Text
	}
	if t, err := time.Parse(time.RFC3339, e.Timestamp); err == nil {
		footer = strings.TrimPrefix(footer+" • ", " • ") + t.UTC().Format("January 2, 2006 15:04 UTC")
	}
	r.line(footer)
}

func (r *renderer) row(row component) {
	texts := make([]string, 0, len(row.Components))
	for _, b := range row.Components {
		text := "[" + b.Label + "]"
		if b.URL != "" {
			text += " (" + b.URL + ")"
			r.out.Links = append(r.out.Links, b.URL)
		}
		texts = append(texts, text)
		r.out.Buttons = append(r.out.Buttons, Button{Text: b.Label, CustomID: b.CustomID, URL: b.URL, Style: b.Style})
	}
	r.line(strings.Join(texts, " "))
}
