// Package pagerdutyapi is a PagerDuty account in memory behind the true HTTP
// form of PagerDuty's REST API (version 2), for tests, the demo and benchmarks.
// It refuses what PagerDuty documents as refused (keys, headers, required
// fields, deduplication, paging) with PagerDuty's own error codes, and it can
// be told to misbehave through package fault.
//
// Where PagerDuty's documentation leaves a point open, the stricter reading is
// taken, and a comment at the place says so.
package pagerdutyapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// DefaultKey is the API key of a Server whose Options name none.
const DefaultKey = "u+sandboxPagerDutyKey"

// accept names the version of the API; PagerDuty's reference requires it.
const accept = "application/vnd.pagerduty+json;version=2"

// Options describes the account that New builds. The zero value is an account
// with DefaultUsers, DefaultServices and what belongs to them.
type Options struct {
	apiserver.Options
	// Keys are the API keys; one full account key, DefaultKey, when nil.
	Keys []Key
	// Users, Policies, Services, Schedules, OnCalls and Priorities are there from
	// the start; the defaults of the same names when nil.
	Users      []User
	Policies   []Policy
	Services   []Service
	Schedules  []Schedule
	OnCalls    []OnCall
	Priorities []Priority
}

// Server is the simulated account. The method of a fault is the verb and the path
// with {id} in place of an id, such as "POST /incidents" or
// "GET /incidents/{id}/notes"; its target is the ID of the service that the call
// is about, or the incident's.
type Server struct {
	*apiserver.Server
	state account
}

// Request is one call as it arrived.
type Request = apiserver.Request

// New builds an account that does not listen yet.
func New(opts Options) *Server {
	setDefault(&opts.Keys, []Key{{Token: DefaultKey}})
	setDefault(&opts.Users, DefaultUsers())
	setDefault(&opts.Policies, DefaultPolicies())
	setDefault(&opts.Services, DefaultServices())
	setDefault(&opts.Schedules, DefaultSchedules())
	setDefault(&opts.OnCalls, DefaultOnCalls())
	setDefault(&opts.Priorities, DefaultPriorities())
	s := &Server{state: newAccount(opts)}
	s.Server = apiserver.New("the simulated PagerDuty", "", opts.Options, s)
	return s
}

func setDefault[T any](list *[]T, value []T) {
	if *list == nil {
		*list = value
	}
}

// call is one request, taken apart.
type call struct {
	*apiserver.Call
	id   string // in the path, if any
	key  Key
	from User // for changes
}

// operation is one operation of the API.
type operation func(*Server, *call) (status int, body any, err error)

func operations() map[string]operation {
	return map[string]operation{
		"GET /abilities":             (*Server).abilities,
		"GET /priorities":            (*Server).listPriorities,
		"GET /users/me":              (*Server).currentUser,
		"GET /users/{id}":            (*Server).getUser,
		"GET /users":                 (*Server).listUsers,
		"GET /services/{id}":         (*Server).getService,
		"GET /services":              (*Server).listServices,
		"GET /schedules":             (*Server).listSchedules,
		"GET /oncalls":               (*Server).listOnCalls,
		"GET /incidents/{id}/notes":  (*Server).listNotes,
		"POST /incidents/{id}/notes": (*Server).createNote,
		"GET /incidents/{id}":        (*Server).getIncident,
		"PUT /incidents/{id}":        (*Server).updateIncident,
		"GET /incidents":             (*Server).listIncidents,
		"POST /incidents":            (*Server).createIncident,
		"PUT /incidents":             (*Server).updateIncidents,
	}
}

// Open finds the operation. A fault is looked for by the service first, then by
// the incident.
func (s *Server) Open(c *apiserver.Call) bool {
	c.Method, c.Own, _ = apiserver.Match(operations(), c.R, c.R.URL.Path)
	c.Form, c.Also = c.R.URL.Query(), c.R.PathValue("id")
	c.Content = c.Also + "?" + c.Form.Encode() + "\n" + string(c.Body)
	c.Target = s.serviceOf(c)
	return true
}

// serviceOf names the service that a call is about, as far as it shows.
func (s *Server) serviceOf(c *apiserver.Call) (service string) {
	id := c.Also
	var body struct {
		Incident struct {
			Service struct{ ID string }
		}
		Incidents []struct{ ID string }
	}
	if json.Unmarshal(c.Body, &body) == nil {
		if body.Incident.Service.ID != "" {
			return body.Incident.Service.ID
		}
		if id == "" && len(body.Incidents) > 0 {
			id = body.Incidents[0].ID
		}
	}
	service = id
	s.Look(func() {
		if in := s.state.byID[id]; in != nil {
			service = in.Service
		} else if ids := c.Form["service_ids[]"]; id == "" && len(ids) > 0 {
			service = ids[0]
		}
	})
	return service
}

// Answer carries a call out.
func (s *Server) Answer(c *apiserver.Call) apiserver.Answer {
	status, body, err := s.carryOut(&call{Call: c, id: c.Also})
	if err != nil {
		return asAPIError(err).answer()
	}
	return apiserver.Answer{Status: status, Body: body}
}

// carryOut checks the call in the order path, key, headers, right, and carries it
// out.
func (s *Server) carryOut(c *call) (int, any, error) {
	if c.TooLarge {
		return 0, nil, &apiError{http.StatusRequestEntityTooLarge, 2001, "Request Entity Too Large", nil}
	}
	if err := s.authenticate(c); err != nil {
		return 0, nil, err
	}
	do := c.Own.(operation)
	if do == nil {
		return 0, nil, failure(2100)
	}
	if err := checkHeaders(c.R); err != nil {
		return 0, nil, err
	}
	if c.R.Method != http.MethodGet {
		if err := s.mayChange(c); err != nil {
			return 0, nil, err
		}
	}
	if c.Fault.Effect == fault.Refuse {
		return 0, nil, refusal(c.Fault.Code)
	}
	return do(s, c)
}

func (s *Server) authenticate(c *call) error {
	token, ok := strings.CutPrefix(c.R.Header.Get("Authorization"), "Token token=")
	if ok {
		c.key, ok = s.state.keys[token]
	}
	if !ok {
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

// mayChange finds the user in whose name a change is made. The reference requires
// the header with every kind of key, and a key that is not read-only.
func (s *Server) mayChange(c *call) (err error) {
	email, known := c.R.Header.Get("From"), false
	switch c.from, known = s.state.userByEmail(email); {
	case c.key.ReadOnly:
		return failure(2010)
	case email == "":
		return invalid("You must specify a user's email address in the From header")
	case !known:
		return failure(1008)
	}
	return nil
}

// TooFast answers as PagerDuty does to a caller that is too fast: the waiting
// time is told in whole seconds in a header of its own.
func (s *Server) TooFast(c *apiserver.Call, wait time.Duration) apiserver.Answer {
	if wait > 0 {
		c.Out.Set("ratelimit-limit", "960")
		c.Out.Set("ratelimit-remaining", "0")
		c.Out.Set("ratelimit-reset", apiserver.Seconds(wait))
	}
	return asAPIError(failure(2020)).answer()
}
