package mattermost

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

// answered is how a server answers.
type answered struct {
	status int
	body   string
	header string // of Retry-After
}

func said(status int, id string) answered {
	return answered{status, fmt.Sprintf(`{"id":%q,"message":"Das geht nicht.","detailed_error":"","request_id":"r","status_code":%d}`, id, status), ""}
}

// answering is a client of a server that answers everything alike.
func answering(t *testing.T, a answered) *client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret-token" || !strings.HasPrefix(r.URL.Path, "/chat/api/v4/") {
			t.Errorf("%s %s with %q", r.Method, r.URL, r.Header)
		}
		if a.header != "" {
			w.Header().Set("Retry-After", a.header)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(server.Close)
	transport := outbound.NewTransport(outbound.Options{})
	t.Cleanup(transport.CloseIdle)
	return &client{base: server.URL + "/chat/api/v4", token: config.NewSecret("secret-token"), http: transport.Client()}
}

// What can be done about each of Mattermost's answers, and how far a refusal reaches.
func TestAnswersAreSorted(t *testing.T) {
	const page = "<html>sign in</html>"
	for name, c := range map[string]struct {
		route  string
		answer answered
		kind   outbound.Kind
		scope  outbound.Scope
		hint   string
	}{
		"a bad token":                  {createPost, said(401, "api.context.session_expired.app_error"), outbound.Refused, outbound.TheToken, "mattermost.token"},
		"another word for a bad token": {whoAmI, said(401, "api.context.token_provided.app_error"), outbound.Refused, outbound.TheToken, "mattermost.token"},
		"not in the channel":           {createPost, said(403, noRight), outbound.Refused, outbound.ThePlace, "invite"},
		"may not read":                 {listPosts, said(403, noRight), outbound.Refused, outbound.OneCall, "invite"},
		"may not edit":                 {patchPost, said(403, noRight), outbound.Refused, outbound.OneCall, "invite"},
		"may not see the channel":      {channelByID, said(403, noRight), outbound.Refused, outbound.ThePlace, "invite"},
		"archived":                     {createPost, said(400, "api.post.create_post.can_not_post_to_deleted.error"), outbound.Refused, outbound.ThePlace, "unarchive"},
		"archived, by an edit":         {patchPost, said(400, "api.post.patch_post.can_not_update_post_in_deleted.error"), outbound.Refused, outbound.ThePlace, "unarchive"},
		"too long":                     {createPost, said(400, "model.post.is_valid.msg.app_error"), outbound.Refused, outbound.OneCall, "MaxPostSize"},
		"too long, newer":              {createPost, said(400, "model.post.is_valid.message_length.app_error"), outbound.Refused, outbound.OneCall, "MaxPostSize"},
		"no thread":                    {createPost, said(400, "api.post.create_post.root_id.app_error"), outbound.Gone, 0, ""},
		"no post":                      {getPost, said(404, "app.post.get.app_error"), outbound.Gone, 0, ""},
		"edited too late":              {patchPost, said(400, "api.post.update_post.permissions_time_limit.app_error"), outbound.Fixed, 0, "limited time"},
		"the same is in work":          {createPost, said(500, "api.post.deduplicate_create_post.pending"), outbound.Retry, 0, ""},
		"no such user":                 {userByEmail, said(404, noSuchUser), outbound.Refused, outbound.ThePlace, "no account"},
		"a malformed name":             {userByName, said(400, "api.context.invalid_url_param.app_error"), outbound.Refused, outbound.ThePlace, "Das geht nicht."},
		"addresses are hidden":         {userByEmail, said(403, "api.user.get_user_by_email.permissions.app_error"), outbound.Refused, outbound.ThePlace, "@username"},
		"restricted direct messages":   {openDirect, said(400, "api.channel.create_channel.restricted_dm.app_error"), outbound.Refused, outbound.ThePlace, "team of this person's"},
		"no such channel":              {channelByNames, said(404, noSuchChannel), outbound.Refused, outbound.ThePlace, "private"},
		"no such team":                 {channelByNames, said(404, noSuchTeam), outbound.Refused, outbound.ThePlace, "team's name"},
		"an id that nobody knows":      {createPost, said(400, "api.something.new"), outbound.Refused, outbound.OneCall, "Das geht nicht."},
		"too large":                    {createPost, said(413, "api.context.request_body_too_large.app_error"), outbound.Refused, outbound.OneCall, ""},
		"not there":                    {createPost, said(501, "api.feature.disabled"), outbound.Refused, outbound.OneCall, ""},
		"a failure":                    {createPost, said(500, "app.post.save.app_error"), outbound.Unclear, 0, ""},
		"a failure of an edit":         {patchPost, said(500, "app.post.update.app_error"), outbound.Unclear, 0, ""},
		"a failure of a look-up":       {userByEmail, said(500, "app.user.get.app_error"), outbound.Retry, 0, ""},
		"too fast":                     {createPost, answered{429, "limit exceeded", "3"}, outbound.Wait, 0, ""},
		"too fast, and no time":        {createPost, answered{429, "limit exceeded", ""}, outbound.Wait, 0, ""},
		"a page in place of a post":    {createPost, answered{200, page, ""}, outbound.Unclear, 0, "proxy or gateway"},
		"a page that forbids":          {createPost, answered{403, page, ""}, outbound.Unclear, 0, "proxy or gateway"},
		"a page that is not there":     {getPost, answered{404, page, ""}, outbound.Retry, 0, "sub-path"},
		"a redirect":                   {createPost, answered{302, "", ""}, outbound.Unclear, 0, "proxy or gateway"},
		"nothing":                      {createPost, answered{201, "", ""}, outbound.Unclear, 0, "proxy or gateway"},
		"a post without an id":         {createPost, answered{201, "{}", ""}, outbound.Unclear, 0, "proxy or gateway"},
		"another path of a server":     {whoAmI, said(404, noSuchRoute), outbound.Retry, 0, "sub-path"},
		"words of something else":      {createPost, answered{403, `{"id":"x.y","message":"no"}`, ""}, outbound.Unclear, 0, "proxy or gateway"},
		"a status that does not fit":   {createPost, answered{403, `{"id":"x.y","message":"no","status_code":400}`, ""}, outbound.Unclear, 0, "proxy or gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			err := answering(t, c.answer).do(t.Context(), call{route: c.route, args: []string{"a", "b"}, body: map[string]string{}}, &post{})
			e, ok := err.(*outbound.Error)
			if !ok || e.Kind != c.kind || e.Scope != c.scope || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("%+v, want %s, scope %d, %q", err, c.kind, c.scope, c.hint)
			}
			if c.answer.header != "" && e.After != 3*time.Second {
				t.Errorf("to wait for %v", e.After)
			}
			if strings.Contains(err.Error(), "secret-token") {
				t.Errorf("the token is shown: %v", err)
			}
		})
	}
}

// A call that was not answered may have been carried out, if it has an effect.
func TestCallsWithoutAnAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	transport := outbound.NewTransport(outbound.Options{})
	t.Cleanup(transport.CloseIdle)
	c := &client{base: server.URL, token: config.NewSecret("t"), http: transport.Client()}
	for route, want := range map[string]outbound.Kind{createPost: outbound.Unclear, patchPost: outbound.Unclear, getPost: outbound.Retry, openDirect: outbound.Retry} {
		if err := c.do(t.Context(), call{route: route, args: []string{"a"}}, &post{}); outbound.KindOf(err) != want {
			t.Errorf("%s: %v, want %s", route, err, want)
		}
	}
	server.Close()
	if err := c.do(t.Context(), call{route: createPost}, &post{}); outbound.KindOf(err) != outbound.Retry {
		t.Errorf("without a server: %v", err)
	}
}

// A token in a file is read at each call, and arguments cannot leave their place.
func TestCallsAsTheyAreMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization")+" "+r.Method+" "+r.URL.EscapedPath()+" "+r.URL.RawQuery)
		_, _ = io.WriteString(w, `{"id":"x"}`)
	}))
	t.Cleanup(server.Close)
	transport := outbound.NewTransport(outbound.Options{})
	t.Cleanup(transport.CloseIdle)
	c := &client{base: server.URL, token: config.NewSecret(path), http: transport.Client()}
	get := call{route: channelByNames, args: []string{"a/../b", "c?d"}, query: map[string][]string{"include_deleted": {"true"}}}
	if err := c.do(context.Background(), get, &channel{}); outbound.KindOf(err) != outbound.Retry || !strings.Contains(err.Error(), "mattermost.token") {
		t.Errorf("without a token: %v", err)
	}
	for _, token := range []string{"one", "another\n"} {
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.do(t.Context(), get, &channel{}); err != nil {
			t.Error(err)
		}
	}
	const where = " GET /teams/name/a%2F..%2Fb/channels/name/c%3Fd include_deleted=true"
	if len(seen) != 2 || seen[0] != "Bearer one"+where || seen[1] != "Bearer another"+where {
		t.Errorf("made were %q", seen)
	}
}
