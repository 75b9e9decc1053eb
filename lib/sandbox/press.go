package sandbox

import (
	"context"
	"net/http"
	"time"

	"teleport-plugins/lib/sandbox/farend"
)

// pressTime bounds a press: the plugin's time for it, and some more.
const pressTime = 20 * time.Second

// Press is what POST /api/press takes.
type Press struct {
	// Service is where the button is, and Person who presses it, by the name of the
	// Teleport user.
	Service string `json:"service"`
	Person  string `json:"person"`
	Request string `json:"request"`
	// Verdict is approve or deny.
	Verdict string `json:"verdict"`
	// Reason is given if a dialog asks for one.
	Reason string `json:"reason"`
}

// postPress presses a button, and answers with what the person alone then saw.
func (s *Sandbox) postPress(r *http.Request) (int, any, error) {
	var p Press
	if err := decode(r, &p); err != nil {
		return 0, nil, err
	}
	saw, err := s.pressButton(r.Context(), p)
	return http.StatusOK, map[string][]string{"saw": saw}, err
}

// pressButton presses a button, and returns what the person alone then sees.
func (s *Sandbox) pressButton(ctx context.Context, p Press) (saw []string, err error) {
	v, err := s.service(p.Service)
	if err != nil {
		return nil, err
	}
	able, ok := v.FarEnd.(farend.Presser)
	switch {
	case !ok:
		return nil, notFound("%s has no buttons", v.Title)
	case p.Person == "":
		return nil, badRequest("say in person who presses")
	case p.Verdict != "approve" && p.Verdict != "deny":
		return nil, badRequest("the verdict is %q; write approve or deny", p.Verdict)
	}
	ctx, cancel := context.WithTimeout(ctx, pressTime)
	defer cancel()
	saw, err = able.Press(ctx, p.Person, p.Request, p.Verdict, p.Reason)
	if err != nil {
		return nil, refusal(http.StatusConflict, "%v", err)
	}
	return saw, nil
}
