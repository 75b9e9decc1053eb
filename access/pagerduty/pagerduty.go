package pagerduty

import (
	"context"
	"fmt"
	"strings"

	"github.com/PagerDuty/go-pagerduty"
	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recent"
	"teleport-plugins/lib/request"
)

// service is PagerDuty in the words of the engine.
type service struct {
	*client
	Section
	log      *zap.Logger
	priority priority
	// owned holds the incidents that were made by this process or proven to be
	// those of a request.
	owned *recent.Memory[ownership, struct{}]
}

// rememberedIncidents is how many incidents need not be proven ours again; each
// takes about 200 bytes.
const rememberedIncidents = 5000

var (
	_ integration.Service = (*service)(nil)
	_ integration.Shower  = (*service)(nil)
	_ integration.Finder  = (*service)(nil)
	_ integration.Router  = (*service)(nil)
	_ plugin.Inspector    = (*service)(nil)
)

func newService(s Section, d plugin.Deps) *service {
	return &service{
		client: newClient(s, d.Transport), Section: s, log: d.Log,
		owned: recent.New[ownership, struct{}](rememberedIncidents),
	}
}

// Recipients implements integration.Router: every service that the annotation
// names.
func (s *service) Recipients(_ context.Context, v request.View) integration.Choices {
	return integration.Choose("the annotation "+s.NotifyService+" of a role", annotated(v, s.NotifyService)...)
}

// annotated lists the values of an annotation, each once, in order.
func annotated(v request.View, annotation string) []string {
	var list []string
	seen := make(map[string]bool)
	for _, name := range v.Annotations[annotation] {
		if name = strings.TrimSpace(name); name != "" && !seen[name] {
			seen[name] = true
			list = append(list, name)
		}
	}
	return list
}

// Resolve implements integration.Service: the id of a service by its name.
func (s *service) Resolve(ctx context.Context, name string) (string, error) {
	found, ok, err := s.Service(ctx, name)
	if err == nil && !ok {
		err = &outbound.Error{
			Kind: outbound.Refused, Scope: outbound.ThePlace, Op: "GET /services", Err: fmt.Errorf("PagerDuty has no service %q", name),
			Hint: "correct the annotation " + s.NotifyService + " of the role, or the access monitoring rule",
		}
	}
	return found.ID, err
}

// Tells implements integration.Service. The end is told in a note, since the
// incident itself shows no more than that it is resolved.
func (s *service) Tells(k integration.Kind) bool {
	return !k.Private()
}

// Tell implements integration.Service.
func (s *service) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	switch e.Kind {
	case integration.Announce:
		return s.announce(ctx, to.Address, v)
	case integration.Review:
		r, ok := review(v, e.Index)
		if !ok {
			return plugindata.Message{}, nil // known only from the record, which does not hold reviews
		}
		return plugindata.Message{}, s.note(ctx, to.Message, v.ID, reviewNote(r), plainReview(r))
	case integration.End:
		return plugindata.Message{}, s.note(ctx, to.Message, v.ID, resolutionNote(v), headline(v.Status))
	case integration.Pending:
		return plugindata.Message{}, s.note(ctx, to.Message, v.ID, pendingNote(e, v), pendingHead(e, v))
	}
	return plugindata.Message{}, &outbound.Error{
		Kind: outbound.Refused, Op: opNote, Err: fmt.Errorf("PagerDuty has no place for %q", e), Hint: "report this as a fault of the plugin",
	}
}

// review returns a review, if it is known.
func review(v request.View, i int) (r request.Review, ok bool) {
	if i < 0 || i >= len(v.Reviews) || v.Reviews[i].Author == "" {
		return r, false
	}
	return v.Reviews[i], true
}

// Show implements integration.Shower. An incident shows of a request only whether
// it is pending; to resolve it a second time is success.
func (s *service) Show(ctx context.Context, m plugindata.Message, v request.View) error {
	if !v.Status.Ended() {
		return nil
	}
	if err := s.own(ctx, m, v.ID); err != nil {
		return err
	}
	return s.resolve(ctx, m.ID)
}

// resolve resolves an incident; to do so a second time is success.
func (s *service) resolve(ctx context.Context, incident string) error {
	err := s.do(ctx, opResolve, func(ctx context.Context, api *pagerduty.Client) error {
		_, err := api.ManageIncidentsWithContext(ctx, s.UserEmail, []pagerduty.ManageIncidentsOptions{{ID: incident, Status: resolved}})
		return err
	})
	// Resolved before, merged into another, or resolved and then out of our reach.
	if hasCode(err, 1001, 1019, 2018) {
		return nil
	}
	return err
}

// CanFind implements integration.Finder: incidents are looked up by their key.
func (s *service) CanFind(string) bool { return true }

// Find implements integration.Finder. Incidents are found whether open or
// resolved, notes by what they say.
func (s *service) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	switch e.Kind {
	case integration.Announce:
		var found []plugindata.Message
		list, err := s.find(ctx, to.Address, v)
		for _, c := range list {
			if c.own() {
				found = append(found, plugindata.Message{Channel: to.Address, ID: c.ID})
			}
		}
		return found, err
	case integration.Review:
		r, ok := review(v, e.Index)
		if !ok {
			return nil, nil // nothing is known by which it could be recognised
		}
		full, plain := reviewNote(r), plainReview(r)
		return s.notes(ctx, to.Message, func(text string) bool { return text == full || text == plain })
	case integration.End:
		return s.notes(ctx, to.Message, func(text string) bool { return tellsEnd(text, e.Index) })
	case integration.Pending:
		head := pendingHead(e, v)
		return s.notes(ctx, to.Message, func(text string) bool { return text == head || strings.HasPrefix(text, head+"\n") })
	}
	return nil, nil
}

// Check implements integration.Service.
func (s *service) Check(ctx context.Context) error {
	return s.do(ctx, opCheck, func(ctx context.Context, api *pagerduty.Client) error {
		_, err := api.ListAbilitiesWithContext(ctx)
		return err
	})
}
