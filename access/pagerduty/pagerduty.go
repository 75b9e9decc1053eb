package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/PagerDuty/go-pagerduty"
	"go.uber.org/zap"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/reconcile"
)

// opCheck is the call by which the key is checked; every kind of key may make it.
const opCheck = "GET /abilities"

// remembered is how long the id behind a name is not looked up again. Nothing
// that an approval rests on is remembered.
const remembered = 10 * time.Minute

// service is PagerDuty in the words of the engine.
type service struct {
	*client
	Section
	log    *zap.Logger
	traits func(ctx context.Context, user string) (map[string][]string, error)

	mu  sync.Mutex
	ids map[string]known // by kind and lower-case name
}

type known struct {
	id    string
	until time.Time
}

var (
	_ reconcile.Service = (*service)(nil)
	_ reconcile.Replier = (*service)(nil)
	_ reconcile.Finder  = (*service)(nil)
	_ reconcile.Decider = (*service)(nil)
	_ reconcile.Router  = (*service)(nil)
	_ plugin.Inspector  = (*service)(nil)
)

func newService(s Section, d plugin.Deps) *service {
	return &service{
		client:  &client{key: s.APIKey, endpoint: s.APIEndpoint, transport: d.Transport, http: d.Transport.Client()},
		Section: s, log: d.Log, traits: d.Traits, ids: make(map[string]known),
	}
}

// Recipients implements reconcile.Router: every service that the annotation names.
func (s *service) Recipients(_ context.Context, v message.View) []string {
	return annotated(v, s.NotifyService)
}

// annotated lists the values of an annotation, each once, in order.
func annotated(v message.View, annotation string) []string {
	var list []string
	for _, name := range v.Annotations[annotation] {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// Resolve implements reconcile.Service: the id of a service by its name.
func (s *service) Resolve(ctx context.Context, name string) (string, error) {
	return s.remember("service "+strings.ToLower(name), func() (string, error) {
		found, ok, err := s.Service(ctx, name)
		if err == nil && !ok {
			err = &outbound.Error{
				Kind: outbound.Permanent, Op: "GET /services", Err: fmt.Errorf("PagerDuty has no service %q", name),
				Hint: "correct the annotation " + s.NotifyService + " of the role, or the access monitoring rule",
			}
		}
		return found.ID, err
	})
}

// remember returns an id that was found before, or finds it.
func (s *service) remember(what string, find func() (string, error)) (string, error) {
	s.mu.Lock()
	k := s.ids[what]
	s.mu.Unlock()
	if time.Now().Before(k.until) {
		return k.id, nil
	}
	id, err := find()
	if err != nil || id == "" {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids[what] = known{id, time.Now().Add(remembered)}
	return id, nil
}

// Post implements reconcile.Service. A request that has ended needs nobody's
// attention: its incident is of low urgency and resolved at once.
func (s *service) Post(ctx context.Context, address string, v message.View) (plugindata.Message, error) {
	m, err := s.open(ctx, address, v)
	if err == nil && v.Status.Ended() {
		err = s.conclude(ctx, m, v)
	}
	return m, err
}

// errNoIncident stands for an answer that says neither yes nor no.
var errNoIncident = errors.New("the answer names no incident")

// open makes an incident, unless one with the key is open.
func (s *service) open(ctx context.Context, address string, v message.View) (plugindata.Message, error) {
	const op = "POST /incidents"
	o := &pagerduty.CreateIncidentOptions{
		Title: title(v), IncidentKey: key(v.ID), Urgency: s.Urgency, Priority: s.priorityReference(ctx),
		Service: &pagerduty.APIReference{ID: address, Type: "service_reference"},
		Body:    &pagerduty.APIDetails{Type: "incident_body", Details: details(v)},
	}
	if v.Status.Ended() {
		o.Urgency = "low"
	}
	m := plugindata.Message{Channel: address}
	err := s.do(ctx, op, func(ctx context.Context, api *pagerduty.Client) error {
		in, err := api.CreateIncidentWithContext(ctx, s.UserEmail, o)
		switch {
		case err != nil:
			return err
		case in.ID == "":
			return errNoIncident
		}
		m.ID = in.ID
		return nil
	})
	if !duplicate(err) {
		return m, err
	}
	found, ok, err := s.Find(ctx, address, v)
	if err == nil && !ok {
		err = &outbound.Error{Kind: outbound.Retry, Op: op, Err: errors.New("PagerDuty has an incident with the key but does not show it")}
	}
	return found, err
}

// priorityReference names the priority of new incidents. Without it an incident
// is opened all the same, and in time.
func (s *service) priorityReference(ctx context.Context) *pagerduty.APIReference {
	if s.Priority == "" {
		return nil
	}
	ctx, cancel := half(ctx)
	defer cancel()
	id, err := s.remember("priority", func() (string, error) { return s.priority(ctx, s.Priority) })
	if id == "" {
		s.log.Warn("An incident is opened without the configured priority; PagerDuty does not have it or did not say",
			zap.String("priority", s.Priority), zap.Error(err))
		return nil
	}
	return &pagerduty.APIReference{ID: id, Type: "priority_reference"}
}

// half bounds what is not essential to half of the time that is left.
func half(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithTimeout(ctx, time.Until(deadline)/2)
	}
	return context.WithCancel(ctx)
}

// CanFind says yes: incidents are looked up by their key.
func (s *service) CanFind() bool { return true }

// Find implements reconcile.Finder. It finds resolved incidents too, an open one
// before all others and else the newest.
func (s *service) Find(ctx context.Context, address string, v message.View) (m plugindata.Message, found bool, err error) {
	list, err := s.incidents(ctx, pagerduty.ListIncidentsOptions{IncidentKey: key(v.ID), ServiceIDs: []string{address}})
	if outbound.KindOf(err) == outbound.Permanent {
		return m, false, nil // may not be looked up; the key still protects while the incident is open
	}
	open := false
	for _, in := range list {
		// Answers are not trusted to fit the question: an unknown filter is ignored.
		if in.IncidentKey != key(v.ID) || in.Service.ID != address || in.ID == "" || open {
			continue
		}
		m, found, open = plugindata.Message{Channel: address, ID: in.ID}, true, in.Status != "resolved"
	}
	return m, found && err == nil, err
}

// Reply implements reconcile.Replier: a note for a review.
func (s *service) Reply(ctx context.Context, m plugindata.Message, v message.View, review int) error {
	if v.Reviews[review].Author == "" {
		return nil // known only from the record, which does not hold reviews
	}
	return s.addNote(ctx, m, reviewNote(v.Reviews[review]))
}

// FindReply implements reconcile.Finder.
func (s *service) FindReply(ctx context.Context, m plugindata.Message, v message.View, review int) (bool, error) {
	return s.hasNote(ctx, m, reviewNote(v.Reviews[review]))
}

func (s *service) addNote(ctx context.Context, m plugindata.Message, text string) error {
	return s.do(ctx, "POST /incidents/{id}/notes", func(ctx context.Context, api *pagerduty.Client) error {
		_, err := api.CreateIncidentNoteWithContext(ctx, url.PathEscape(m.ID), pagerduty.IncidentNote{
			Content: text, User: pagerduty.APIObject{Summary: s.UserEmail}, // the library's place for the From header
		})
		return err
	})
}

// hasNote reports whether the incident has the note. Notes that may not be read
// count as not there.
func (s *service) hasNote(ctx context.Context, m plugindata.Message, text string) (found bool, err error) {
	err = s.do(ctx, "GET /incidents/{id}/notes", func(ctx context.Context, api *pagerduty.Client) error {
		notes, err := api.ListIncidentNotesWithContext(ctx, url.PathEscape(m.ID))
		found = slices.ContainsFunc(notes, func(n pagerduty.IncidentNote) bool {
			return strings.TrimSpace(n.Content) == strings.TrimSpace(text)
		})
		return err
	})
	if outbound.KindOf(err) == outbound.Permanent {
		return false, nil
	}
	return found, err
}

// note writes a note unless it is there. A note that PagerDuty will never take is
// passed over.
func (s *service) note(ctx context.Context, m plugindata.Message, text string) error {
	found, err := s.hasNote(ctx, m, text)
	if found || err != nil {
		return err
	}
	err = s.addNote(ctx, m, text)
	if err != nil && outbound.KindOf(err) == outbound.Permanent {
		s.log.Warn("A note cannot be written to an incident", zap.String("pd_incident_id", m.ID), zap.Error(err))
		return nil
	}
	return err
}

// Edit implements reconcile.Service. An incident shows no more of a pending
// request than its notes tell.
func (s *service) Edit(ctx context.Context, m plugindata.Message, v message.View) error {
	if !v.Status.Ended() {
		return nil
	}
	return s.conclude(ctx, m, v)
}

// conclude says how the request ended, and resolves the incident.
func (s *service) conclude(ctx context.Context, m plugindata.Message, v message.View) error {
	if err := s.note(ctx, m, resolutionNote(v)); err != nil {
		return err
	}
	const op = "PUT /incidents"
	err := s.do(ctx, op, func(ctx context.Context, api *pagerduty.Client) error {
		_, err := api.ManageIncidentsWithContext(ctx, s.UserEmail, []pagerduty.ManageIncidentsOptions{{ID: m.ID, Status: "resolved"}})
		return err
	})
	// Resolved before, merged into another, or resolved and then out of our reach.
	if hasCode(err, 1001, 1019, 2018) {
		return nil
	}
	return err
}

// Check implements reconcile.Service.
func (s *service) Check(ctx context.Context) error {
	return s.do(ctx, opCheck, func(ctx context.Context, api *pagerduty.Client) error {
		_, err := api.ListAbilitiesWithContext(ctx)
		return err
	})
}
