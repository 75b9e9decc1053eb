package discord

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"
	"go.uber.org/zap"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/request"
)

const (
	respond    = "POST /interactions/{interaction}/{token}/callback"
	editAnswer = "PATCH /webhooks/{application}/{token}/messages/@original"
)

// The codes that answer an acknowledgement.
const (
	unknownInteraction  refusal = 10062 // too late, or taken
	alreadyAcknowledged refusal = 40060
)

// The kinds of answer to an interaction, by Discord's numbers.
const (
	saysAtOnce = 4
	saysLater  = 5
	asks       = 9
)

// ephemeral shows a message to the person alone.
const ephemeral = 64

const (
	// acknowledgeLimit is how long an acknowledgement may take with one repetition:
	// Discord waits for three seconds from the press.
	acknowledgeLimit = 2500 * time.Millisecond
	// attemptLimit is how long one attempt at it may take.
	attemptLimit = 1200 * time.Millisecond
	// answerLimit is how long we try to show an answer.
	answerLimit = 8 * time.Second
	// answerPause is the first pause before another attempt at that.
	answerPause = 500 * time.Millisecond
	// answerSize bounds the text of an answer.
	answerSize = 1500
)

// response is the answer to an interaction.
type response struct {
	Type int `json:"type"`
	Data any `json:"data,omitempty"`
}

// words are a message for the person alone.
type words struct {
	Content         string                            `json:"content,omitempty"`
	Flags           int                               `json:"flags,omitempty"`
	AllowedMentions *discordgo.MessageAllowedMentions `json:"allowed_mentions,omitempty"`
}

// later says that the answer follows.
func later() response { return response{saysLater, words{Flags: ephemeral}} }

// atOnce is an answer that takes no time.
func atOnce(text string) response {
	return response{saysAtOnce, words{Content: answerText(text), Flags: ephemeral, AllowedMentions: quiet()}}
}

// answerText is the text of an answer, escaped.
func answerText(text string) string { return line(text, answerSize) }

// reasonInput is the custom id of the dialog's input.
const reasonInput = "reason"

// reasonLimit is how much can be written into the dialog.
const reasonLimit = 400

// label and input are the parts of a dialog. The library's own types do not know the
// label, and Discord advises against the row of old.
type (
	label struct {
		Type      int    `json:"type"`
		Label     string `json:"label"`
		Component input  `json:"component"`
	}
	input struct {
		Type      int    `json:"type"`
		CustomID  string `json:"custom_id"`
		Style     int    `json:"style"`
		MinLength int    `json:"min_length"`
		MaxLength int    `json:"max_length"`
		Required  bool   `json:"required"`
	}
	modal struct {
		CustomID   string  `json:"custom_id"`
		Title      string  `json:"title"`
		Components []label `json:"components"`
	}
)

// askReason opens the dialog for the reason.
func askReason(d dialog) response {
	title := "Approve access request"
	if d.verdict == request.Denied {
		title = "Deny access request"
	}
	return response{asks, modal{CustomID: d.String(), Title: title, Components: []label{{
		Type: 18, Label: "Reason", Component: input{4, reasonInput, 2, 1, reasonLimit, true},
	}}}}
}

// invoke makes a call whose answer tells nothing more.
func (c *client) invoke(ctx context.Context, op, target, address string, body any) error {
	return c.do(ctx, op, target, func(api *discordgo.Session, with discordgo.RequestOption) error {
		method, _, _ := strings.Cut(op, " ")
		_, err := api.RequestWithBucketID(method, address, body, "", with)
		return err
	})
}

// acknowledge answers an interaction for the first time. It reports whether the
// interaction is ours to go on with: of several replicas Discord accepts one, and
// tells the others by a code. An attempt whose outcome nobody knows is repeated once;
// what Discord then knows already is most likely what we sent.
func (s *service) acknowledge(ctx context.Context, i interaction, r response) (ours bool) {
	ctx, cancel := context.WithTimeout(ctx, acknowledgeLimit)
	defer cancel()
	err := s.attempt(ctx, i, r)
	if err != nil && outbound.KindOf(err) == outbound.Retry && ctx.Err() == nil {
		if err = s.attempt(ctx, i, r); hasCode(err, alreadyAcknowledged, unknownInteraction) {
			return true
		}
	}
	switch {
	case err == nil:
		return true
	case hasCode(err, alreadyAcknowledged, unknownInteraction):
		s.log.Debug("Another replica has the press, or it came too late", i.fields(zap.Error(err))...)
	default:
		s.log.Warn("A press could not be acknowledged; the person sees that it failed", i.fields(zap.Error(err))...)
		if r.Type == saysLater && outbound.KindOf(err) == outbound.Retry {
			// Discord may have promised the person an answer.
			s.show(context.WithoutCancel(ctx), i, decision.Answer{Kind: decision.TryAgain, Text: "The press did not get through. Please press again."})
		}
	}
	return false
}

func (s *service) attempt(ctx context.Context, i interaction, r response) error {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	return s.invoke(ctx, respond, i.ID, discordgo.EndpointInteractionResponse(i.ID, url.PathEscape(i.Token)), r)
}

// show puts the answer in the place of the one that was promised.
func (s *service) show(ctx context.Context, i interaction, a decision.Answer) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	address := discordgo.EndpointWebhookMessage(i.ApplicationID, url.PathEscape(i.Token), "@original")
	text := answerText(a.Text)
	if a.Text == "" {
		text = plainAnswer(a.Kind)
	}
	for pause := answerPause; ; pause *= 2 {
		err := s.invoke(ctx, editAnswer, i.ID, address, words{Content: text, AllowedMentions: quiet()})
		if err == nil {
			return
		}
		if refusesContent(err) && text != plainAnswer(a.Kind) {
			text = plainAnswer(a.Kind)
			continue
		}
		if !passes(err) || !pace.Sleep(ctx, max(pause, outbound.AfterOf(err))) {
			s.log.Warn("The answer to a press could not be shown", i.fields(zap.String("answer", message.Cut(a.Text, 200)), zap.Error(err))...)
			return
		}
	}
}

// passes reports whether a failure may be over by the next attempt.
func passes(err error) bool {
	kind := outbound.KindOf(err)
	return kind == outbound.Retry || kind == outbound.Wait || kind == outbound.Unclear
}

// plainAnswer says what came of a press where nothing more can be said.
func plainAnswer(k decision.Kind) string {
	switch k {
	case decision.Done:
		return "Your review was submitted."
	case decision.Already:
		return "There is nothing left to decide."
	case decision.Refused:
		return "This was refused; nothing was submitted."
	}
	return "It is not known what came of this; look at the request in Teleport, or press again."
}

// fields say in the log which press it is.
func (i interaction) fields(more ...zap.Field) []zap.Field {
	p := i.who()
	at := i.at()
	return append([]zap.Field{
		zap.String("press", i.ID), zap.String("person_id", p.ID), zap.String("person", message.Cut(p.name(), 100)),
		zap.String("guild", i.GuildID), zap.String("channel", at.Channel), zap.String("message", at.ID),
	}, more...)
}
