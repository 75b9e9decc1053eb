package slackapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/fault"
)

// reply posts an answer to a press.
func (r room) reply(address, body string) (int, map[string]any) {
	r.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		r.t.Fatal(err)
	}
	return exchange(r.t, r.Server, u.Path, jsonBody, body)
}

func TestAnAnswerIsSeenByWhoPressed(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		out := r.pressed()
		before := r.Saw(alice) // the sign that nobody acknowledged it
		if status, a := r.reply(out.ResponseURL, `{"text":"fallback","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"*done*"}}]}`); status != 200 || a["ok"] != true {
			t.Errorf("answered %d %v", status, a)
		}
		if got := r.Saw(alice)[len(before):]; !slices.Equal(got, []string{"*done*"}) || r.Saw(bob) != nil {
			t.Errorf("alice saw %q, bob saw %q", got, r.Saw(bob))
		}
		list := r.Messages(requests)
		if last := list[len(list)-1]; last.EphemeralTo != alice || len(list) != 2 || list[0].Edits != 0 {
			t.Errorf("messages %+v", list)
		}
		r.call("chat.postEphemeral", url.Values{"channel": {requests}, "user": {alice}, "text": {"and this"}})
		if got := r.Saw(alice)[len(before):]; !slices.Equal(got, []string{"*done*", "and this"}) {
			t.Errorf("alice saw %q", got)
		}
	})
}

func TestAnAnswerGoesWhereTheAppFoundSlack(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		if out := r.pressed(); !strings.HasPrefix(out.ResponseURL, "http://slack.invalid/actions/") {
			t.Errorf("before it asked: %s", out.ResponseURL)
		}
		r.address()
		if out := r.pressed(); !strings.HasPrefix(out.ResponseURL, "http://example.com/actions/") {
			t.Errorf("afterwards: %s", out.ResponseURL)
		}
	})
	w := start(t, slackapi.Options{})
	_, ts := w.offer(t, requests)
	out, err := w.Press(t.Context(), approve(ts))
	if err != nil || !strings.HasPrefix(out.ResponseURL, strings.TrimSuffix(w.URL(), "api/")+"actions/") {
		t.Errorf("at a server that listens: %s, %v", out.ResponseURL, err)
	}
}

func TestAnAnswerToAll(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		out := r.pressed()
		r.reply(out.ResponseURL, `{"text":"for all","response_type":"in_channel"}`)
		list := r.Messages(requests)
		if len(list) != 2 || list[1].EphemeralTo != "" || list[1].Text != "for all" {
			t.Errorf("in the channel: %+v", list)
		}
		r.reply(out.ResponseURL, `{"text":"instead","blocks":[],"replace_original":true}`)
		if list := r.Messages(requests); list[0].Text != "instead" || list[0].Edits != 1 {
			t.Errorf("replaced: %+v", list[0])
		}
		r.reply(out.ResponseURL, `{"delete_original":true}`)
		if list := r.Messages(requests); !list[0].Deleted {
			t.Errorf("removed: %+v", list[0])
		}
		for _, body := range []string{`{"delete_original":true}`, `{"text":"x","replace_original":true}`} {
			if _, a := r.reply(out.ResponseURL, body); a["error"] != "message_not_found" {
				t.Errorf("%s of what is gone: %v", body, a)
			}
		}
		if len(r.Saw(alice)) != 1 { // the sign that nobody acknowledged it
			t.Errorf("alice saw %q", r.Saw(alice))
		}
	})
}

func TestAnAddressForAnswersIsGoodForFiveWithinHalfAnHour(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		out := r.pressed()
		want := func(code string, status int, body string) {
			t.Helper()
			got, a := r.reply(out.ResponseURL, body)
			if e, _ := a["error"].(string); e != code || got != status {
				t.Errorf("got %d %v, want %d %q", got, a, status, code)
			}
		}
		for range 5 {
			want("", 200, `{"text":"x"}`)
		}
		want("used_url", 404, `{"text":"x"}`)
		out = r.pressed()
		time.Sleep(30 * time.Minute)
		want("", 200, `{"text":"x"}`)
		time.Sleep(time.Second)
		want("expired_url", 404, `{"text":"x"}`)
		out.ResponseURL += "x"
		want("no_such_url", 404, `{"text":"x"}`)
	})
}

func TestAnswersThatAreRefused(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		for body, want := range map[string]string{
			`{}`: "no_text", `[]`: "json_not_object", `{"text":"x","response_type":"shout"}`: "invalid_response_type",
			`{"text":"x","blocks":[{"type":"x"}]}`: "invalid_blocks",
		} {
			if _, a := r.reply(r.pressed().ResponseURL, body); a["error"] != want {
				t.Errorf("%s: got %v, want %q", body, a, want)
			}
		}
		u, _ := url.Parse(r.pressed().ResponseURL)
		if _, a := exchange(t, r.Server, u.Path, form, "text=x"); a["error"] != "invalid_post_type" {
			t.Errorf("a form: %v", a)
		}
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, u.Path, nil))
		if rec.Code != http.StatusNotFound {
			t.Errorf("reading it: %d", rec.Code)
		}
		for _, m := range r.Messages(requests) {
			if m.EphemeralTo != "" {
				t.Errorf("something was shown: %+v", m)
			}
		}
	})
}

func TestAnswersHaveFaultsAndAreLoggedWithoutTheirAddress(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		out := r.pressed()
		r.Faults().Add(fault.Fault{Method: slackapi.ResponseURL, Target: requests, Effect: fault.RateLimit, Times: 1})
		if status, _ := r.reply(out.ResponseURL, `{"text":"x"}`); status != http.StatusTooManyRequests {
			t.Errorf("status %d", status)
		}
		r.reply(out.ResponseURL, `{"text":"x"}`)
		if got := r.Calls(slackapi.ResponseURL); got != 2 {
			t.Errorf("counted %d", got)
		}
		log := r.Requests()
		last := log[len(log)-1]
		if last.Args["text"] != "x" || last.Target != requests || strings.Contains(last.Path, "sandbox") {
			t.Errorf("logged %+v", last)
		}
	})
}
