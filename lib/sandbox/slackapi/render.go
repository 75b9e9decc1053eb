package slackapi

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Rendered is what a reader of a message sees.
type Rendered struct {
	// Text is readable plain text, one line for each part; links are shown as
	// label (address), mentions as @ or # with the ID, buttons in brackets.
	Text string `json:"text"`
	// Mentions are those that ping someone: channel, here, everyone, or the ID
	// of a user or group. Those in a text that blocks hide count as well, since
	// Slack makes the notification from that text.
	Mentions []string `json:"mentions,omitempty"`
	// Links are the addresses that can be clicked, those of buttons included.
	Links []string `json:"links,omitempty"`
	// Buttons are those that can be pressed.
	Buttons []Button `json:"buttons,omitempty"`
}

// Button is a button of a message.
type Button struct {
	BlockID  string `json:"block_id,omitempty"`
	ActionID string `json:"action_id,omitempty"`
	Text     string `json:"text"`
	Value    string `json:"value,omitempty"`
	URL      string `json:"url,omitempty"`
	Style    string `json:"style,omitempty"`
}

// SpanKind says what a Span is.
type SpanKind string

const (
	// PlainSpan is text as it is.
	PlainSpan SpanKind = "text"
	// LinkSpan is text that leads to the Target.
	LinkSpan SpanKind = "link"
	// MentionSpan pings the Target.
	MentionSpan SpanKind = "mention"
	// ChannelSpan names the channel with the ID Target.
	ChannelSpan SpanKind = "channel"
	// DateSpan is a moment in the reader's own time zone; here it is UTC.
	DateSpan SpanKind = "date"
)

// Span is a stretch of mrkdwn text. Text has its entities decoded and is not
// safe for HTML.
type Span struct {
	Kind   SpanKind `json:"kind"`
	Text   string   `json:"text"`
	Target string   `json:"target,omitempty"`
}

// ParseMrkdwn splits mrkdwn text at its <…> sequences and decodes the three
// entities. Marks such as * and ` are left in the text.
func ParseMrkdwn(s string) []Span {
	var out []Span
	for s != "" {
		open := strings.IndexByte(s, '<')
		if open < 0 {
			break
		}
		// A sequence ends at the first > and holds no further <.
		length := strings.IndexAny(s[open+1:], "<>")
		if length < 0 {
			break
		}
		end := open + 1 + length
		if s[end] == '<' || length == 0 {
			out = appendPlain(out, s[:end])
			s = s[end:]
			continue
		}
		out = appendPlain(out, s[:open])
		out = append(out, sequence(s[open+1:end]))
		s = s[end+1:]
	}
	return appendPlain(out, s)
}

// appendPlain adds text, joined to plain text before it.
func appendPlain(spans []Span, s string) []Span {
	if s == "" {
		return spans
	}
	s = decodeEntities(s)
	if n := len(spans); n > 0 && spans[n-1].Kind == PlainSpan {
		spans[n-1].Text += s
		return spans
	}
	return append(spans, Span{Kind: PlainSpan, Text: s})
}

// decodeEntities undoes the escaping of the only characters that Slack escapes.
func decodeEntities(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// sequence reads what stands between < and >.
func sequence(s string) Span {
	body, label, labelled := strings.Cut(s, "|")
	body, label = decodeEntities(body), decodeEntities(label)
	show := func(otherwise string) string {
		if labelled && label != "" {
			return label
		}
		return otherwise
	}
	switch {
	case strings.HasPrefix(body, "@"):
		return Span{Kind: MentionSpan, Text: "@" + show(body[1:]), Target: body[1:]}
	case strings.HasPrefix(body, "#"):
		return Span{Kind: ChannelSpan, Text: "#" + show(body[1:]), Target: body[1:]}
	case strings.HasPrefix(body, "!date^"):
		return date(body, show(body))
	case strings.HasPrefix(body, "!subteam^"):
		id := strings.TrimPrefix(body, "!subteam^")
		return Span{Kind: MentionSpan, Text: "@" + strings.TrimPrefix(show(id), "@"), Target: id}
	case strings.HasPrefix(body, "!"):
		return Span{Kind: MentionSpan, Text: "@" + body[1:], Target: body[1:]}
	default:
		return Span{Kind: LinkSpan, Text: show(body), Target: body}
	}
}

// date reads !date^<seconds>^<form>[^<link>]; anything else shows the fallback.
func date(body, fallback string) Span {
	parts := strings.SplitN(body, "^", 4)
	if len(parts) < 3 {
		return Span{Kind: PlainSpan, Text: fallback}
	}
	seconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return Span{Kind: PlainSpan, Text: fallback}
	}
	span := Span{Kind: DateSpan, Text: dateForm(parts[2], time.Unix(seconds, 0).UTC())}
	if len(parts) == 4 {
		span.Target = parts[3]
	}
	return span
}

// dateForm fills in the tokens of a date. The pretty tokens, which may say
// "today", are written as the plain ones here.
func dateForm(form string, t time.Time) string {
	long, short := t.Format("January 2, 2006"), t.Format("Jan 2, 2006")
	return strings.NewReplacer(
		"{date_num}", t.Format("2006-01-02"),
		"{date_slash}", t.Format("01/02/2006"),
		"{date_long_full}", long, "{date_long}", t.Format("Monday, January 2, 2006"),
		"{date_long_pretty}", t.Format("Monday, January 2, 2006"),
		"{date}", long, "{date_pretty}", long,
		"{date_short}", short, "{date_short_pretty}", short,
		"{time}", t.Format("15:04")+" UTC",
		"{time_secs}", t.Format("15:04:05")+" UTC",
		"{ago}", short,
	).Replace(form)
}

// Render makes a message readable: the blocks, or the text when there are none.
// It never fails; what it does not know is left out.
func Render(text string, blocks json.RawMessage) Rendered {
	var r renderer
	var list []block
	if len(blocks) > 0 && json.Unmarshal(blocks, &list) == nil && len(list) > 0 {
		for _, b := range list {
			r.block(b)
		}
		r.hidden(text)
	} else {
		r.line(r.mrkdwn(text))
	}
	r.out.Text = strings.TrimSuffix(r.lines.String(), "\n")
	return r.out
}

// hidden notes the mentions in a text that is not shown.
func (r *renderer) hidden(text string) {
	for _, span := range ParseMrkdwn(text) {
		if span.Kind == MentionSpan {
			r.out.Mentions = append(r.out.Mentions, span.Target)
		}
	}
}

// block is the shape of all blocks and elements together, as far as they are
// shown. Text is an object in some places and a string in others.
type block struct {
	Type     string          `json:"type"`
	BlockID  string          `json:"block_id"`
	ActionID string          `json:"action_id"`
	Text     json.RawMessage `json:"text"`
	Fields   []block         `json:"fields"`
	Elements []block         `json:"elements"`
	Button   *block          `json:"accessory"`
	URL      string          `json:"url"`
	Value    string          `json:"value"`
	Style    json.RawMessage `json:"style"`
	AltText  string          `json:"alt_text"`
	Name     string          `json:"name"`
	UserID   string          `json:"user_id"`
	Range    string          `json:"range"`
}

type renderer struct {
	lines strings.Builder
	out   Rendered
}

func (r *renderer) line(s string) {
	if s != "" {
		r.lines.WriteString(s)
		r.lines.WriteByte('\n')
	}
}

func (r *renderer) block(b block) {
	switch b.Type {
	case "divider":
		r.line("---")
	case "context", "actions":
		var parts []string
		for _, e := range b.Elements {
			parts = append(parts, r.element(b.BlockID, e))
		}
		r.line(strings.Join(parts, " "))
	case "rich_text":
		for _, e := range b.Elements {
			r.line(r.rich(e))
		}
	default:
		r.section(b)
	}
}

func (r *renderer) section(b block) {
	r.line(r.textOf(b.Text))
	for _, f := range b.Fields {
		r.line(r.element(b.BlockID, f))
	}
	if b.Button != nil {
		r.line(r.element(b.BlockID, *b.Button))
	}
	r.line(b.AltText)
}

// element shows a text object, a button or an image.
func (r *renderer) element(blockID string, e block) string {
	switch e.Type {
	case "mrkdwn":
		return r.mrkdwn(plainString(e.Text))
	case "plain_text":
		return plainString(e.Text)
	case "button":
		b := Button{BlockID: blockID, ActionID: e.ActionID, Text: r.textOf(e.Text), Value: e.Value, URL: e.URL, Style: plainString(e.Style)}
		r.out.Buttons = append(r.out.Buttons, b)
		if b.URL != "" {
			r.out.Links = append(r.out.Links, b.URL)
			return "[" + b.Text + "] (" + b.URL + ")"
		}
		return "[" + b.Text + "]"
	default:
		return e.AltText
	}
}

// rich shows an element of a rich_text block, whose text has no markup.
func (r *renderer) rich(e block) string {
	switch e.Type {
	case "text":
		return plainString(e.Text)
	case "link":
		r.out.Links = append(r.out.Links, e.URL)
		if label := plainString(e.Text); label != "" && label != e.URL {
			return label + " (" + e.URL + ")"
		}
		return e.URL
	case "user":
		r.out.Mentions = append(r.out.Mentions, e.UserID)
		return "@" + e.UserID
	case "broadcast":
		r.out.Mentions = append(r.out.Mentions, e.Range)
		return "@" + e.Range
	case "emoji":
		return ":" + e.Name + ":"
	}
	var s strings.Builder
	for _, sub := range e.Elements {
		s.WriteString(r.rich(sub))
		if e.Type == "rich_text_list" {
			s.WriteByte('\n')
		}
	}
	return strings.TrimSuffix(s.String(), "\n")
}

// textOf shows a text object, or a bare string as a markdown block has it.
func (r *renderer) textOf(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var obj block
	if raw[0] == '{' && json.Unmarshal(raw, &obj) == nil {
		return r.element("", obj)
	}
	return plainString(raw)
}

func plainString(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// mrkdwn shows marked up text and notes its mentions and links.
func (r *renderer) mrkdwn(s string) string {
	var b strings.Builder
	for _, span := range ParseMrkdwn(s) {
		b.WriteString(span.Text)
		switch {
		case span.Kind == MentionSpan:
			r.out.Mentions = append(r.out.Mentions, span.Target)
		case span.Kind == LinkSpan, span.Kind == DateSpan && span.Target != "":
			r.out.Links = append(r.out.Links, span.Target)
			if span.Text != span.Target {
				b.WriteString(" (" + span.Target + ")")
			}
		}
	}
	return b.String()
}
