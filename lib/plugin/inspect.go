package plugin

import (
	"context"
	"errors"
	"slices"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// inspect says at the start what a person should correct before the first request
// shows it.
func (s *session) inspect(ctx context.Context) {
	inspector, ok := s.parts.Service.(Inspector)
	if !ok {
		return
	}
	legs := inspector.Probes()
	for _, name := range s.configured() {
		legs = append(legs, s.proof(name))
	}
	run := &check.Run{Limit: checkTime, Tell: func(l check.Line) {
		switch {
		case ctx.Err() != nil || l.Result == check.OK:
		case l.Result == check.Failed:
			s.log.Warn("Before the first request shows it: " + l.Text)
		default:
			s.log.Info("What requests may show: " + l.Text)
		}
	}}
	for i, leg := range legs {
		legs[i].Try = func(ctx context.Context) error { return lasting(leg.Try(ctx)) }
	}
	run.Do(ctx, legs...)
}

// configured are the recipients that the config names, and further ones, each once.
func (s *session) configured(further ...string) []string {
	names := s.byConfig().Configured()
	for _, name := range slices.Concat(s.settings.Common().Escalation.Recipients(), further) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// lasting leaves out a failure that passes by itself: at the start it is no news.
func lasting(err error) error {
	e, ok := errors.AsType[*outbound.Error](err)
	if ok && e.Kind != outbound.Refused || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// proof is the leg that looks whether a recipient can be told.
func (s *session) proof(name string, needs ...string) check.Leg {
	return check.Leg{
		Name: "recipient", What: "recipient " + shown(name), Needs: needs,
		Try: func(ctx context.Context) error {
			if message.IsWebAddress(name) {
				return errors.New("a web address, which may be a secret, is no recipient; name a channel or a person")
			}
			if inspector, ok := s.parts.Service.(Inspector); ok {
				return inspector.Prove(ctx, name)
			}
			if _, err := s.parts.Service.Resolve(ctx, name); err != nil {
				return err
			}
			return check.Lack("the plugin cannot look at it; check --send proves it by a test message")
		},
	}
}

// shown is a recipient as it may be printed: a web address may hold a secret.
func shown(name string) string {
	if message.IsWebAddress(name) {
		return "with a web address"
	}
	return name
}
