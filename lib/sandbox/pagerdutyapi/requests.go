package pagerdutyapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
)

// Request is one call as it arrived, without the key.
type Request struct {
	// Time is when the call was answered.
	Time time.Time `json:"time"`
	// Method is the verb and the path with {id} for an id, for example
	// PUT /incidents/{id}; Path is as it was sent.
	Method string `json:"method"`
	Path   string `json:"path"`
	// Query and JSON are the arguments; either may be nil.
	Query url.Values      `json:"query,omitempty"`
	JSON  json.RawMessage `json:"json,omitempty"`
	// Header is the request's header without Authorization and Cookie.
	Header http.Header `json:"header"`
	// Status is the HTTP status of the answer, or zero if there was none.
	Status int `json:"status"`
	// Fault is the effect of the fault that hit the call, or empty.
	Fault string `json:"fault,omitempty"`
}

// logRequest remembers a call and lets those who wait for it look again.
func (s *Server) logRequest(r *http.Request, c *call, status int, effect string) {
	entry := Request{
		Time: s.opts.Now(), Method: c.method, Path: r.URL.EscapedPath(), Query: c.query, JSON: c.body,
		Header: apiserver.WithoutSecrets(r.Header), Status: status, Fault: effect,
	}
	s.CallLog.Add(entry.Method, entry)
	s.Wake()
}
