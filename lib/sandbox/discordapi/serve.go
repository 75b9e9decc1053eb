package discordapi

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/fault"
)

// The methods that the sandbox serves, by which faults, counters and the log of
// requests name them.
const (
	CreateMessage    = "POST /channels/{channel}/messages"
	ListMessages     = "GET /channels/{channel}/messages"
	GetMessage       = "GET /channels/{channel}/messages/{message}"
	EditMessage      = "PATCH /channels/{channel}/messages/{message}"
	DeleteMessage    = "DELETE /channels/{channel}/messages/{message}"
	StartThread      = "POST /channels/{channel}/messages/{message}/threads"
	GetChannel       = "GET /channels/{channel}"
	GetSelf          = "GET /users/@me"
	ListOwnGuilds    = "GET /users/@me/guilds"
	OpenDM           = "POST /users/@me/channels"
	GetUser          = "GET /users/{user}"
	GetGuild         = "GET /guilds/{guild}"
	ListChannels     = "GET /guilds/{guild}/channels"
	GetMember        = "GET /guilds/{guild}/members/{user}"
	GetApplication   = "GET /applications/@me"
	GetOAuth2Current = "GET /oauth2/applications/@me"
)

// maxBody is the documented limit on a request's size, in bytes.
const maxBody = 25 << 20

// call is one request on its way through the server.
type call struct {
	r      *http.Request
	method string
	target string
	path   string
	body   json.RawMessage
	// tooLarge and badType say what is wrong with the form of the body.
	tooLarge, badType bool
}

// handler carries out a method whose sender is known.
type handler func(s *Server, c *call) (status int, body any, err error)

// routes builds the table of methods. The mux only finds the method: it calls
// nothing, so that faults and limits come first.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for method, h := range map[string]handler{
		CreateMessage: createMessage, ListMessages: listMessages, GetMessage: getMessage, EditMessage: editMessage,
		DeleteMessage: deleteMessage, StartThread: startThread, GetChannel: getChannel, GetSelf: getSelf,
		ListOwnGuilds: listOwnGuilds, OpenDM: openDM, GetUser: getUser, GetGuild: getGuild, ListChannels: listChannels,
		GetMember: getMember, GetApplication: getApplication, GetOAuth2Current: getApplication,
	} {
		mux.HandleFunc(method, func(w http.ResponseWriter, r *http.Request) {
			s.serve(w, &call{r: r, method: method, path: r.URL.RequestURI(), target: target(r)}, h)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, &call{r: r, method: r.Method + " " + r.URL.Path, path: r.URL.RequestURI()}, notFound)
	})
	return mux
}

func target(r *http.Request) string {
	for _, name := range []string{"channel", "guild", "user"} {
		if v := r.PathValue(name); v != "" {
			return v
		}
	}
	return ""
}

func notFound(*Server, *call) (int, any, error) {
	return 0, nil, &apiError{status: http.StatusNotFound, message: "404: Not Found"}
}

// ServeHTTP answers one call of the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/api/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	version, rest, _ := strings.Cut(path, "/")
	if n, err := strconv.Atoi(strings.TrimPrefix(version, "v")); err == nil && version[0] == 'v' {
		if path = rest; n != 9 && n != 10 {
			writeError(w, failure(50041))
			return
		}
	}
	inner := r.Clone(r.Context())
	inner.URL.Path, inner.URL.RawPath = "/"+path, ""
	s.mux.ServeHTTP(w, inner)
}

// serve lets faults and limits have their say before the method has its.
func (s *Server) serve(w http.ResponseWriter, c *call, h handler) {
	c.read(w)
	if !s.pause(c.r) {
		return
	}
	f, faulty := s.takeFault(c)
	if faulty && instead(f.Effect) { // logged first, since the caller may be gone after
		s.logRequest(c, 0, string(f.Effect))
		fault.Before(w, c.r, f)
		return
	}
	if faulty && fault.Before(w, c.r, f) {
		s.logRequest(c, 0, string(f.Effect))
		return
	}
	if faulty && f.Effect == fault.RateLimit {
		s.logRequest(c, http.StatusTooManyRequests, string(f.Effect))
		tooMany(w, f.RetryAfter(), f.Code == "global")
		return
	}
	if !s.limit(w, c) {
		s.logRequest(c, http.StatusTooManyRequests, "limit")
		return
	}
	status, body, err := s.answer(c, f, h)
	code := ""
	if err != nil {
		e := asAPIError(err)
		status, body, code = e.status, e.body(), strconv.Itoa(e.code)
	}
	s.logRequest(c, status, code)
	if faulty && f.Effect == fault.DoneNotAnswered {
		fault.Drop(w)
		return
	}
	writeJSON(w, status, body)
}

// instead reports whether an effect takes the place of the work and the answer.
func instead(e fault.Effect) bool {
	return e == fault.Status || e == fault.Gateway || e == fault.Hang || e == fault.Cut || e == fault.Garbage
}

// read takes in the body.
func (c *call) read(w http.ResponseWriter) {
	body, err := io.ReadAll(http.MaxBytesReader(w, c.r.Body, maxBody))
	var large *http.MaxBytesError
	c.tooLarge = errors.As(err, &large)
	if len(body) == 0 {
		return
	}
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	c.body, c.badType = body, kind != "application/json"
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

// takeFault looks for a fault by the ID in the path (or, for OpenDM, in the
// body), then by the channel's name.
func (s *Server) takeFault(c *call) (fault.Fault, bool) {
	id := c.target
	if c.method == OpenDM {
		var body struct {
			Recipient string `json:"recipient_id"`
		}
		_ = json.Unmarshal(c.body, &body)
		id = body.Recipient
	}
	content := c.path + "\n" + string(c.body)
	if f, ok := s.faults.TakeCall(fault.Call{Method: c.method, Target: id, Content: content}); ok {
		return f, true
	}
	s.mu.Lock()
	name := ""
	if ch := s.state.channels[id]; ch != nil {
		name = ch.Name
	}
	s.mu.Unlock()
	if name == "" {
		return fault.Fault{}, false
	}
	return s.faults.TakeCall(fault.Call{Method: c.method, Target: name, Content: content})
}

// answer checks the sender and the form, and carries the method out.
func (s *Server) answer(c *call, f fault.Fault, h handler) (int, any, error) {
	if err := s.authenticate(c.r); err != nil {
		return 0, nil, err
	}
	switch {
	case f.Effect == fault.Refuse:
		return 0, nil, refusal(f.Code)
	case c.tooLarge:
		return 0, nil, failure(40005)
	case c.badType:
		return 0, nil, (&form{faults: map[string]any{"_errors": []map[string]string{{
			"code": "CONTENT_TYPE_INVALID", "message": `Expected "Content-Type" header to be one of {'application/json'}.`,
		}}}}).err()
	case c.body != nil && !json.Valid(c.body):
		return 0, nil, failure(50109)
	}
	return h(s, c)
}

// authenticate checks the user agent, which Discord asks of every client, and
// the token. The documented form "DiscordBot (url, version)" is not insisted on,
// but no client may come without a name of its own.
func (s *Server) authenticate(r *http.Request) error {
	if agent := r.UserAgent(); agent == "" || strings.HasPrefix(agent, "Go-http-client") {
		return failure(40333)
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bot ")
	if !ok || token != s.Token() {
		return &apiError{status: http.StatusUnauthorized, message: "401: Unauthorized"}
	}
	return nil
}

func writeError(w http.ResponseWriter, e *apiError) { writeJSON(w, e.status, e.body()) }

// writeJSON sends an answer; nothing but the status for a nil body.
func writeJSON(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	data, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "encoding the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
