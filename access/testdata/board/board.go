package board

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/reconcile"
)

// service carries requests to the boards of one server.
type service struct{ client }

var _ interface {
	reconcile.Service
	reconcile.Replier
} = (*service)(nil)

// Resolve takes the name of a board as it is.
func (s *service) Resolve(_ context.Context, name string) (string, error) { return name, nil }

// Post announces a request.
func (s *service) Post(ctx context.Context, board string, v message.View) (plugindata.Message, error) {
	n, err := s.do(ctx, "add note", board, http.MethodPost, "/boards/"+url.PathEscape(board)+"/notes",
		text{Key: v.ID, Text: announcement(v)})
	return plugindata.Message{Channel: board, ID: n.ID}, err
}

// Edit makes a note show the view.
func (s *service) Edit(ctx context.Context, m plugindata.Message, v message.View) error {
	_, err := s.do(ctx, "change note", m.Channel, http.MethodPut, "/notes/"+url.PathEscape(m.ID), text{Text: announcement(v)})
	return gone(err)
}

// Reply tells a review below the note.
func (s *service) Reply(ctx context.Context, m plugindata.Message, v message.View, i int) error {
	_, err := s.do(ctx, "add reply", m.Channel, http.MethodPost, "/notes/"+url.PathEscape(m.ID)+"/replies",
		text{Key: fmt.Sprint(i), Text: review(v.Reviews[i])})
	return gone(err)
}

// Check says whether the token is accepted.
func (s *service) Check(ctx context.Context) error {
	_, err := s.do(ctx, "who am I", "", http.MethodGet, "/me", nil)
	return err
}
