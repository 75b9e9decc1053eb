package slack

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/request"
)

// echo answers every call as Slack answers a post: with the whole message.
func echo(b *testing.B) roundTrip {
	server := slackapi.New(slackapi.Options{})
	w := httptest.NewRecorder()
	c := announcement(sample(manyRoles(10)))
	form := url.Values{"channel": {general}, "text": {c.text}, "blocks": {written(c.blocks)}}
	r := httptest.NewRequest(http.MethodPost, "/api/chat.postMessage", strings.NewReader(form.Encode()))
	r.Header.Set("Authorization", "Bearer "+server.Token())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	server.ServeHTTP(w, r)
	answer := w.Body.String()
	if !strings.Contains(answer, `"blocks"`) {
		b.Fatal(answer)
	}
	return func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader(answer)), ContentLength: int64(len(answer)),
		}, nil
	}
}

// One request that goes to three channels.
func BenchmarkAnnounceInThreeChannels(b *testing.B) {
	s, _ := build(b, "http://slack.test/api/", echo(b))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		v := sample(manyRoles(10), func(v *request.View) { v.ID += strconv.Itoa(n) })
		for _, channel := range []string{general, other, "C0123ABCDEF"} {
			if _, err := announceAt(b.Context(), s, channel, v); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// The same at an edit.
func BenchmarkShowInThreeChannels(b *testing.B) {
	s, _ := build(b, "http://slack.test/api/", echo(b))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		v := sample(manyRoles(10), reviewed("fine", request.Approved), func(v *request.View) { v.ID += strconv.Itoa(n) })
		for range 3 {
			if err := s.Show(b.Context(), anyMessage, v); err != nil {
				b.Fatal(err)
			}
		}
	}
}
