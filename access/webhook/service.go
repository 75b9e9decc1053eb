package webhook

import (
	"context"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/document"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/repeat"
	"teleport-plugins/lib/request"
)

// service is the endpoints in the words of the engine: a recipient is an endpoint, and a
// message an event that it was given.
type service struct {
	endpoints map[string]*receiver
	facts     *document.Lookup
	decide    Policy
	answers   *answers
}

var (
	_ integration.Service  = (*service)(nil)
	_ integration.Repeater = (*service)(nil)
	_ plugin.Inspector     = (*service)(nil)
)

// Tells implements integration.Service. Everything but what is for the requester alone
// is an event; nothing is ever edited.
func (s *service) Tells(k integration.Kind) bool { return !k.Private() }

// Resolve implements integration.Service: an endpoint has no address but its name.
func (s *service) Resolve(_ context.Context, name string) (string, error) {
	if s.endpoints[name] == nil {
		return "", refusedEndpoint(name)
	}
	return name, nil
}

// Tell implements integration.Service. What an endpoint does not want to hear of counts
// as told.
func (s *service) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	r := s.endpoints[to.Address]
	if r == nil {
		return plugindata.Message{}, refusedEndpoint(to.Address)
	}
	m := plugindata.Message{Channel: r.name, ID: document.ID(v, r.name, e.String())}
	unknown := e.Kind == integration.Review && (e.Index >= len(v.Reviews) || v.Reviews[e.Index].Author == "")
	if unknown || !r.takes(document.KindOf(e, v)) { // of a review that the record alone knows there is nothing to say
		return m, nil
	}
	return m, s.hand(ctx, r, e, v, document.Of(e, m.ID, v, s.facts.Of(ctx, v)))
}

// hand delivers the event that an effect is, and takes in the answer.
func (s *service) hand(ctx context.Context, r *receiver, e integration.Effect, v request.View, d document.Event) error {
	said, err := r.deliver(ctx, d)
	if err != nil {
		return err
	}
	s.heard(v, r, e, said)
	return nil
}

// CanFind implements integration.Finder.
func (s *service) CanFind(string) bool { return true }

// Repeats implements integration.Repeater.
func (s *service) Repeats() {}

// Find implements integration.Finder. Nothing can be looked up, and need not be: an event
// that may have been delivered is delivered again, under the same id.
func (s *service) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	if s.endpoints[to.Address] == nil {
		return nil, nil
	}
	return repeat.Find(ctx, s, to, e, v) //nolint:wrapcheck // of the kinds of lib/outbound
}

// Check implements integration.Service: there is nobody who knows all endpoints. Whether
// each can be reached is shown by Prove.
func (s *service) Check(context.Context) error { return nil }

// Probes implements plugin.Inspector.
func (s *service) Probes() []check.Leg { return nil }

// Prove implements plugin.Inspector: whether an endpoint is there. What it would answer
// to an event is shown by the command try.
func (s *service) Prove(ctx context.Context, name string) error {
	if s.endpoints[name] == nil {
		return refusedEndpoint(name)
	}
	return s.endpoints[name].to.Prove(ctx) //nolint:wrapcheck // says what is wrong
}

// router routes by the table alone: reviewers whom the requester suggests are people.
type router struct{ recipient.Static }

// Recipients implements integration.Router.
func (r router) Recipients(ctx context.Context, v request.View) integration.Choices {
	v.SuggestedReviewers = nil
	return r.Static.Recipients(ctx, v)
}
