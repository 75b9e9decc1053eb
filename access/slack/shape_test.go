package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// roundTrip carries out calls by a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// bodyOf reads the body of a call, and leaves it in its place.
func bodyOf(t testing.TB, r *http.Request) string {
	t.Helper()
	if r.Body == nil {
		return ""
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return string(body)
}

// respond answers every call alike.
func respond(status int, body string) direct {
	return direct{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})}
}

// everyCall makes each call that the service knows, and gives what came of it.
func everyCall(t *testing.T, s *service, each func(name string, err error), v request.View) {
	ctx := t.Context()
	m, err := announceAt(ctx, s, general, v)
	each("chat.postMessage", err)
	if err != nil {
		m = anyMessage
	}
	each("chat.postMessage below", reply(ctx, s, m, v, 0))
	each("chat.postMessage to a person", tellRequester(ctx, s, alice, v))
	each("chat.update", s.Show(ctx, m, v))
	each("auth.test", s.Check(ctx))
	_, err = s.Resolve(ctx, "alice@example.com")
	each("users.lookupByEmail", err)
	for name, to := range map[string]integration.Place{
		"conversations.history": {Address: general}, "conversations.open": {Address: alice}, "conversations.list": {Address: "access-requests"},
	} {
		_, err = s.Find(ctx, to, announce, v)
		each(name, err)
	}
	_, err = findReply(ctx, s, m, v, 0)
	each("conversations.replies", err)
}

// knowing is a service that has been told who it is.
func knowing(t *testing.T, base http.RoundTripper) *service {
	s, _ := build(t, "http://slack.test/api/", base)
	s.self = account{bot: "B0SANDBOX01", user: "U0SANDBOXB1"}
	return s
}

// What does not have Slack's own shape comes from a gateway: it says nothing about
// the recipient, the token or the message, whatever its status. A call with an
// effect may have had it; one that reads is made again.
func TestAnAnswerThatIsNotSlacksSaysNothing(t *testing.T) {
	const page = "<html><body>blocked: /etc/passwd</body></html>"
	type foreign struct {
		status int
		body   string
	}
	var list []foreign
	for _, status := range []int{200, 204, 301, 302, 307, 400, 401, 403, 404, 405, 407, 410, 413, 414, 426, 431, 451, 500, 502, 503, 504} {
		list = append(list, foreign{status, page}, foreign{status, ""}, foreign{status, `{"message":"Forbidden"}`}, foreign{status, `{"ok":false}`})
	}
	for _, body := range []string{
		`{"ok":false,"error":""}`, `{}`, `null`, `[]`, `"no"`, `{"ok":true`, `{"ok":"yes"}`, `{"ok":true}`, `{"error":"invalid_auth"}`,
	} {
		list = append(list, foreign{200, body})
	}
	list = append(list, foreign{502, `{"ok":true,"channel":"C0SANDBOX01","ts":"1.000001"}`},
		foreign{200, `{"ok":false,"channel":"C0SANDBOX01","ts":"1.000001","user_id":"U1","messages":[],"channels":[]}`})
	for _, f := range list {
		if f.status == 204 {
			f.body = ""
		}
		t.Run(fmt.Sprint(f.status, " ", f.body), func(t *testing.T) {
			everyCall(t, knowing(t, respond(f.status, f.body)), func(name string, err error) {
				want := outbound.Retry
				if strings.HasPrefix(name, "chat.") {
					want = outbound.Unclear
				}
				if e := wantKind(t, err, want); e.Code != "" || outbound.Answered(err) || strings.Contains(err.Error(), "<html>") {
					t.Errorf("%s: %+v", name, e)
				}
			}, sample(reviewed("", request.Approved)))
		})
	}
}

// Slack's own words hold whatever the status is.
func TestACodeOfSlacksHoldsAtEveryStatus(t *testing.T) {
	for _, status := range []int{200, 401, 403, 404, 500} {
		everyCall(t, knowing(t, respond(status, `{"ok":false,"error":"token_revoked"}`)), func(name string, err error) {
			if e := wantRefused(t, err, outbound.TheToken); e.Code != "token_revoked" {
				t.Errorf("%s at %d: %v", name, status, err)
			}
		}, sample(reviewed("", request.Approved)))
	}
}

// A limit on a method holds in the whole workspace, but for posts, which each channel
// limits by itself.
func TestALimitHoldsForTheWholeMethod(t *testing.T) {
	calls := 0
	s := knowing(t, direct{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	})})
	for _, channel := range []string{general, other} {
		_, err := findAt(t.Context(), s, channel, sample())
		if e := wantKind(t, err, outbound.Wait); e.Scope != outbound.OneCall {
			t.Errorf("the limit reaches as far as %d", e.Scope)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls, want the first alone", calls)
	}
}

// An answer that breaks off is none.
func TestAnAnswerThatBreaksOffIsUnclear(t *testing.T) {
	broken := roundTrip(func(*http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader(`{"ok":true,"channel":"C1","ts":"1.0"`), broken{})
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body)}, nil
	})
	_, err := announceAt(context.Background(), knowing(t, broken), general, sample())
	wantKind(t, err, outbound.Unclear)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

// Anybody may post anything, and a part that slack-go does not know hides nothing.
func TestWhatSlackGoDoesNotUnderstandHidesNothing(t *testing.T) {
	const odd = `[{"type":"context","elements":[{"type":"hologram"}]}]`
	v := sample()
	mark, err := json.Marshal(mark(announce, v))
	if err != nil {
		t.Fatal(err)
	}
	s := knowing(t, respond(200, fmt.Sprintf(`{"ok":true,"has_more":false,"messages":[
		{"ts":"1772357403.000000","user":"U1","blocks":%[1]s,"attachments":5},
		{"ts":"1772357402.000000","bot_id":"B1","blocks":%[1]s,"metadata":[]},
		{"ts":"1772357401.000000","bot_id":"B0SANDBOX01","blocks":%[1]s,"metadata":%[2]s}]}`, odd, mark)))
	want := []plugindata.Message{{Channel: general, ID: "1772357401.000000"}}
	if found, err := findAt(t.Context(), s, general, v); err != nil || !slices.Equal(found, want) {
		t.Errorf("found %+v, %v", found, err)
	}
	s = knowing(t, respond(200, `{"ok":false,"error":"is_archived","errors":[{"odd":1}]}`))
	_, err = announceAt(t.Context(), s, general, v)
	wantRefused(t, err, outbound.ThePlace)
	s = knowing(t, respond(200, `{"ok":true,"channel":"C1","ts":"1.1","message":{"blocks":`+odd+`}}`))
	if _, err = announceAt(t.Context(), s, general, v); err != nil {
		t.Error(err)
	}
}
