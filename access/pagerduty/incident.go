package pagerduty

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/PagerDuty/go-pagerduty"
	"go.uber.org/zap"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// resolved is PagerDuty's word for an incident that is over.
const resolved = "resolved"

// ownership says that an incident is that of a request.
type ownership struct{ incident, request string }

// announce opens an incident, unless one with the key is open. That of a request
// that has ended is resolved as well. Where this fails, the announcement is in
// doubt: it is found when it is looked for, and then shown as it should be.
func (s *service) announce(ctx context.Context, address string, v request.View) (plugindata.Message, error) {
	m, err := s.openFor(ctx, address, v)
	if err != nil {
		return m, err
	}
	return m, unresolved(m, s.Show(ctx, m, v))
}

// unresolved turns the failure to resolve an incident that was opened just now
// into a doubt about the whole.
func unresolved(m plugindata.Message, err error) error {
	var cause *outbound.Error
	if !errors.As(err, &cause) {
		return err
	}
	return &outbound.Error{
		Kind: outbound.Unclear, Op: opResolve, Code: cause.Code, Status: cause.Status, After: cause.After, Hint: cause.Hint,
		Err: fmt.Errorf("the incident %s was opened and not resolved: %w", m.ID, err),
	}
}

// openFor opens the incident of a request. One that PagerDuty refuses for what it
// says is opened in its plainest form.
func (s *service) openFor(ctx context.Context, address string, v request.View) (plugindata.Message, error) {
	o := s.incidentFor(address, v, title(v), details(v))
	o.Priority = s.priorityReference(ctx)
	in, err := s.open(ctx, o)
	if aboutContent(err) {
		s.log.Warn("PagerDuty refused an incident for what it says; it is opened in its plainest form",
			zap.String("request_id", v.ID), zap.Error(err))
		o = s.incidentFor(address, v, titleStart, plainDetails(v))
		if !v.Status.Ended() {
			o.Urgency = ""
		}
		in, err = s.open(ctx, o)
	}
	switch {
	case duplicate(err):
		return s.openOne(ctx, address, v)
	case err != nil:
		return plugindata.Message{}, err
	}
	s.owned.Put(ownership{in.ID, v.ID}, struct{}{})
	s.log.Info("Successfully created PagerDuty incident",
		zap.String("pd_incident_id", in.ID), zap.String("pd_service_name", line(in.Service.Summary)),
		zap.String("request_id", v.ID), zap.String("request_op", "put"), zap.String("request_state", string(v.Status)))
	return plugindata.Message{Channel: address, ID: in.ID}, nil
}

// incidentFor describes an incident. A request that has ended needs nobody's
// attention.
func (s *service) incidentFor(address string, v request.View, title, details string) *pagerduty.CreateIncidentOptions {
	o := &pagerduty.CreateIncidentOptions{
		Title: title, IncidentKey: key(v.ID), Urgency: s.Urgency,
		Service: &pagerduty.APIReference{ID: address, Type: "service_reference"},
		Body:    &pagerduty.APIDetails{Type: "incident_body", Details: details},
	}
	if v.Status.Ended() {
		o.Urgency = "low"
	}
	return o
}

// errNoIncident stands for an answer that says neither yes nor no.
var errNoIncident = errors.New("the answer names no incident")

func (s *service) open(ctx context.Context, o *pagerduty.CreateIncidentOptions) (in *pagerduty.Incident, err error) {
	err = s.do(ctx, opCreate, func(ctx context.Context, api *pagerduty.Client) (err error) {
		if in, err = api.CreateIncidentWithContext(ctx, s.UserEmail, o); err == nil && in.ID == "" {
			err = errNoIncident
		}
		return err
	})
	return in, err
}

// openOne returns the open incident of a request, which PagerDuty says there is.
// That of an earlier request with the same id is in the way: it is resolved, and
// the request's own is opened with the next attempt. That of a later one shows
// that this request is over; it is left alone.
func (s *service) openOne(ctx context.Context, address string, v request.View) (plugindata.Message, error) {
	list, err := s.find(ctx, address, v)
	var other candidate
	for _, c := range slices.Backward(list) {
		switch {
		case c.Status == resolved:
		case c.age == 0:
			return plugindata.Message{Channel: address, ID: c.ID}, nil
		default:
			other = c
		}
	}
	switch {
	case err != nil:
		return plugindata.Message{}, err
	case other.age < 0:
		return plugindata.Message{}, s.clear(ctx, other.ID, v)
	case other.age > 0:
		err = fmt.Errorf("the incident %s is that of a later access request with the same id", other.ID)
	default:
		err = errors.New("PagerDuty has an incident with the key but does not show it")
	}
	return plugindata.Message{}, &outbound.Error{Kind: outbound.Retry, Op: opCreate, Err: err}
}

// clear resolves the incident of an earlier request with the same id. Its error
// is never nil: the request itself has not been announced yet.
func (s *service) clear(ctx context.Context, incident string, v request.View) error {
	err := s.resolve(ctx, incident)
	var e *outbound.Error
	switch {
	case err == nil:
		s.log.Warn("An incident of an earlier access request with the same id was open; it has been resolved",
			zap.String("request_id", v.ID), zap.String("pd_incident_id", incident))
		err = fmt.Errorf("the incident %s of an earlier access request with the same id was open until now", incident)
	case errors.As(err, &e) && e.Kind != outbound.Unclear && e.Kind != outbound.Gone:
		return err
	}
	return &outbound.Error{Kind: outbound.Retry, Op: opResolve, Err: err}
}

// own makes sure that an incident is that of the request, before anything is done
// to it: records can be written by others, and could name any incident. The
// refusal concerns the request alone, or a record could silence its whole service.
func (s *service) own(ctx context.Context, m plugindata.Message, request string) error {
	if _, ok := s.owned.Get(ownership{m.ID, request}); ok {
		return nil
	}
	if !incidentID.MatchString(m.ID) {
		return &outbound.Error{Kind: outbound.Gone, Op: opIncident, Err: fmt.Errorf("no incident can have the id %q", message.Cut(m.ID, 40))}
	}
	in, err := s.incident(ctx, m.ID, "")
	if err != nil {
		return err
	}
	switch ours, err := s.isOf(ctx, in, request); {
	case err != nil:
		return err
	case !ours:
		return &outbound.Error{
			Kind: outbound.Refused, Op: opIncident, Err: fmt.Errorf("the incident %s is not that of the access request", m.ID),
			Hint: "the plugin data of the request names another's incident, which is left alone; find out who may write plugin data",
		}
	}
	return nil
}

// incidentID is the form of PagerDuty's ids.
var incidentID = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// isOf reports whether an incident is that of a request, and remembers it. The
// key says so; where it is empty, the text with which the incident was opened.
func (s *service) isOf(ctx context.Context, in pagerduty.Incident, request string) (bool, error) {
	ours := in.IncidentKey == key(request)
	if in.IncidentKey == "" {
		text, err := s.text(ctx, in.ID)
		if err != nil {
			return false, err
		}
		ours = names(text, request)
	}
	if ours {
		s.owned.Put(ownership{in.ID, request}, struct{}{})
	}
	return ours, nil
}

// text reads the text with which an incident was opened.
func (s *service) text(ctx context.Context, id string) (string, error) {
	in, err := s.incident(ctx, id, "?include[]=body")
	return in.Body.Details, err
}

// incident reads one incident. Its text is there only if the query asks for it,
// and only if it is a text and not the tree of an alert.
func (s *service) incident(ctx context.Context, id, query string) (in pagerduty.Incident, err error) {
	err = s.do(ctx, opIncident, func(ctx context.Context, api *pagerduty.Client) error {
		got, err := api.GetIncidentWithContext(ctx, url.PathEscape(id)+query)
		var tree *json.UnmarshalTypeError
		switch {
		case errors.As(err, &tree) && strings.HasSuffix(tree.Field, "body.details"):
			return nil
		case err != nil:
			return err
		case got.ID != id:
			return errNoIncident
		}
		in = *got
		return nil
	})
	return in, err
}
