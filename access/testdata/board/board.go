package board

import (
	"context"
	"net/http"
	"net/url"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// service carries requests to the boards of one server. What was told cannot be
// looked up there, but the server takes the same key once.
type service struct{ client }

var _ interface {
	integration.Service
	integration.Shower
} = (*service)(nil)

// Tells says that reviews and reminders are told below the note.
func (s *service) Tells(k integration.Kind) bool {
	return k == integration.Announce || k.Below() && k != integration.End
}

// Resolve takes the name of a board as it is.
func (s *service) Resolve(_ context.Context, name string) (string, error) { return name, nil }

// Tell announces a request, or says something below its note.
func (s *service) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	if e.Kind.Below() {
		_, err := s.do(ctx, "add reply", to.Address, http.MethodPost, "/notes/"+url.PathEscape(to.Message.ID)+"/replies",
			text{Key: e.String(), Text: below(e, v)})
		return plugindata.Message{}, err
	}
	n, err := s.do(ctx, "add note", to.Address, http.MethodPost, "/boards/"+url.PathEscape(to.Address)+"/notes",
		text{Key: v.ID + " " + e.String(), Text: announcement(v)})
	return plugindata.Message{Channel: to.Address, ID: n.ID}, err
}

// Show makes a note show the request as it is.
func (s *service) Show(ctx context.Context, m plugindata.Message, v request.View) error {
	_, err := s.do(ctx, "change note", m.Channel, http.MethodPut, "/notes/"+url.PathEscape(m.ID), text{Text: announcement(v)})
	return err
}

// Check says whether the token is accepted.
func (s *service) Check(ctx context.Context) error {
	_, err := s.do(ctx, "who am I", "", http.MethodGet, "/me", nil)
	return err
}
