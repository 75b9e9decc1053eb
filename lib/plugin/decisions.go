package plugin

import (
	"context"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/teleport"
)

// conditionAnswering states whether what people press reaches the plugin.
const conditionAnswering = "answering buttons"

// listenAgain is the pause, which doubles up to listenMost, before it is tried again to
// listen after something that a person must correct.
const listenAgain, listenMost = 10 * time.Second, time.Minute

// decidable reports whether the messages about a request have buttons.
func (s *session) decidable(v request.View) bool {
	return s.parts.Decisions != nil && s.parts.Decisions.Offered(v)
}

// listener is the service, if people may decide there.
func (s *session) listener() (decision.Listener, bool) {
	listener, ok := s.parts.Service.(decision.Listener)
	return listener, ok && s.parts.Decisions != nil && s.parts.Decisions.Enabled
}

// desk is what a desk works with; state is told whether presses reach us.
func (s *session) desk(state func(fault string)) decision.Options {
	return decision.Options{
		Plugin: s.integration.Name, Title: s.integration.Title, Policy: *s.parts.Decisions, Codec: s.parts.Codec,
		Cluster: cluster{s}, Author: func() string { return s.identity.Load().User },
		Version: func() string { return s.info.Load().ServerVersion },
		State:   state, Observer: observer{s.metrics}, Log: s.log.Logger,
	}
}

// listen hears what people press, where the config wants it. What was pressed before
// the first context ends is finished.
func (s *session) listen(ctx context.Context) {
	s.conditions.Withdraw(conditionAnswering) // of the session before
	listener, ok := s.listener()
	if !ok {
		return
	}
	s.health.Fail(conditionAnswering, "starting")
	desk := decision.New(s.desk(s.answering))
	for pause := listenAgain; ctx.Err() == nil; pause = min(2*pause, listenMost) {
		began := time.Now()
		err := listener.Listen(ctx, desk)
		if err == nil {
			continue
		}
		if time.Since(began) > listenMost {
			pause = listenAgain
		}
		s.answering(err.Error())
		s.log.Error("Buttons are not answered until this is corrected", zap.Error(err), zap.Duration("tried_again_in", pause))
		pace.Sleep(ctx, pause)
	}
}

// answering states whether what people press reaches us.
func (s *session) answering(fault string) { s.conditions.Set(conditionAnswering, fault == "", fault) }

// Users names the users whom match accepts.
func (c cluster) Users(ctx context.Context, match func(name string, traits map[string][]string) bool) ([]string, error) {
	return on(c.s, func(conn *teleport.Conn) ([]string, error) { return conn.Users(ctx, match) })
}

// UserRoles names the roles of a user.
func (c cluster) UserRoles(ctx context.Context, user string) ([]string, error) {
	return on(c.s, func(conn *teleport.Conn) ([]string, error) { return conn.UserRoles(ctx, user) })
}

// Locked reports whether a lock is in force for a user or one of the roles.
func (c cluster) Locked(ctx context.Context, user string, roles []string) (bool, error) {
	return on(c.s, func(conn *teleport.Conn) (bool, error) { return conn.Locked(ctx, user, roles) })
}

// Pressed counts what came of a press.
func (o observer) Pressed(kind decision.Kind, took time.Duration) { o.m.Pressed(kind, took) }
