package slackapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/fault"
)

// call is one request whose sender and arguments are known to be in order.
type call struct {
	args   Args
	scopes scopeSet
}

// method describes one method of the API.
type method struct {
	// do carries it out; nil where the sandbox does not know how.
	do func(*Server, call) (any, error)
	// json says that arguments may come as a JSON body.
	json bool
	// scopes are those of which the token must have one; none are needed when
	// empty. Methods whose scope depends on the conversation check it themselves.
	scopes []string
	// required are the arguments without which Slack rejects the call.
	required []string
}

// ServeHTTP answers one call of the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, "/api/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	m, known := s.methods[name]
	d, argErr := decode(r, m.json)
	if !s.pause(r) {
		s.logRequest(s.record(r, name, d, "caller_gone"))
		return
	}
	f, faulty := s.takeFault(name, d.args)
	if faulty && s.misbehave(w, r, f, name, d) {
		return
	}
	body, err := s.answer(w, r, d, argErr, name, m, known, f)
	s.logRequest(s.record(r, name, d, errorCode(err)))
	if faulty && f.Effect == fault.DoneNotAnswered {
		fault.Drop(w)
		return
	}
	writeAnswer(w, body, err, d.warning)
}

// misbehave carries out a fault that takes the place of the work, and reports
// whether it did. Such a call is logged before its caller can see the outcome,
// so that the log is complete for whoever has seen it.
func (s *Server) misbehave(w http.ResponseWriter, r *http.Request, f fault.Fault, name string, d decoded) bool {
	rec := s.record(r, name, d, string(f.Effect))
	switch f.Effect {
	case fault.Refuse, fault.DoneNotAnswered:
		return false // These are for answer and its caller.
	case fault.Slow:
		gone := fault.Before(w, r, f)
		if gone {
			s.logRequest(rec)
		}
		return gone
	case fault.RateLimit:
		s.logRequest(rec)
		rateLimit(w, f)
		return true
	}
	s.logRequest(rec)
	return fault.Before(w, r, f)
}

// pause lets the latency pass and reports whether the caller is still there.
func (s *Server) pause(r *http.Request) bool {
	d := time.Duration(s.latency.Load())
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// takeFault looks for a fault by the channel's ID first, then by the target as
// it was sent.
func (s *Server) takeFault(name string, args Args) (fault.Fault, bool) {
	sent := args["channel"]
	for _, key := range []string{"user", "users", "email"} {
		if sent == "" {
			sent = args[key]
		}
	}
	s.mu.Lock()
	id := s.state.faultTarget(sent)
	s.mu.Unlock()
	content := args.text()
	f, ok := s.faults.TakeCall(fault.Call{Method: name, Target: id, Content: content})
	if !ok && id != sent {
		f, ok = s.faults.TakeCall(fault.Call{Method: name, Target: sent, Content: content})
	}
	return f, ok
}

// answer checks the call in Slack's order (method, token, form, scope,
// arguments) and carries it out.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, d decoded, argErr error, name string, m method, known bool, f fault.Fault) (any, error) {
	if !known {
		return nil, failure("unknown_method")
	}
	scopes, err := s.authenticate(r, d)
	if err != nil {
		return nil, err
	}
	w.Header().Set("X-Oauth-Scopes", scopes.String())
	w.Header().Set("X-Accepted-Oauth-Scopes", strings.Join(m.scopes, ","))
	if argErr != nil {
		return nil, argErr
	}
	if err := scopes.need(m.scopes...); err != nil {
		return nil, err
	}
	if err := requireArgs(d.args, m.required); err != nil {
		return nil, err
	}
	if f.Effect == fault.Refuse {
		return nil, failure(f.Code)
	}
	if m.do == nil {
		return nil, failure("not_implemented")
	}
	return m.do(s, call{args: d.args, scopes: scopes})
}

// authenticate finds the sender by the token in the header or in the form.
func (s *Server) authenticate(r *http.Request, d decoded) (scopeSet, error) {
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
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.state.tokens[given]
	if !ok {
		return nil, failure("invalid_auth")
	}
	if t.refused != "" {
		return nil, failure(t.refused)
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

// rateLimit answers as Slack does to a caller that is too fast.
func rateLimit(w http.ResponseWriter, f fault.Fault) {
	if f.RetryAfterMS > 0 {
		w.Header().Set("Retry-After", f.RetryAfterSeconds())
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = w.Write([]byte(`{"ok":false,"error":"ratelimited"}`))
}

// errorCode is the value of "error" that err is told as; empty for success.
func errorCode(err error) string {
	if err == nil {
		return ""
	}
	return asAPIError(err).code
}

func asAPIError(err error) *apiError {
	var known *apiError
	if errors.As(err, &known) {
		return known
	}
	return &apiError{code: "internal_error"}
}

// writeAnswer sends body, or err in its place, always with status 200 as Slack
// does.
func writeAnswer(w http.ResponseWriter, body any, err error, warning string) {
	if err != nil {
		body = asAPIError(err).body()
	}
	data, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "encoding the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(withWarning(data, warning))
}

// withWarning adds a remark on the request's form to an answer.
func withWarning(data []byte, warning string) []byte {
	if warning == "" {
		return data
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return data
	}
	fields["warning"] = warning
	meta, _ := fields["response_metadata"].(map[string]any)
	if meta == nil {
		meta = make(map[string]any, 1)
	}
	meta["warnings"] = []string{warning}
	fields["response_metadata"] = meta
	if out, err := json.Marshal(fields); err == nil {
		return out
	}
	return data
}
