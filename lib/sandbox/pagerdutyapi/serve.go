package pagerdutyapi

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/fault"
)

// accept names the version of the API; PagerDuty's reference requires it.
const accept = "application/vnd.pagerduty+json;version=2"

// maxBody bounds what is read of a request, in bytes.
const maxBody = 1 << 20

// call is one request, taken apart.
type call struct {
	// method is the verb and the pattern of the path.
	method string
	id     string // in the path, if any
	query  url.Values
	body   json.RawMessage
	key    Key
	from   User // for changes
}

// route is one operation of the API.
type route struct {
	verb, path string
	do         func(*Server, *call) (status int, body any, err error)
	// change says that the operation needs a From header and a key that is not
	// read-only.
	change bool
}

func routes() []route {
	return []route{
		{verb: "GET", path: "/abilities", do: (*Server).abilities},
		{verb: "GET", path: "/priorities", do: (*Server).listPriorities},
		{verb: "GET", path: "/users/me", do: (*Server).currentUser},
		{verb: "GET", path: "/users/{id}", do: (*Server).getUser},
		{verb: "GET", path: "/users", do: (*Server).listUsers},
		{verb: "GET", path: "/services/{id}", do: (*Server).getService},
		{verb: "GET", path: "/services", do: (*Server).listServices},
		{verb: "GET", path: "/schedules", do: (*Server).listSchedules},
		{verb: "GET", path: "/oncalls", do: (*Server).listOnCalls},
		{verb: "GET", path: "/incidents/{id}/notes", do: (*Server).listNotes},
		{verb: "POST", path: "/incidents/{id}/notes", do: (*Server).createNote, change: true},
		{verb: "GET", path: "/incidents/{id}", do: (*Server).getIncident},
		{verb: "PUT", path: "/incidents/{id}", do: (*Server).updateIncident, change: true},
		{verb: "GET", path: "/incidents", do: (*Server).listIncidents},
		{verb: "POST", path: "/incidents", do: (*Server).createIncident, change: true},
		{verb: "PUT", path: "/incidents", do: (*Server).updateIncidents, change: true},
	}
}

// match returns the id in a path that fits the pattern.
func match(pattern, path string) (id string, ok bool) {
	before, after, hasID := strings.Cut(pattern, "{id}")
	if !hasID {
		return "", path == pattern
	}
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(rest, after)
	return id, ok && id != "" && !strings.Contains(id, "/")
}

func (s *Server) route(r *http.Request) (route, string, bool) {
	for _, rt := range s.routes {
		if id, ok := match(rt.path, r.URL.Path); ok && rt.verb == r.Method {
			return rt, id, true
		}
	}
	return route{verb: r.Method, path: r.URL.Path}, "", false
}

// ServeHTTP answers one call of the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rt, id, known := s.route(r)
	c := &call{method: rt.verb + " " + rt.path, id: id, query: r.URL.Query()}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		writeAnswer(w, 0, nil, &apiError{status: http.StatusRequestEntityTooLarge, code: 2001, message: "Request Entity Too Large"})
		return
	}
	if len(body) > 0 {
		c.body = body
	}
	if !s.pause(r) {
		return
	}
	f, faulty := s.takeFault(c)
	if faulty && fault.Before(w, r, f) {
		s.logRequest(r, c, 0, string(f.Effect))
		return
	}
	if faulty && f.Effect == fault.RateLimit {
		s.logRequest(r, c, http.StatusTooManyRequests, string(f.Effect))
		rateLimit(w, f)
		return
	}
	status, answer, err := s.answer(r, c, rt, known, f)
	if err != nil {
		status = asAPIError(err).status
	}
	s.logRequest(r, c, status, string(f.Effect))
	if f.Effect == fault.DoneNotAnswered {
		fault.Drop(w)
		return
	}
	writeAnswer(w, status, answer, err)
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

// takeFault looks for a fault by the service first, then by the incident.
func (s *Server) takeFault(c *call) (fault.Fault, bool) {
	service := s.serviceOf(c)
	content := c.id + "?" + c.query.Encode() + "\n" + string(c.body)
	f, ok := s.faults.TakeCall(fault.Call{Method: c.method, Target: service, Content: content})
	if !ok && c.id != "" && c.id != service {
		f, ok = s.faults.TakeCall(fault.Call{Method: c.method, Target: c.id, Content: content})
	}
	if ok { // lets those look again who wait for a fault to hit
		s.Wake()
	}
	return f, ok
}

// serviceOf names the service that a call is about, as far as it shows.
func (s *Server) serviceOf(c *call) string {
	id := c.id
	var body struct {
		Incident struct {
			Service struct{ ID string }
		}
		Incidents []struct{ ID string }
	}
	if json.Unmarshal(c.body, &body) == nil {
		if body.Incident.Service.ID != "" {
			return body.Incident.Service.ID
		}
		if id == "" && len(body.Incidents) > 0 {
			id = body.Incidents[0].ID
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.state.byID[id]; in != nil {
		return in.Service
	}
	if ids := c.query["service_ids[]"]; id == "" && len(ids) > 0 {
		return ids[0]
	}
	return id
}

// answer checks the call in the order path, key, headers, right, and carries it
// out.
func (s *Server) answer(r *http.Request, c *call, rt route, known bool, f fault.Fault) (int, any, error) {
	if err := s.authenticate(r, c); err != nil {
		return 0, nil, err
	}
	if !known {
		return 0, nil, failure(2100)
	}
	if err := checkHeaders(r); err != nil {
		return 0, nil, err
	}
	if rt.change && c.key.ReadOnly {
		return 0, nil, failure(2010)
	}
	if rt.change {
		if err := s.requester(r, c); err != nil {
			return 0, nil, err
		}
	}
	if f.Effect == fault.Refuse {
		return 0, nil, refusal(f.Code)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return rt.do(s, c)
}

func (s *Server) authenticate(r *http.Request, c *call) error {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Token token=")
	if !ok {
		return failure(2006)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.key, ok = s.state.keys[token]; !ok {
		return failure(2006)
	}
	return nil
}

// checkHeaders insists on the headers that the reference marks as required,
// though PagerDuty is known to forgive some.
func checkHeaders(r *http.Request) error {
	if got := strings.ReplaceAll(r.Header.Get("Accept"), " ", ""); got != accept {
		return invalid("The Accept header must be " + accept)
	}
	if r.Header.Get("Content-Type") != "application/json" {
		return invalid("The Content-Type header must be application/json")
	}
	return nil
}

// requester finds the user in whose name a change is made. The reference
// requires the header with every kind of key.
func (s *Server) requester(r *http.Request, c *call) error {
	email := r.Header.Get("From")
	if email == "" {
		return invalid("You must specify a user's email address in the From header")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	user, ok := s.state.userByEmail(email)
	if !ok {
		return failure(1008)
	}
	c.from = user
	return nil
}

// rateLimit answers as PagerDuty does to a caller that is too fast: the waiting
// time is told in whole seconds in a header of its own.
func rateLimit(w http.ResponseWriter, f fault.Fault) {
	if f.RetryAfterMS > 0 {
		w.Header().Set("ratelimit-limit", "960")
		w.Header().Set("ratelimit-remaining", "0")
		w.Header().Set("ratelimit-reset", f.RetryAfterSeconds())
	}
	writeAnswer(w, 0, nil, failure(2020))
}

// writeAnswer sends body with the status, or err in its place.
func writeAnswer(w http.ResponseWriter, status int, body any, err error) {
	if err != nil {
		e := asAPIError(err)
		status, body = e.status, e.body()
	}
	data, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "encoding the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
