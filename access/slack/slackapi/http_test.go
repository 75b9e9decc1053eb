package slackapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/access/slack/slackapi/contract"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/published"
)

// answer is what Slack says about any call.
type answer struct {
	OK       bool     `json:"ok"`
	Error    string   `json:"error"`
	Needed   string   `json:"needed"`
	Provided string   `json:"provided"`
	Warning  string   `json:"warning"`
	Errors   []string `json:"errors"`
	Meta     struct {
		Messages []string `json:"messages"`
		Warnings []string `json:"warnings"`
	} `json:"response_metadata"`
}

// send makes one call without a network.
func send(t *testing.T, s *slackapi.Server, verb, target, contentType, body string, header ...string) (answer, *http.Response) {
	t.Helper()
	r := httptest.NewRequest(verb, "/api/"+target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%s: status %d, body %q: %v", target, w.Code, w.Body, err)
	}
	return a, w.Result()
}

const (
	form     = "application/x-www-form-urlencoded"
	jsonBody = "application/json; charset=utf-8"
)

var bearer = []string{"Authorization", "Bearer " + slackapi.DefaultToken}

func TestWhoIsLetIn(t *testing.T) {
	for name, tc := range map[string]struct {
		contentType, body string
		header            []string
		want              string
	}{
		"a bearer token":                   {"", "", bearer, ""},
		"a token in the form":              {form, "token=" + slackapi.DefaultToken, nil, ""},
		"no token":                         {"", "", nil, "not_authed"},
		"a wrong bearer token":             {"", "", []string{"Authorization", "Bearer xoxb-wrong"}, "invalid_auth"},
		"a wrong token in the form":        {form, "token=xoxb-wrong", nil, "invalid_auth"},
		"another scheme":                   {"", "", []string{"Authorization", "Basic abc"}, "invalid_auth"},
		"a token in a JSON body":           {jsonBody, `{"token":"` + slackapi.DefaultToken + `"}`, nil, "not_authed"},
		"the header beats the form":        {form, "token=xoxb-wrong", bearer, ""},
		"an empty bearer is no token":      {"", "", []string{"Authorization", "Bearer "}, "not_authed"},
		"a body without a type":            {"", "a=b", bearer, "missing_post_type"},
		"a body of another type":           {"text/plain", "a=b", bearer, "invalid_post_type"},
		"JSON that is none":                {jsonBody, "{", bearer, "invalid_json"},
		"JSON that is no object":           {jsonBody, "[]", bearer, "json_not_object"},
		"JSON null":                        {jsonBody, "null", bearer, "json_not_object"},
		"a form that cannot be read":       {form, "a=%zz", bearer, "invalid_form_data"},
		"a body beyond anything Slack has": {form, "a=" + strings.Repeat("x", 1<<20), bearer, "invalid_form_data"},
	} {
		t.Run(name, func(t *testing.T) {
			s := slackapi.New(slackapi.Options{})
			if a, _ := send(t, s, "POST", "auth.test", tc.contentType, tc.body, tc.header...); a.Error != tc.want || a.OK != (tc.want == "") {
				t.Errorf("got %+v, want error %q", a, tc.want)
			}
		})
	}
}

func TestATokenInTheQueryDoesNotCount(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	if a, _ := send(t, s, "GET", "auth.test?token="+slackapi.DefaultToken, "", ""); a.Error != "not_authed" {
		t.Errorf("got %+v", a)
	}
}

func TestARefusedTokenGetsItsReason(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	for _, want := range []string{"token_revoked", "account_inactive", ""} {
		s.RefuseToken(s.Token(), want)
		if a, _ := send(t, s, "POST", "auth.test", "", "", bearer...); a.Error != want {
			t.Errorf("got %+v, want error %q", a, want)
		}
	}
}

func TestMethodsThatAreNotThere(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	for method, want := range map[string]string{"chat.shout": "unknown_method", "views.push": "unknown_method"} {
		if a, _ := send(t, s, "POST", method, "", "", bearer...); a.Error != want {
			t.Errorf("%s: got %+v, want error %q", method, a, want)
		}
	}
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, httptest.NewRequest("GET", "/elsewhere", nil)); w.Code != http.StatusNotFound {
		t.Errorf("a path outside the API: status %d", w.Code)
	}
}

func TestWarningAboutJSONWithoutCharset(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	a, _ := send(t, s, "POST", "auth.test", "application/json", "{}", bearer...)
	if !a.OK || a.Warning != "missing_charset" || !slices.Equal(a.Meta.Warnings, []string{"missing_charset"}) {
		t.Errorf("got %+v", a)
	}
	a, _ = send(t, s, "POST", "chat.postMessage", "application/json", "{}", bearer...)
	if a.Error != "invalid_arguments" || a.Warning != "missing_charset" || len(a.Meta.Messages) != 1 {
		t.Errorf("got %+v", a)
	}
}

func TestJSONIsOnlyReadWhereSlackReadsIt(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	a, _ := send(t, s, "POST", "users.lookupByEmail", jsonBody, `{"email":"alice@example.com"}`, bearer...)
	if want := []string{"[ERROR] missing required field: email"}; a.Error != "invalid_arguments" || !slices.Equal(a.Meta.Messages, want) {
		t.Errorf("got %+v", a)
	}
	if a, _ := send(t, s, "GET", "users.lookupByEmail?email=alice@example.com", "", "", bearer...); !a.OK {
		t.Errorf("got %+v", a)
	}
	if a, _ := send(t, s, "POST", "chat.postMessage", jsonBody, `{"channel":"#security","text":"hi","blocks":[{"type":"divider"}],"thread_ts":null}`, bearer...); !a.OK {
		t.Errorf("got %+v", a)
	}
	if got := s.Messages("security"); len(got) != 1 || string(got[0].Blocks) != `[{"type":"divider"}]` {
		t.Errorf("posted %+v", got)
	}
}

func TestEachMethodNeedsItsScope(t *testing.T) {
	all := slackapi.DefaultScopes()
	dm := func(s *slackapi.Server) string { return s.OpenDM(alice) }
	public := func(*slackapi.Server) string { return requests }
	private := func(*slackapi.Server) string { return dbTeam }
	for name, tc := range map[string]struct {
		method, missing, needed string
		channel                 func(*slackapi.Server) string
		args                    url.Values
	}{
		"posting":                    {"chat.postMessage", "chat:write", "chat:write", public, url.Values{"text": {"x"}}},
		"editing":                    {"chat.update", "chat:write", "chat:write", public, url.Values{"ts": {"1.000001"}}},
		"deleting":                   {"chat.delete", "chat:write", "chat:write", public, url.Values{"ts": {"1.000001"}}},
		"whispering":                 {"chat.postEphemeral", "chat:write", "chat:write", public, url.Values{"user": {alice}}},
		"looking up an address":      {"users.lookupByEmail", "users:read.email", "users:read.email", nil, url.Values{"email": {"x"}}},
		"reading a user":             {"users.info", "users:read", "users:read", nil, url.Values{"user": {alice}}},
		"opening a direct message":   {"conversations.open", "im:write", "im:write", nil, url.Values{"users": {alice}}},
		"opening one with several":   {"conversations.open", "mpim:write", "mpim:write", nil, url.Values{"users": {alice + "," + bob}}},
		"joining":                    {"conversations.join", "channels:join", "channels:join", public, nil},
		"history of a channel":       {"conversations.history", "channels:history", "channels:history", public, nil},
		"history of a private one":   {"conversations.history", "groups:history", "groups:history", private, nil},
		"history of a direct one":    {"conversations.history", "im:history", "im:history", dm, nil},
		"a thread in a channel":      {"conversations.replies", "channels:history", "channels:history", public, url.Values{"ts": {"1.000001"}}},
		"reading a channel":          {"conversations.info", "channels:read", "channels:read", public, nil},
		"members of a private one":   {"conversations.members", "groups:read", "groups:read", private, nil},
		"listing":                    {"conversations.list", "channels:read", "channels:read", nil, nil},
		"listing the private ones":   {"conversations.list", "groups:read", "groups:read", nil, url.Values{"types": {"public_channel,private_channel"}}},
		"listing the users' groups":  {"usergroups.list", "usergroups:read", "usergroups:read", nil, nil},
		"reading about the team":     {"team.info", "team:read", "team:read", nil, nil},
		"resuming a direct message":  {"conversations.open", "im:write", "im:write", dm, nil},
		"history with no scope left": {"conversations.history", "", "channels:history,groups:history,im:history,mpim:history", public, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := slackapi.New(slackapi.Options{})
			args := url.Values{}
			for k, v := range tc.args {
				args[k] = v
			}
			if tc.channel != nil {
				args.Set("channel", tc.channel(s))
			}
			rest := slices.DeleteFunc(slices.Clone(all), func(scope string) bool {
				return scope == tc.missing || tc.missing == "" && strings.HasSuffix(scope, ":history")
			})
			s.SetScopes(s.Token(), rest...)
			a, resp := send(t, s, "POST", tc.method, form, args.Encode(), bearer...)
			if a.Error != "missing_scope" || a.Needed != tc.needed || a.Provided != strings.Join(rest, ",") {
				t.Errorf("got %+v, want %q needed", a, tc.needed)
			}
			if got := resp.Header.Get("X-Oauth-Scopes"); got != strings.Join(rest, ",") {
				t.Errorf("the header tells the scopes %q", got)
			}
			s.SetScopes(s.Token(), all...)
			if a, _ := send(t, s, "POST", tc.method, form, args.Encode(), bearer...); a.Error == "missing_scope" {
				t.Errorf("with every scope: %+v", a)
			}
		})
	}
}

func TestTheLogOfRequestsHoldsNoToken(t *testing.T) {
	s := slackapi.New(slackapi.Options{Options: apiserver.Options{KeepRequests: 3}})
	send(t, s, "POST", "auth.test", form, "", bearer...)
	send(t, s, "POST", "users.info", form, "user=U1&token="+slackapi.DefaultToken, "Cookie", slackapi.DefaultToken)
	send(t, s, "POST", "chat.postMessage", jsonBody, `{"token":"`+slackapi.DefaultToken+`","channel":"C1","text":"x"}`, bearer...)
	send(t, s, "POST", "users.info", jsonBody, `{"token":"`+slackapi.DefaultToken+`","user":"U1"}`, bearer...)
	got := s.Requests()
	var methods []string
	for _, r := range got {
		methods = append(methods, r.Method+" "+r.Error)
	}
	if want := []string{"users.info user_not_found", "chat.postMessage channel_not_found", "users.info invalid_arguments"}; !slices.Equal(methods, want) {
		t.Errorf("the log holds %q, want the newest three %q", methods, want)
	}
	if text, err := json.Marshal(got); err != nil || bytes.Contains(text, []byte(slackapi.DefaultToken)) {
		t.Errorf("error %v, log %s", err, text)
	}
	if got[0].Args["user"] != "U1" || got[1].Args["text"] != "x" {
		t.Errorf("arguments %v, %v", got[0].Args, got[1].Args)
	}
	if s.Calls("users.info") != 2 || s.Counts()["auth.test"] != 1 {
		t.Errorf("counted %v", s.Counts())
	}
}

func TestTheTableOfMethodsAgreesWithSlacksReference(t *testing.T) {
	c := contract.ForTest(t)
	table := slackapi.Methods()
	described := c.Methods()
	for name, m := range table {
		if !slices.Contains(described, name) {
			t.Errorf("%s is not described", name)
			continue
		}
		data, err := os.ReadFile(filepath.Join(os.Getenv(published.EnvDir), "slack", "method-reference", name+".json"))
		if os.IsNotExist(err) {
			continue // The folder lacks it; the contract's supplement is our own.
		}
		if err != nil {
			t.Fatal(err)
		}
		var ref struct {
			JSON  bool                        `json:"json_input_supported"`
			Scope struct{ Bot []string }      `json:"scope"`
			Args  struct{ Required []string } `json:"args"`
		}
		if err := json.Unmarshal(data, &ref); err != nil {
			t.Fatal(err)
		}
		required := slices.DeleteFunc(ref.Args.Required, func(s string) bool { return s == "token" })
		if m.JSON != ref.JSON || !sameSet(m.Scopes, ref.Scope.Bot) || !sameSet(m.Required, required) {
			t.Errorf("%s: we have %+v, Slack has %+v", name, m, ref)
		}
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

func FuzzDecodeBody(f *testing.F) {
	f.Add(form, []byte("channel=C1&text=a%26b&channel=C2"))
	f.Add(jsonBody, []byte(`{"channel":"C1","blocks":[{"type":"divider"}],"n":1,"b":true,"z":null,"token":"x"}`))
	f.Add("application/json", []byte(`nope`))
	f.Add("multipart/form-data", []byte("--x"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		args, err := slackapi.DecodeBody(contentType, body, true)
		if err != nil {
			return
		}
		if _, ok := args["token"]; ok {
			t.Errorf("the token is among the arguments %v", args)
		}
	})
}
