package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

const (
	// maxBody is the longest body that the API reads, in bytes.
	maxBody = 64 << 10
	// defaultLimit is how many messages of a channel, and how many requests,
	// the state has when the caller names no limit.
	defaultLimit = 200
)

// endpoint answers one call of the API: with the status and the body in JSON,
// no body when it is nil, or with an error.
type endpoint func(r *http.Request) (status int, body any, err error)

// routes are the API's paths with the methods that each of them has.
func (s *Sandbox) routes() map[string]map[string]endpoint {
	act := func(do func(id string) error) map[string]endpoint {
		return map[string]endpoint{http.MethodPost: func(r *http.Request) (int, any, error) {
			return http.StatusNoContent, nil, do(r.PathValue("id"))
		}}
	}
	return map[string]map[string]endpoint{
		"/api/state":                 {http.MethodGet: s.getState},
		"/api/tally":                 {http.MethodGet: s.getTally},
		"/api/story":                 {http.MethodGet: s.getStory},
		"/api/plugins/{name}/log":    {http.MethodGet: s.getLog},
		"/api/scenes":                {http.MethodGet: s.getScenes, http.MethodPost: s.postScene, http.MethodDelete: s.deleteScene},
		"/api/requests":              {http.MethodPost: s.postRequest},
		"/api/requests/{id}/reviews": {http.MethodPost: s.postReview},
		"/api/requests/{id}/promote": {http.MethodPost: s.postPromotion},
		"/api/requests/{id}/expire":  act(s.cluster.Expire),
		"/api/requests/{id}/delete":  act(s.cluster.Delete),
		"/api/press":                 {http.MethodPost: s.postPress},
		"/api/switches":              {http.MethodPost: s.postSwitch},
		"/api/faults": {
			http.MethodGet: s.getFaults, http.MethodPost: s.postFaults, http.MethodDelete: s.deleteFaults,
		},
	}
}

// Handler is the page and the API. Calls are only taken under a loopback name
// or one of the hosts, which are written without a port: another site that lets
// its own name lead here gets nothing.
func (s *Sandbox) Handler(hosts ...string) http.Handler {
	mux := http.NewServeMux()
	for path, methods := range s.routes() {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { serveEndpoint(w, r, methods) })
	}
	mux.HandleFunc("/api/events", s.serveEvents)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, notFound("there is nothing at %s", r.URL.Path))
	})
	mux.Handle("/", page())
	return guard(mux, hosts)
}

func serveEndpoint(w http.ResponseWriter, r *http.Request, methods map[string]endpoint) {
	do, ok := methods[r.Method]
	if !ok {
		writeError(w, refusal(http.StatusMethodNotAllowed, "%s does not take %s", r.URL.Path, r.Method))
		return
	}
	if err := checkType(r); err != nil {
		writeError(w, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	status, body, err := do(r)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, status, body)
}

// checkType asks for JSON where something is sent: pages of other sites cannot
// send it without asking first, and are not answered when they ask.
func checkType(r *http.Request) error {
	if r.Method != http.MethodPost {
		return nil
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return refusal(http.StatusUnsupportedMediaType, "send the header Content-Type: application/json")
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Cache-Control", "no-store")
	if body == nil {
		w.WriteHeader(status)
		return
	}
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"error":"the answer could not be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

func writeError(w http.ResponseWriter, err error) {
	writeJSON(w, statusOf(err), map[string]string{"error": err.Error()})
}

// decode reads one JSON value with no fields but those of into. An empty body
// leaves into as it is.
func decode(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fmt.Errorf("the body is larger than %d bytes: %w", maxBody, err)
	}
	if err != nil {
		return badRequest("the body cannot be read: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("there is more than one value in the body")
	}
	return nil
}

func (s *Sandbox) getState(r *http.Request) (int, any, error) {
	limit := defaultLimit
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return 0, nil, badRequest("the limit %q is not a number", text)
		}
		limit = n
	}
	return http.StatusOK, s.State(limit), nil
}

// NewRequest is what POST /api/requests takes.
type NewRequest struct {
	User               string   `json:"user"`
	Roles              []string `json:"roles"`
	Reason             string   `json:"reason"`
	SuggestedReviewers []string `json:"suggested_reviewers"`
	// Resources are written kind/name.
	Resources []string `json:"resources"`
	// MaxDuration and TTL are durations such as "4h"; those of the cluster
	// when empty.
	MaxDuration string `json:"max_duration"`
	TTL         string `json:"ttl"`
}

// params checks a request.
func (n NewRequest) params(clusterName string) (cluster.CreateParams, error) {
	p := cluster.CreateParams{User: n.User, Roles: n.Roles, Reason: n.Reason, SuggestedReviewers: n.SuggestedReviewers}
	if n.User == "" {
		return p, badRequest("say in user who requests")
	}
	if len(n.Roles)+len(n.Resources) == 0 {
		return p, badRequest("say in roles or resources what is requested")
	}
	for _, text := range n.Resources {
		kind, name, ok := strings.Cut(text, "/")
		if !ok || kind == "" || name == "" {
			return p, badRequest("the resource %q is not written kind/name", text)
		}
		p.Resources = append(p.Resources, types.ResourceID{ClusterName: clusterName, Kind: kind, Name: name})
	}
	var err error
	if p.MaxDuration, err = duration("max_duration", n.MaxDuration); err == nil {
		p.TTL, err = duration("ttl", n.TTL)
	}
	return p, err
}

func duration(field, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, badRequest("%s is %q; write a duration such as 4h or 30s", field, text)
	}
	return d, nil
}

func (s *Sandbox) postRequest(r *http.Request) (int, any, error) {
	var n NewRequest
	if err := decode(r, &n); err != nil {
		return 0, nil, err
	}
	p, err := n.params(s.cluster.Name())
	if err != nil {
		return 0, nil, err
	}
	id, err := s.cluster.CreateRequest(p)
	return http.StatusCreated, map[string]string{"id": id}, err
}

func (s *Sandbox) postReview(r *http.Request) (int, any, error) {
	var n struct {
		Author string `json:"author"`
		State  string `json:"state"`
		Reason string `json:"reason"`
	}
	if err := decode(r, &n); err != nil {
		return 0, nil, err
	}
	if n.Author == "" {
		return 0, nil, badRequest("say in author who reviews")
	}
	states := map[string]types.RequestState{"APPROVED": types.RequestState_APPROVED, "DENIED": types.RequestState_DENIED}
	state, ok := states[n.State]
	if !ok {
		return 0, nil, badRequest("the state is %q; write APPROVED or DENIED", n.State)
	}
	err := s.cluster.Review(r.PathValue("id"), n.Author, state, n.Reason)
	return http.StatusNoContent, nil, err
}

func (s *Sandbox) postPromotion(r *http.Request) (int, any, error) {
	n := struct {
		List string `json:"access_list"`
	}{"Production on-call"}
	if err := decode(r, &n); err != nil {
		return 0, nil, err
	}
	err := s.cluster.Promote(r.PathValue("id"), n.List)
	return http.StatusNoContent, nil, err
}

// postSwitch sets a switch of a service's panel.
func (s *Sandbox) postSwitch(r *http.Request) (int, any, error) {
	var c struct {
		Service string `json:"service"`
		Switch  string `json:"switch"`
		On      bool   `json:"on"`
	}
	if err := decode(r, &c); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, s.setSwitch(c.Service, c.Switch, c.On)
}

func (s *Sandbox) setSwitch(service, id string, on bool) error {
	v, err := s.service(service)
	if err != nil {
		return err
	}
	able, ok := v.FarEnd.(farend.Switcher)
	if !ok {
		return notFound("%s has no switches", v.Title)
	}
	if err := able.Switch(id, on); err != nil {
		return notFound("%v", err)
	}
	return nil
}

func (s *Sandbox) getFaults(*http.Request) (int, any, error) {
	return http.StatusOK, s.Faults(), nil
}

func (s *Sandbox) postFaults(r *http.Request) (int, any, error) {
	var c FaultChange
	if err := decode(r, &c); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, s.ChangeFaults(c)
}

func (s *Sandbox) deleteFaults(r *http.Request) (int, any, error) {
	return http.StatusNoContent, nil, s.ClearFaults(r.URL.Query().Get("from"))
}
