package slackapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"teleport-plugins/access/slack/slackapi"
)

func TestEventsCanBeSentByHTTP(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		acked  bool
		body   string
	}{
		"acknowledged": {func(http.ResponseWriter, *http.Request) {}, true, ""},
		"answered":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(` {"a":1} `)) }, true, `{"a":1}`},
		"failed":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, false, ""},
		"sent on":      {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, false, ""},
		"late":         {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, false, ""},
		"cut":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			opts := slackapi.Options{}
			if name == "late" {
				opts.AckLimit = time.Second
			}
			w := start(t, opts)
			_, ts := w.offer(t, requests)
			signed := make(chan error, 1)
			app := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
				signed <- verified(r)
				tc.answer(out, r)
			}))
			t.Cleanup(app.Close)
			w.SendTo(app.URL, "shh")
			out, err := w.Press(t.Context(), approve(ts))
			if err != nil || out.Acked != tc.acked || string(out.Answer) != tc.body {
				t.Errorf("%+v, %v", out, err)
			}
			if err := <-signed; err != nil {
				t.Errorf("the call is not as Slack makes it: %v", err)
			}
			if saw := w.Saw(alice); slices.Contains(saw, slackapi.PressFailed) == tc.acked {
				t.Errorf("alice saw %q", saw)
			}
			w.SendTo("", "")
			if out, err := w.Press(t.Context(), approve(ts)); err != nil || out.Acked {
				t.Errorf("afterwards: %+v, %v", out, err)
			}
		})
	}
}

// verified checks a call as the client library does.
func verified(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	v, err := slack.NewSecretsVerifier(r.Header, "shh")
	if err != nil {
		return err
	}
	if _, err := v.Write(body); err != nil {
		return err
	}
	if err := v.Ensure(); err != nil {
		return err
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return err
	}
	_, err = slack.InteractionCallbackParse(&http.Request{Form: values, PostForm: values, Method: http.MethodPost})
	return err
}

func TestASignatureDependsOnAllThatIsSigned(t *testing.T) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	seen := map[string]bool{}
	for _, s := range []string{slackapi.Sign("a", now, []byte("x")), slackapi.Sign("b", now, []byte("x")), slackapi.Sign("a", now+"1", []byte("x")), slackapi.Sign("a", now, []byte("y"))} {
		seen[s] = true
	}
	if len(seen) != 4 {
		t.Errorf("got %v", seen)
	}
}
