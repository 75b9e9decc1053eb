package plugin

import (
	"context"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/request"
)

// conditionAnswering states whether what people press reaches the plugin.
const conditionAnswering = "answering buttons"

// listenAgain is the pause, which doubles up to checkPeriod, before it is tried again to
// listen after something that a person must correct.
const listenAgain = 10 * time.Second

// decidable reports whether the messages about a request have buttons.
func (s *session) decidable(v request.View) bool {
	return s.parts.Decisions != nil && s.parts.Decisions.Offered(v)
}

// listen hears what people press, where the config wants it. What was pressed before
// the first context ends is finished.
func (s *session) listen(ctx context.Context) {
	s.conditions.Withdraw(conditionAnswering) // of the session before
	listener, ok := s.parts.Service.(decision.Listener)
	if !ok || s.parts.Decisions == nil || !s.parts.Decisions.Enabled {
		return
	}
	s.health.Fail(conditionAnswering, "starting")
	desk := decision.New(decision.Options{
		Plugin: s.integration.Name, Title: s.integration.Title, Policy: *s.parts.Decisions, Codec: s.parts.Codec,
		Cluster: cluster{s}, Author: func() string { return s.identity.Load().User },
		Version: func() string { return s.info.Load().ServerVersion },
		State:   s.answering, Observer: observer{s.metrics}, Log: s.log.Logger,
	})
	for pause := listenAgain; ctx.Err() == nil; pause = min(2*pause, checkPeriod) {
		began := time.Now()
		err := listener.Listen(ctx, desk)
		if err == nil {
			continue
		}
		if time.Since(began) > checkPeriod {
			pause = listenAgain
		}
		s.answering(err.Error())
		s.log.Error("Buttons are not answered until this is corrected", zap.Error(err), zap.Duration("tried_again_in", pause))
		pace.Sleep(ctx, pause)
	}
}

// answering states whether what people press reaches us.
func (s *session) answering(fault string) { s.conditions.Set(conditionAnswering, fault == "", fault) }

// UsersByTrait names the users who have a value of a trait.
func (c cluster) UsersByTrait(ctx context.Context, trait, value string) ([]string, error) {
	conn, err := c.s.current()
	if err != nil {
		return nil, err
	}
	return conn.UsersByTrait(ctx, trait, value)
}

// Pressed counts what came of a press.
func (o observer) Pressed(kind decision.Kind, took time.Duration) { o.m.Pressed(kind, took) }
