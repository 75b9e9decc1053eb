package discord

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/sandbox/discordapi"
	"teleport-plugins/lib/sandbox/fault"
)

func TestEachCodeSaysWhatCanBeDone(t *testing.T) {
	for code, want := range map[int]outbound.Kind{
		20016: outbound.Wait, 20028: outbound.Wait, 20029: outbound.Wait, 30046: outbound.Wait, 40062: outbound.Wait,
		40004: outbound.Retry, 110000: outbound.Retry, 130000: outbound.Retry,
		40001: outbound.Credentials, 50014: outbound.Credentials, 40333: outbound.Credentials,
		10003: outbound.Permanent, 10004: outbound.Permanent, 10013: outbound.Permanent, 50001: outbound.Permanent, 50007: outbound.Permanent,
		50278: outbound.Permanent, 50013: outbound.Permanent, 50024: outbound.Permanent, 50083: outbound.Permanent, 50005: outbound.Permanent,
		50035: outbound.Permanent, 200000: outbound.Permanent, 987654: outbound.Permanent, 10008: outbound.Gone,
	} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			b := newBench(t, discordapi.Options{})
			b.discord.Faults().Add(fault.Fault{Effect: fault.Refuse, Code: strconv.Itoa(code)})
			_, err := b.Post(t.Context(), requests, request())
			wantKind(t, err, want)
			if want == outbound.Wait && outbound.AfterOf(err) <= 0 {
				t.Errorf("no waiting time in %v", err)
			}
		})
	}
}

func TestEachFaultOfTheLineSaysWhatCanBeDone(t *testing.T) {
	for name, c := range map[string]struct {
		fault fault.Fault
		want  outbound.Kind
	}{
		"502":           {fault.Fault{Effect: fault.Status, HTTPStatus: 502}, outbound.Unclear},
		"500":           {fault.Fault{Effect: fault.Status, HTTPStatus: 500}, outbound.Unclear},
		"403 by others": {fault.Fault{Effect: fault.Status, HTTPStatus: 403}, outbound.Credentials},
		"401":           {fault.Fault{Effect: fault.Refuse, Code: "0"}, outbound.Credentials},
		"429":           {fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 2000}, outbound.Wait},
		"429 by others": {fault.Fault{Effect: fault.Status, HTTPStatus: 429}, outbound.Wait},
		"cut":           {fault.Fault{Effect: fault.Cut}, outbound.Unclear},
		"not answered":  {fault.Fault{Effect: fault.DoneNotAnswered}, outbound.Unclear},
		"garbage":       {fault.Fault{Effect: fault.Garbage}, outbound.Unclear},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, discordapi.Options{})
			b.discord.Faults().Add(c.fault)
			_, err := b.Post(t.Context(), requests, request())
			wantKind(t, err, c.want)
			if n := b.discord.Calls(createMessage); n != 1 {
				t.Errorf("%d calls, want 1", n)
			}
		})
	}
}

func TestARateLimitHoldsForItsChannelAlone(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.discord.Faults().Add(fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 60_000, Target: requests})
	for range 3 {
		_, err := b.Post(t.Context(), requests, request())
		wantKind(t, err, outbound.Wait)
	}
	if _, err := b.Post(t.Context(), security, request()); err != nil || b.discord.Calls(createMessage) != 2 {
		t.Errorf("%v after %d calls", err, b.discord.Calls(createMessage))
	}
}

func TestAGlobalRateLimitHoldsForEveryCall(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.discord.Faults().Add(fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 60_000, Code: "global"})
	_, err := b.Post(t.Context(), requests, request())
	wantKind(t, err, outbound.Wait)
	_, err = b.Post(t.Context(), security, request())
	wantKind(t, err, outbound.Wait)
	if n := b.discord.Calls(createMessage); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

func TestABurstNeverRunsIntoALimitThatWasTold(t *testing.T) {
	limits := discordapi.DefaultLimits()
	limits.Window = 30 * time.Minute
	b := newBench(t, discordapi.Options{Limits: limits})
	b.mustPost(t, request())
	var posts sync.WaitGroup
	for i := range 20 {
		posts.Go(func() {
			v := request()
			v.ID = strconv.Itoa(i)
			_, err := b.Post(t.Context(), requests, v)
			if err != nil {
				wantKind(t, err, outbound.Wait)
			}
		})
	}
	posts.Wait()
	if n := len(b.discord.Messages(requests)); n != limits.PerRoute {
		t.Errorf("%d messages, want %d", n, limits.PerRoute)
	}
	if n := b.discord.Calls(createMessage); n != limits.PerRoute {
		t.Errorf("%d calls, want %d: too many refusals have an address banned", n, limits.PerRoute)
	}
}

func TestBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buckets
		tell := func(remaining, after string) {
			b.learn("op", "1", http.Header{"X-Ratelimit-Limit": {"3"}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset-After": {after}}, time.Now())
		}
		wait := func(target string, want time.Duration) {
			t.Helper()
			if got := b.take("op", target, time.Now()); got != want {
				t.Errorf("waits %v, want %v", got, want)
			}
		}
		wait("1", 0) // nothing is known
		tell("nonsense", "5")
		tell("1", "NaN")
		wait("1", 0)
		tell("1", "5")
		wait("1", 0)
		wait("1", 5*time.Second)
		wait("2", 0) // another channel
		tell("2", "5")
		wait("1", 5*time.Second) // an answer to an earlier call
		time.Sleep(5 * time.Second)
		for range 3 { // a new window
			wait("1", 0)
		}
		wait("1", 5*time.Second)
	})
}

func TestBucketsThatAreOverAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b buckets
		h := http.Header{"X-Ratelimit-Limit": {"3"}, "X-Ratelimit-Remaining": {"1"}, "X-Ratelimit-Reset-After": {"5"}}
		for i := range 10 * manyBuckets {
			b.learn("op", strconv.Itoa(i), h, time.Now())
			time.Sleep(10 * time.Millisecond)
		}
		if n := len(b.all); n > manyBuckets {
			t.Errorf("%d are kept", n)
		}
	})
}

func TestAnAddressWithoutVersionGetsOne(t *testing.T) {
	for base, want := range map[string]string{
		"https://discord.com/api/":     "https://discord.com/api/v10/",
		"https://discord.com/api/v9/":  "https://discord.com/api/v9/",
		"https://proxy.example/place/": "https://proxy.example/place/",
	} {
		c := newClient(Section{APIURL: base}, outbound.NewTransport(outbound.Options{}))
		if got := c.http.Transport.(rebase).base; got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}
