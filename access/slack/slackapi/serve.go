package slackapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// call is one request whose sender and arguments are known to be in order.
type call struct {
	args   Args
	scopes scopeSet
	r      *http.Request
}

// method describes one method of the API.
type method struct {
	// do carries it out.
	do func(*Server, call) (any, error)
	// json says that arguments may come as a JSON body.
	json bool
	// app says that the method is for app-level tokens, and for no others.
	app bool
	// scopes are those of which the token must have one; none are needed when
	// empty. Methods whose scope depends on the conversation check it themselves.
	scopes []string
	// required are the arguments without which Slack rejects the call.
	required []string
}

// Open reads the arguments. A fault is looked for by the channel's ID first, then
// by the target as it was sent.
func (s *Server) Open(c *apiserver.Call) (ok bool) {
	if strings.HasPrefix(c.R.URL.Path, replyPath) {
		s.openReply(c)
		return true
	}
	if c.Method, ok = strings.CutPrefix(c.R.URL.Path, "/api/"); !ok {
		return false
	}
	d := decode(c, s.methods[c.Method].json)
	c.Own, c.Args, c.Form, c.JSON, c.Content = d, d.args, d.form, d.json, d.args.text()
	for _, key := range []string{"channel", "user", "users", "email"} {
		if c.Also == "" {
			c.Also = d.args[key]
		}
	}
	s.Look(func() { c.Target = s.state.faultTarget(c.Also) })
	return true
}

// Answer carries a call out, always with status 200 as Slack does.
func (s *Server) Answer(c *apiserver.Call) apiserver.Answer {
	d := c.Own.(decoded)
	if c.Method == ResponseURL {
		return s.answerReply(c, d)
	}
	body, err := s.carryOut(c, d)
	out := apiserver.Answer{Status: http.StatusOK, Body: body}
	if err != nil {
		e := asAPIError(err)
		out.Body, out.Code = e.body(), e.code
	}
	out.Body = withWarning(out.Body, d.warning)
	return out
}

// carryOut checks the call in Slack's order (method, token, form, scope,
// arguments) and carries it out.
func (s *Server) carryOut(c *apiserver.Call, d decoded) (any, error) {
	m, known := s.methods[c.Method]
	if !known {
		return nil, failure("unknown_method")
	}
	scopes, err := s.authenticate(c.R, d, m.app)
	if err != nil {
		return nil, err
	}
	c.Out.Set("X-Oauth-Scopes", scopes.String())
	c.Out.Set("X-Accepted-Oauth-Scopes", strings.Join(m.scopes, ","))
	if d.err != nil {
		return nil, d.err
	}
	if err := scopes.need(m.scopes...); err != nil {
		return nil, err
	}
	if err := requireArgs(d.args, m.required); err != nil {
		return nil, err
	}
	if c.Fault.Effect == fault.Refuse {
		return nil, failure(c.Fault.Code)
	}
	return m.do(s, call{args: d.args, scopes: scopes, r: c.R})
}

// authenticate finds the sender by the token in the header or in the form.
func (s *Server) authenticate(r *http.Request, d decoded, app bool) (scopeSet, error) {
	given := d.bodyToken
	if header := r.Header.Get("Authorization"); header != "" {
		bearer, ok := strings.CutPrefix(header, "Bearer ")
		if !ok {
			return nil, failure("invalid_auth")
		}
		given = strings.TrimSpace(bearer)
	}
	if given == "" {
		return nil, failure("not_authed")
	}
	t, ok := s.state.tokens[given]
	if !ok {
		return nil, failure("invalid_auth")
	}
	if t.refused != "" {
		return nil, failure(t.refused)
	}
	if t.app != app {
		return nil, failure("not_allowed_token_type")
	}
	return t.scopes, nil
}

func requireArgs(args Args, names []string) error {
	var missing []string
	for _, n := range names {
		if args[n] == "" {
			missing = append(missing, "missing required field: "+n)
		}
	}
	if missing == nil {
		return nil
	}
	return &apiError{code: "invalid_arguments", messages: missing}
}

// TooFast answers as Slack does to a caller that is too fast.
func (s *Server) TooFast(c *apiserver.Call, wait time.Duration) apiserver.Answer {
	if wait > 0 {
		c.Out.Set("Retry-After", apiserver.Seconds(wait))
	}
	return apiserver.Answer{Status: http.StatusTooManyRequests, Body: map[string]any{"ok": false, "error": "ratelimited"}}
}

func asAPIError(err error) *apiError {
	var known *apiError
	if errors.As(err, &known) {
		return known
	}
	return &apiError{code: "internal_error"}
}

// withWarning adds a remark on the request's form to an answer.
func withWarning(body any, warning string) any {
	if warning == "" {
		return body
	}
	data, err := json.Marshal(body)
	var fields map[string]any
	if err != nil || json.Unmarshal(data, &fields) != nil {
		return body
	}
	fields["warning"] = warning
	meta, _ := fields["response_metadata"].(map[string]any)
	if meta == nil {
		meta = make(map[string]any, 1)
	}
	meta["warnings"] = []string{warning}
	fields["response_metadata"] = meta
	return fields
}
