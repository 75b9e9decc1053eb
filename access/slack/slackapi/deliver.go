package slackapi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// delivery is an event that waits for its acknowledgement.
type delivery struct {
	to    *socket
	acked chan json.RawMessage
	late  bool
}

// retry is what an envelope says of earlier attempts.
type retry struct {
	attempt int
	reason  string
}

// Again sends what was sent before once more, in the same envelope, as the named
// attempt. By HTTP it is the same call with the same signature.
func (s *Server) Again(ctx context.Context, before Outcome, attempt int, reason string) (Outcome, error) {
	return s.deliver(ctx, before, 0, retry{attempt, reason})
}

// Deliver sends a payload as it is, which may be one that Slack would not make.
func (s *Server) Deliver(ctx context.Context, user string, payload json.RawMessage) (Outcome, error) {
	return s.deliver(ctx, Outcome{Payload: payload, user: user, failed: PressFailed}, 0, retry{})
}

// deliver sends an event and waits until it is acknowledged, or for as long as Slack
// does.
func (s *Server) deliver(ctx context.Context, out Outcome, late time.Duration, r retry) (Outcome, error) {
	if late > 0 {
		wait := time.NewTimer(late)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			return out, fmt.Errorf("sending an event: %w", ctx.Err())
		}
	}
	out.Acked, out.Answer = false, nil
	var address, secret string
	s.Look(func() { address, secret = s.state.live.requestURL, s.state.live.signingSecret })
	var err error
	if address != "" {
		out.stamp = cmp.Or(out.stamp, stampOf(s.Now()))
		out.Answer, out.Acked, err = s.post(ctx, address, secret, out)
	} else {
		err = s.deal(ctx, &out, r)
	}
	if err != nil {
		return out, fmt.Errorf("sending an event: %w", err)
	}
	if !out.Acked {
		s.Change(func() {
			s.state.live.stats.Missed++
			s.state.live.show(out.user, out.failed)
		})
	}
	return out, nil
}

// deal sends an event through the socket whose turn it is.
func (s *Server) deal(ctx context.Context, out *Outcome, r retry) error {
	waiting := &delivery{acked: make(chan json.RawMessage, 1)}
	s.Change(func() {
		l := &s.state.live
		if out.Envelope == "" {
			out.Envelope = l.unique("envelope-")
		}
		waiting.to = l.next()
		l.waiting[out.Envelope] = waiting
	})
	if waiting.to == nil {
		return nil // Slack has nobody to send it to, and says so at once.
	}
	envelope := object{
		"envelope_id": out.Envelope, "type": "interactive", "accepts_response_payload": true, "payload": out.Payload,
		"retry_attempt": r.attempt, "retry_reason": r.reason,
	}
	waiting.to.send(envelope)
	limit := time.NewTimer(s.opts.AckLimit)
	defer limit.Stop()
	select {
	case out.Answer = <-waiting.acked:
		out.Acked = true
	case <-limit.C:
		s.Look(func() { waiting.late = true })
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// heard takes a frame of the app's. An acknowledgement counts only on the socket
// that the event came through: Slack does not say so, and this is the stricter
// reading.
func (s *Server) heard(sock *socket, text []byte) {
	var frame struct {
		Envelope string          `json:"envelope_id"`
		Payload  json.RawMessage `json:"payload"`
	}
	garbled := json.Unmarshal(text, &frame) != nil || frame.Envelope == ""
	s.Change(func() {
		stats := &s.state.live.stats
		waiting := s.state.live.waiting[frame.Envelope]
		switch {
		case garbled:
			stats.Garbled++
		case waiting == nil || waiting.to != sock:
			stats.StrayAcks++
		case waiting.late:
			stats.LateAcks++
		default:
			stats.Acks++
			select {
			case waiting.acked <- frame.Payload:
			default: // It was acknowledged before.
			}
		}
	})
}
