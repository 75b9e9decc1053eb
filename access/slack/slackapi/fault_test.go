package slackapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slack-go/slack"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

func TestFaultsThatAnswerInsteadOfTheWork(t *testing.T) {
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	for name, tc := range map[string]struct {
		fault fault.Fault
		seen  func(error) bool
	}{
		"rate limit": {
			fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 1500},
			func(err error) bool { return errors.As(err, &limited) && limited.RetryAfter == 2*time.Second },
		},
		"rate limit that does not say for how long": {
			fault.Fault{Effect: fault.RateLimit},
			func(err error) bool { return errors.As(err, &status) && status.Code == http.StatusTooManyRequests },
		},
		"status": {
			fault.Fault{Effect: fault.Status, HTTPStatus: http.StatusBadGateway},
			func(err error) bool { return errors.As(err, &status) && status.Code == http.StatusBadGateway },
		},
		"refuse":  {fault.Fault{Effect: fault.Refuse, Code: "fatal_error"}, func(err error) bool { return code(err) == "fatal_error" }},
		"cut":     {fault.Fault{Effect: fault.Cut}, func(err error) bool { return err != nil && !errors.As(err, &status) }},
		"garbage": {fault.Fault{Effect: fault.Garbage}, func(err error) bool { return err != nil && !errors.As(err, &status) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, slackapi.Options{})
			tc.fault.Method, tc.fault.Times = "chat.postMessage", 1
			w.Faults().Add(tc.fault)
			_, _, err := w.client.PostMessageContext(t.Context(), requests, text("x"))
			if !tc.seen(err) {
				t.Errorf("got %v", err)
			}
			if got := w.Messages(requests); len(got) != 0 {
				t.Errorf("posted all the same: %+v", got)
			}
			w.post(t, requests, text("x"))
			if w.Calls("chat.postMessage") != 2 {
				t.Errorf("counted %d calls, want 2", w.Calls("chat.postMessage"))
			}
		})
	}
}

func TestAPostCanBeDoneAndNotAnswered(t *testing.T) {
	w := start(t, slackapi.Options{})
	w.Faults().Add(fault.Fault{Effect: fault.DoneNotAnswered, Times: 1})
	if _, _, err := w.client.PostMessageContext(t.Context(), requests, text("x")); err == nil {
		t.Error("there was an answer")
	}
	if got := w.Messages(requests); len(got) != 1 {
		t.Errorf("posted %+v, want one message", got)
	}
}

func TestAHangingCallEndsWithItsCaller(t *testing.T) {
	w := start(t, slackapi.Options{})
	w.Faults().Add(fault.Fault{Effect: fault.Hang})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, _, err := w.client.PostMessageContext(ctx, requests, text("x"))
		done <- err
	}()
	if err := w.Wait(t.Context(), func() bool { return w.Calls("chat.postMessage") == 1 }); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestClosingEndsAHangingCall(t *testing.T) {
	w := start(t, slackapi.Options{})
	w.Faults().Add(fault.Fault{Effect: fault.Hang})
	done := make(chan error, 1)
	go func() {
		_, _, err := w.client.PostMessageContext(t.Context(), requests, text("x"))
		done <- err
	}()
	if err := w.Wait(t.Context(), func() bool { return w.Calls("chat.postMessage") == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("the call was answered")
	}
}

func TestAfterAnOutageTheServerIsBackAtItsAddress(t *testing.T) {
	w := start(t, slackapi.Options{})
	w.post(t, requests, text("before"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.client.PostMessageContext(t.Context(), requests, text("during")); err == nil {
		t.Error("a closed server answered")
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	w.post(t, requests, text("after"))
	if got := w.Messages(requests); len(got) != 2 || got[1].Text != "after" {
		t.Errorf("kept %+v", got)
	}
}

func TestAFaultHitsOnlyItsMethodAndTarget(t *testing.T) {
	for name, tc := range map[string]struct {
		target string
		hit    string
		spared string
	}{
		"a channel's ID hits its name too":   {requests, "#access-requests", "security"},
		"a name hits when it was sent":       {"#security", "#security", requests},
		"a conversation's ID hits the user":  {"dm", alice, bob},
		"a user hits where none is open yet": {bob, bob, alice},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, slackapi.Options{})
			if tc.target == "dm" {
				tc.target = w.OpenDM(alice)
			}
			w.Faults().Add(fault.Fault{Method: "chat.postMessage", Target: tc.target, Effect: fault.Refuse, Code: "internal_error"})
			_, _, err := w.client.PostMessageContext(t.Context(), tc.hit, text("x"))
			wantCode(t, err, "internal_error")
			w.post(t, tc.spared, text("x"))
			if _, err := w.client.AuthTestContext(t.Context()); err != nil {
				t.Errorf("another method was hit: %v", err)
			}
		})
	}
}

func TestLatencyAndSlownessPassBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slackapi.New(slackapi.Options{Options: apiserver.Options{Latency: 30 * time.Millisecond}})
		s.Faults().Add(fault.Fault{Method: "team.info", Effect: fault.Slow, DelayMS: 500})
		took := func(method string) time.Duration {
			start := time.Now()
			if a, _ := send(t, s, "POST", method, "", "", bearer...); !a.OK {
				t.Errorf("%s: %+v", method, a)
			}
			return time.Since(start)
		}
		if got := took("auth.test"); got != 30*time.Millisecond {
			t.Errorf("a call took %v", got)
		}
		if got := took("team.info"); got != 530*time.Millisecond {
			t.Errorf("a slow call took %v", got)
		}
		s.SetLatency(0)
		if got := took("auth.test"); got != 0 {
			t.Errorf("without latency a call took %v", got)
		}
	})
}

func TestACallerWhoLeavesDuringTheLatencyGetsNoWorkDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slackapi.New(slackapi.Options{Options: apiserver.Options{Latency: time.Hour}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, "GET", "/api/chat.postMessage?text=x&channel="+requests, nil)
		r.Header.Set(bearer[0], bearer[1])
		s.ServeHTTP(httptest.NewRecorder(), r)
		if got := s.Messages(requests); len(got) != 0 {
			t.Errorf("posted %+v", got)
		}
	})
}
