package pagerduty

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/PagerDuty/go-pagerduty"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

// note writes a note to the incident of a request. One that PagerDuty refuses for
// what it says is written in its plain form.
func (s *service) note(ctx context.Context, m plugindata.Message, request, text, plain string) error {
	if err := s.own(ctx, m, request); err != nil {
		return err
	}
	err := s.write(ctx, m.ID, text)
	if aboutContent(err) && plain != text {
		err = s.write(ctx, m.ID, plain)
	}
	return err
}

func (s *service) write(ctx context.Context, incident, text string) error {
	return s.do(ctx, opNote, func(ctx context.Context, api *pagerduty.Client) error {
		_, err := api.CreateIncidentNoteWithContext(ctx, url.PathEscape(incident), pagerduty.IncidentNote{
			Content: text, User: pagerduty.APIObject{Summary: s.UserEmail}, // the library's place for the From header
		})
		return err
	})
}

// notes lists the notes of an incident whose text fits, oldest first. An incident
// that does not exist has none.
func (s *service) notes(ctx context.Context, m plugindata.Message, fits func(text string) bool) (found []plugindata.Message, err error) {
	if !incidentID.MatchString(m.ID) {
		return nil, nil
	}
	var list []pagerduty.IncidentNote
	err = s.do(ctx, opNotes, func(ctx context.Context, api *pagerduty.Client) (err error) {
		list, err = api.ListIncidentNotesWithContext(ctx, url.PathEscape(m.ID))
		return err
	})
	if outbound.KindOf(err) == outbound.Gone {
		return nil, nil
	}
	slices.Reverse(list) // PagerDuty begins with the newest
	for _, n := range list {
		if fits(strings.TrimSpace(strings.ReplaceAll(n.Content, "\r\n", "\n"))) {
			found = append(found, plugindata.Message{Channel: m.Channel, ID: n.ID})
		}
	}
	return found, err
}
