package discordapi

import (
	"encoding/json"
	"net/http"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
)

// Request is one call as it arrived, without the token.
type Request struct {
	// Time is when the call was answered.
	Time time.Time `json:"time"`
	// Method is the called method as one of the method constants, for example
	// CreateMessage; for a path that is not served it is "METHOD path".
	Method string `json:"method"`
	// Target is the ID of the channel, guild or user in the path.
	Target string `json:"target,omitempty"`
	// Path is the path and query below the version, for example
	// /channels/1/messages?limit=100.
	Path string `json:"path"`
	// JSON is the body, nil when there was none.
	JSON json.RawMessage `json:"json,omitempty"`
	// Header is the request's header without Authorization and Cookie.
	Header http.Header `json:"header"`
	// Status is the HTTP status of the answer; zero when there was none.
	Status int `json:"status,omitempty"`
	// Error is Discord's code of the answer as a number, or the effect of the
	// fault that took the answer's place; empty for success.
	Error string `json:"error,omitempty"`
}

// logRequest remembers a call and lets those who wait for it look again.
func (s *Server) logRequest(c *call, status int, code string) {
	rec := Request{Time: s.opts.Now(), Method: c.method, Target: c.target, Status: status, Error: code}
	if s.Keeps() {
		rec.Path, rec.JSON = c.path, c.body
		rec.Header = apiserver.WithoutSecrets(c.r.Header)
	}
	s.CallLog.Add(rec.Method, rec)
	s.Wake()
}
