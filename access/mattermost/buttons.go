package mattermost

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/seal"
)

// pass says what a press, or a dialog that was sent off, is about. Mattermost keeps it
// and hands it back, and signs nothing: only what is sealed with our secret counts.
type pass struct {
	// Use keeps a dialog, whose pass the person's client is shown, from being taken for
	// a button, whose pass it is not. Message, person and team are those of the press
	// that opened a dialog.
	Use string `json:"use"`
	decision.Dialog
	Expires int64 `json:"expires"` // in Unix seconds
}

// The uses of a pass.
const (
	ofButton = "button"
	ofDialog = "dialog"
)

// pressedPass is the context of a button.
type pressedPass struct {
	Pass string `json:"teleport_access_request"`
}

// longest is how long a button lives whose request does not say when it lapses: longer
// than any request waits.
const longest = 14 * 24 * time.Hour

// buttons are those of a request that people may decide.
func (s *service) buttons(v request.View, channel string) []attachment {
	if !v.Decidable {
		return nil
	}
	expires := v.Expires
	if expires.IsZero() {
		expires = v.Created.Add(longest)
	}
	button := func(id, name, style string, verdict request.Status) action {
		sealed, err := s.seal(pass{ofButton, decision.Dialog{Request: v.ID, Verdict: verdict, Channel: channel}, expires.Unix()})
		if err != nil {
			s.log.Warn("A button cannot be pressed, for want of the secret in the config", zap.Error(err))
		}
		return action{id, name, "button", style, target{s.review.URL, pressedPass{sealed}}}
	}
	return []attachment{{Actions: []action{
		button("approve", "Approve", "good", request.Approved), button("deny", "Deny", "danger", request.Denied),
	}}}
}

// seal writes a pass so that nobody else can make one.
func (s *service) seal(p pass) (string, error) {
	secret, err := s.review.secret()
	if err != nil {
		return "", err
	}
	return seal.Write(secret, p) //nolint:wrapcheck // says what it is
}

var errExpired = errors.New("it has expired")

// open reads a pass, if it is ours and for the use. One that has expired is returned
// with errExpired.
func (s *service) open(sealed, use string) (p pass, err error) {
	secret, err := s.review.secret()
	if err == nil {
		err = seal.Read(secret, sealed, &p)
	}
	switch {
	case err != nil:
		return pass{}, err
	case p.Use != use:
		return pass{}, seal.ErrForged
	case time.Now().Unix() > p.Expires:
		return p, errExpired
	}
	return p, nil
}
