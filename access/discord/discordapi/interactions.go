package discordapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// How long the token of an interaction lives without and with a first answer.
const (
	AcknowledgeWithin = 3 * time.Second
	AnswerWithin      = 15 * time.Minute
)

// The kinds of interaction and of answer to them.
const (
	componentInteraction = 3
	modalInteraction     = 5

	AnswerMessage        = 4
	AnswerDeferred       = 5
	AnswerDeferredUpdate = 6
	AnswerUpdate         = 7
	AnswerModal          = 9
)

// ephemeral is the flag of a message that one person sees.
const ephemeral = 64

// interaction is a press or a dialog that was sent off.
type interaction struct {
	Interaction
	token   string
	kind    int
	created time.Time
	said    []*said // what was answered, the first answer before the others
	source  map[string]any
}

// said is a message that answers an interaction.
type said struct {
	id       string
	content  string
	text     string // as a reader sees it
	alone    bool
	thinking bool
	deleted  bool
}

// Interaction is a press of a button, or a dialog that was filled in.
type Interaction struct {
	ID, Token, User, Channel, Message, CustomID string
	// Answer is the kind of the first answer, or zero.
	Answer int
	// Modal is the dialog that was opened.
	Modal *Modal
	// Thinking says that an answer was promised and did not come yet.
	Thinking bool
	// Done says that there is nothing more to come: the answer, or a failure.
	Done bool
	// Attempts is how many first answers were tried.
	Attempts int
}

// answerBody is the body of a first answer.
type answerBody struct {
	Type *int            `json:"type"`
	Data json.RawMessage `json:"data"`
}

// callback takes the first answer.
func callback(s *Server, c *call) (int, any, error) {
	i := s.state.interactions[c.R.PathValue("interaction")]
	if i == nil || i.token != c.R.PathValue("token") {
		return 0, nil, failure(10062)
	}
	i.Attempts++
	var b answerBody
	if json.Unmarshal(c.Body, &b) != nil {
		return 0, nil, failure(50109)
	}
	if err := b.check(i.kind); err != nil {
		return 0, nil, err
	}
	switch ch := s.state.channels[i.Channel]; {
	case i.Answer != 0:
		return 0, nil, failure(40060)
	case s.Now().Sub(i.created) > AcknowledgeWithin:
		return 0, nil, failure(10062)
	case ch != nil && ch.IsThread() && (ch.Archived || ch.Locked):
		return 0, nil, failure(50083)
	}
	if err := s.state.answer(i, *b.Type, b.Data, s.Now()); err != nil {
		return 0, nil, err
	}
	s.Changed()
	return http.StatusNoContent, nil, nil
}

// check finds the faults of a first answer.
func (b answerBody) check(kind int) error {
	var f form
	switch {
	case b.Type == nil:
		f.add("type", "BASE_TYPE_REQUIRED", "This field is required")
	case *b.Type < AnswerMessage || *b.Type == 8 || *b.Type > AnswerModal, *b.Type == AnswerModal && kind == modalInteraction:
		f.add("type", "BASE_TYPE_CHOICES", "Value must be one of {4, 5, 6, 7, 9}.")
	case *b.Type == AnswerModal:
		checkModal(&f, b.Data)
	case *b.Type == AnswerMessage || *b.Type == AnswerUpdate:
		if _, err := decodePayload(&call{Body: orObject(b.Data)}); err != nil {
			return err
		}
	}
	return f.err()
}

func orObject(data json.RawMessage) json.RawMessage {
	if len(data) == 0 {
		return json.RawMessage("{}")
	}
	return data
}

// answer carries a first answer out. The lock is held.
func (w *world) answer(i *interaction, kind int, data json.RawMessage, now time.Time) error {
	var flags struct {
		Flags int `json:"flags"`
	}
	_ = json.Unmarshal(data, &flags)
	switch kind {
	case AnswerMessage, AnswerDeferred:
		m := &said{id: formatID(w.newID(now)), alone: flags.Flags&ephemeral != 0, thinking: kind == AnswerDeferred}
		if kind == AnswerMessage {
			p, err := decodePayload(&call{Body: orObject(data)})
			if err != nil {
				return err
			}
			if err := m.fill(p); err != nil {
				return err
			}
		}
		i.said = append(i.said, m)
	case AnswerModal:
		i.Modal = new(Modal)
		_ = json.Unmarshal(data, i.Modal)
	}
	i.Answer = kind
	return nil
}

// fill makes a message what the payload says.
func (m *said) fill(p payload) error {
	if p.Content != nil {
		m.content = strings.TrimSpace(*p.Content)
	}
	if m.content == "" && !hasItems(p.Embeds) && !hasItems(p.Components) {
		return failure(50006)
	}
	m.text, m.thinking = Render(m.content, p.Embeds, p.Components).Text, false
	return nil
}

// answered finds the interaction of a call on what was said.
func (s *Server) answered(c *call) (*interaction, error) {
	if c.R.PathValue("application") != s.opts.ApplicationID {
		return nil, failure(10015)
	}
	for _, i := range s.state.interactions {
		if i.token == c.R.PathValue("token") && i.Answer != 0 && s.Now().Sub(i.created) <= AnswerWithin {
			return i, nil
		}
	}
	return nil, failure(10015)
}

// editAnswer changes what was said, or says what was promised.
func editAnswer(s *Server, c *call) (int, any, error) {
	p, err := decodePayload(c)
	if err != nil {
		return 0, nil, err
	}
	i, err := s.answered(c)
	if err != nil {
		return 0, nil, err
	}
	if len(i.said) == 0 || i.said[0].deleted {
		return 0, nil, failure(10008)
	}
	if err := i.said[0].fill(p); err != nil {
		return 0, nil, err
	}
	s.Changed()
	return http.StatusOK, s.state.saidBody(i, i.said[0]), nil
}

// followUp says something more. The first of them takes the place of what was
// promised.
func followUp(s *Server, c *call) (int, any, error) {
	p, err := decodePayload(c)
	if err != nil {
		return 0, nil, err
	}
	i, err := s.answered(c)
	if err != nil {
		return 0, nil, err
	}
	var flags struct {
		Flags int `json:"flags"`
	}
	_ = json.Unmarshal(c.Body, &flags)
	m := &said{id: formatID(s.state.newID(s.Now())), alone: flags.Flags&ephemeral != 0}
	if len(i.said) == 1 && i.said[0].thinking {
		m = i.said[0]
	} else {
		i.said = append(i.said, m)
	}
	if err := m.fill(p); err != nil {
		return 0, nil, err
	}
	s.Changed()
	return http.StatusOK, s.state.saidBody(i, m), nil
}

func (w *world) saidBody(i *interaction, m *said) map[string]any {
	flags := 0
	if m.alone {
		flags = ephemeral
	}
	return map[string]any{
		"id": m.id, "channel_id": i.Channel, "type": 19, "content": m.content, "author": w.userBody(w.botID),
		"timestamp": i.created.UTC().Format(time.RFC3339Nano), "edited_timestamp": nil, "tts": false, "pinned": false,
		"mention_everyone": false, "mentions": []any{}, "mention_roles": []any{}, "attachments": []any{},
		"embeds": []any{}, "components": []any{}, "flags": flags, "webhook_id": w.botID,
	}
}

// Modal is a dialog.
type Modal struct {
	CustomID   string           `json:"custom_id"`
	Title      string           `json:"title"`
	Components []modalComponent `json:"components"`
}

// modalComponent is a label with an input, or the row of old.
type modalComponent struct {
	Type       int          `json:"type"`
	Label      string       `json:"label"`
	Component  *modalInput  `json:"component"`
	Components []modalInput `json:"components"`
}

// modalInput is an input.
type modalInput struct {
	Type      int    `json:"type"`
	CustomID  string `json:"custom_id"`
	Style     int    `json:"style"`
	Label     string `json:"label"`
	MinLength *int   `json:"min_length"`
	MaxLength *int   `json:"max_length"`
	Required  *bool  `json:"required"`
}

// input is the first input, or nil.
func (m Modal) input() *modalInput {
	for _, c := range m.Components {
		switch {
		case c.Component != nil:
			return c.Component
		case len(c.Components) > 0:
			return &c.Components[0]
		}
	}
	return nil
}

// checkModal records the faults of a dialog.
func checkModal(f *form, data json.RawMessage) {
	var m Modal
	if json.Unmarshal(orObject(data), &m) != nil {
		f.add("data", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
		return
	}
	f.need("data.custom_id", m.CustomID)
	f.most("data.custom_id", m.CustomID, maxCustomID)
	f.need("data.title", m.Title)
	f.most("data.title", m.Title, maxModalTitle)
	if n := len(m.Components); n < 1 || n > maxModalParts {
		f.add("data.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
	}
	for n, c := range m.Components {
		at := "data.components." + strconv.Itoa(n)
		switch {
		case c.Type == 18 && c.Component != nil:
			f.need(at+".label", c.Label)
			f.most(at+".label", c.Label, maxModalTitle)
			if c.Component.Label != "" {
				f.add(at+".component.label", "TEXT_INPUT_LABEL_IN_LABEL", "A text input in a label has no label of its own")
			}
			c.Component.check(f, at+".component")
		case c.Type == 1 && len(c.Components) == 1:
			f.need(at+".components.0.label", c.Components[0].Label)
			c.Components[0].check(f, at+".components.0")
		default:
			f.add(at+".type", "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (1, 18).")
		}
	}
}

// check records the faults of an input.
func (i modalInput) check(f *form, at string) {
	if i.Type != 4 {
		f.add(at+".type", "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (4,).")
	}
	f.need(at+".custom_id", i.CustomID)
	f.most(at+".custom_id", i.CustomID, maxCustomID)
	if i.Style != 1 && i.Style != 2 {
		f.add(at+".style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2}.")
	}
	if i.MinLength != nil && (*i.MinLength < 0 || *i.MinLength > maxInput) {
		f.add(at+".min_length", "NUMBER_TYPE_RANGE", "int value should be between 0 and 4000.")
	}
	if i.MaxLength != nil && (*i.MaxLength < 1 || *i.MaxLength > maxInput) {
		f.add(at+".max_length", "NUMBER_TYPE_RANGE", "int value should be between 1 and 4000.")
	}
}
