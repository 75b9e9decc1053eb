package slackapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
)

// Request is one call as it arrived, without the token.
type Request struct {
	// Time is when the call was answered.
	Time time.Time `json:"time"`
	// Method is the Slack method, for example chat.postMessage; HTTPMethod is
	// GET or POST.
	Method     string `json:"method"`
	HTTPMethod string `json:"http_method"`
	// Args are the arguments after decoding.
	Args Args `json:"args"`
	// Form holds the arguments as sent in the query or a form; JSON holds the
	// body when it was JSON. One of them is nil.
	Form url.Values      `json:"form,omitempty"`
	JSON json.RawMessage `json:"json,omitempty"`
	// Header is the request's header without Authorization and Cookie.
	Header http.Header `json:"header"`
	// Error is the Slack error code of the answer, or the effect of the fault
	// that took the answer's place, or caller_gone when the caller left before
	// the latency had passed; empty for success.
	Error string `json:"error,omitempty"`
}

// logRequest remembers a call and lets those who wait for it look again.
func (s *Server) logRequest(r Request) {
	s.CallLog.Add(r.Method, r)
	s.Wake()
}

// record builds the entry for the log.
func (s *Server) record(r *http.Request, name string, d decoded, code string) Request {
	rec := Request{Method: name, Time: s.opts.Now(), Error: code}
	if !s.Keeps() {
		return rec
	}
	rec.HTTPMethod, rec.Args, rec.Form, rec.JSON = r.Method, d.args, d.form, d.json
	rec.Header = apiserver.WithoutSecrets(r.Header)
	return rec
}
