package farend

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// The methods, by which faults and counters name them.
const (
	createPost = "POST /posts"
	patchPost  = "PUT /posts/{id}/patch"
	listPosts  = "GET /channels/{id}/posts"
	openDialog = "POST /actions/dialogs/open"
)

// method carries out a call with the body that was sent.
type method func(m *Mattermost, c *apiserver.Call, body any) (any, *problem)

func methods() map[string]method {
	return map[string]method{
		"GET /users/me":                  (*Mattermost).me,
		"GET /users/me/teams":            (*Mattermost).myTeams,
		"GET /users/{id}":                (*Mattermost).user,
		"GET /users/email/{email}":       (*Mattermost).userByEmail,
		"GET /users/username/{username}": (*Mattermost).userByName,
		"GET /channels/{id}":             (*Mattermost).channel,
		"GET /channels/{id}/members/me":  (*Mattermost).membership,
		"GET /teams/name/{team_name}/channels/name/{channel_name}": (*Mattermost).channelByNames,
		"POST /teams/{id}/channels/search":                         (*Mattermost).searchChannels,
		"POST /channels/direct":                                    (*Mattermost).openDirect,
		createPost:                                                 (*Mattermost).createPost,
		patchPost:                                                  (*Mattermost).patchPost,
		"GET /posts/{id}":                                          (*Mattermost).getPost,
		listPosts:                                                  (*Mattermost).listPosts,
		openDialog:                                                 (*Mattermost).openDialog,
		"GET /config/client":                                       (*Mattermost).clientConfig,
	}
}

// The server has a sub-path, below which the API is.
const (
	subPath = "/chat"
	apiPath = subPath + "/api/v4"
)

// Open finds the method.
func (m *Mattermost) Open(c *apiserver.Call) (ok bool) {
	path, ok := strings.CutPrefix(c.R.URL.Path, apiPath)
	if !ok {
		return false // a proxy in front of the server, or its web client
	}
	var own method
	c.Path = path
	if c.Method, own, ok = apiserver.Match(methods(), c.R, path); ok {
		c.Own = own
	}
	c.Content, c.Form = string(c.Body), c.R.URL.Query()
	c.Target = c.R.PathValue("id")
	var sent struct {
		Channel string `json:"channel_id"`
	}
	switch {
	case c.Method == createPost && json.Unmarshal(c.Body, &sent) == nil:
		c.Target = sent.Channel
	case c.Method == patchPost || c.Method == "GET /posts/{id}":
		m.Look(func() {
			if e := m.w.posts[c.R.PathValue("id")]; e != nil {
				c.Target = e.in.id
			}
		})
	}
	return true
}

// Answer carries a call out.
func (m *Mattermost) Answer(c *apiserver.Call) apiserver.Answer {
	own, known := c.Own.(method)
	var body any
	switch {
	case !known:
		return noRoute.answer()
	case c.Method != openDialog && !m.knows(c.R.Header.Get("Authorization")):
		return noSession.answer()
	case c.Fault.Effect == fault.Refuse:
		if p := problems()[c.Fault.Code]; p != nil {
			return p.answer()
		}
		return (&problem{http.StatusForbidden, c.Fault.Code}).answer()
	case len(c.Body) > 0 && json.Unmarshal(c.Body, &body) != nil:
		return badBody.answer()
	}
	out, p := own(m, c, body)
	if p != nil {
		return p.answer()
	}
	m.Changed()
	status := http.StatusOK
	if c.Method == createPost || c.Method == "POST /channels/direct" {
		status = http.StatusCreated
	}
	return apiserver.Answer{Status: status, Body: out}
}

// knows reports whether a call has our token, in either form.
func (m *Mattermost) knows(authorization string) bool {
	scheme, token, _ := strings.Cut(authorization, " ")
	return strings.EqualFold(scheme, "Bearer") && token == m.token
}

// answer is in the language of the account, as messages are.
func (p *problem) answer() apiserver.Answer {
	return apiserver.Answer{Status: p.status, Code: p.id, Body: map[string]any{
		"id": p.id, "message": "Das geht nicht.", "detailed_error": "", "request_id": "r", "status_code": p.status,
	}}
}

// TooFast tells how long to wait, in plain text.
func (m *Mattermost) TooFast(c *apiserver.Call, wait time.Duration) apiserver.Answer {
	if wait > 0 {
		c.Out.Set("Retry-After", apiserver.Seconds(wait))
		c.Out.Set("X-RateLimit-Reset", apiserver.Seconds(wait))
	}
	c.Out.Set("X-RateLimit-Limit", "100")
	c.Out.Set("X-RateLimit-Remaining", "0")
	return apiserver.Answer{Status: http.StatusTooManyRequests, Body: apiserver.Text("limit exceeded"), Code: "limit exceeded"}
}

func (m *Mattermost) clientConfig(c *apiserver.Call, _ any) (any, *problem) {
	if c.R.URL.Query().Get("format") != "old" {
		return nil, badParam
	}
	return map[string]string{"MaxPostSize": fmt.Sprint(m.w.most), "Version": "10.5.0"}, nil
}
