package discord

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"teleport-plugins/lib/decision"
)

// maxPresses bounds how many presses are in work, and maxCrowd how many more are told
// at the same time that there are too many.
const (
	maxPresses = 64
	maxCrowd   = 200
)

// hear takes in an interaction. What is none of ours is left alone: somebody else may
// answer it. The work outlasts the context, which says that no more is to be taken.
func (l *listening) hear(ctx context.Context, raw []byte) {
	if ctx.Err() != nil {
		return
	}
	i, err := readInteraction(raw, l.application)
	if errors.Is(err, errForeign) {
		l.log.Warn("An interaction of another application was sent to us", zap.String("application", i.ApplicationID))
		return
	}
	if err != nil {
		l.log.Debug("An interaction is none that decides", zap.Error(err))
		return
	}
	work := l.workOn(i)
	if work == nil {
		l.log.Debug("An interaction is none that decides", i.fields()...)
		return
	}
	ctx = context.WithoutCancel(ctx)
	crowded := func() { l.acknowledge(ctx, i, atOnce(decision.Crowded)) }
	if !l.work.Begin(func() { work(ctx) }, crowded) {
		l.log.Warn("Too many presses at once; the person sees that this one failed", i.fields()...)
	}
}

// workOn chooses what is to be done about an interaction, or nothing.
func (l *listening) workOn(i interaction) func(context.Context) {
	p := decision.Press{
		ID: i.ID, Message: i.at(), Team: i.GuildID, PersonID: i.who().ID,
		Person: func(context.Context) (decision.Person, error) { return i.who().described(), nil },
	}
	switch i.Type {
	case pressed:
		verdict, id, ok := decided(i.Data.CustomID)
		if !ok {
			return nil
		}
		p.Request, p.Verdict = id, verdict
		return func(ctx context.Context) { l.pressed(ctx, i, p) }
	case submitted:
		d, ok := readDialog(i.Data.CustomID)
		if !ok {
			return nil
		}
		p.Request, p.Verdict, p.Reason = d.request, d.verdict, i.reason()
		return func(ctx context.Context) { l.submitted(ctx, i, p, d) }
	}
	return nil
}

// pressed answers a press of a button: with the dialog for a reason, or with what came
// of it.
func (l *listening) pressed(ctx context.Context, i interaction, p decision.Press) {
	if l.refuses(ctx, i) {
		return
	}
	if l.asks(p.Verdict) {
		l.acknowledge(ctx, i, askReason(dialog{p.Verdict, p.Message, p.PersonID, p.Request}))
		return
	}
	l.decide(ctx, i, p)
}

// submitted answers a dialog. It must have been opened by the same person, at the same
// message.
func (l *listening) submitted(ctx context.Context, i interaction, p decision.Press, d dialog) {
	if l.refuses(ctx, i) {
		return
	}
	switch {
	case d.opener != p.PersonID || d.message != p.Message:
		l.refuse(ctx, i, "This dialog was opened by another person or at another message; press the button again.",
			zap.String("opener", d.opener), zap.String("opened_at", d.message.Channel+"/"+d.message.ID))
	case p.Reason == "" && l.asks(p.Verdict):
		l.refuse(ctx, i, decision.NoReason)
	default:
		l.decide(ctx, i, p)
	}
}

// refuses turns away what Discord itself says may decide nothing.
func (l *listening) refuses(ctx context.Context, i interaction) bool {
	switch {
	case i.who().outsider() != "":
		l.refuse(ctx, i, "Bots decide nothing.")
	case !i.installed():
		l.refuse(ctx, i, "Nothing is decided here: the application was not added to this server.")
	default:
		return false
	}
	return true
}

// refuse answers at once.
func (l *listening) refuse(ctx context.Context, i interaction, text string, more ...zap.Field) {
	if l.acknowledge(ctx, i, atOnce(text)) {
		l.log.Warn("A press was refused: "+text, i.fields(more...)...)
	}
}

// decide acknowledges a press, has the desk decide and shows its answer.
func (l *listening) decide(ctx context.Context, i interaction, p decision.Press) {
	if !l.acknowledge(ctx, i, later()) {
		return
	}
	l.show(ctx, i, l.desk.Press(ctx, p))
}
