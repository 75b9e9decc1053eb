package discord

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/sandbox/fault"
)

func TestEachCodeSaysWhatCanBeDoneAndHowFarItReaches(t *testing.T) {
	type want struct {
		kind  outbound.Kind
		scope outbound.Scope
	}
	wait, retry, once := want{kind: outbound.Wait}, want{kind: outbound.Retry}, want{kind: outbound.Refused}
	place, token := want{outbound.Refused, outbound.ThePlace}, want{outbound.Refused, outbound.TheToken}
	for code, want := range map[int]want{
		20016: wait, 20028: wait, 20029: wait, 30046: wait, 40062: wait, 40004: retry, 110000: retry, 130000: retry, 40333: retry,
		40001: token, 50014: token, 10003: place, 10004: place, 10013: place, 50001: place, 50007: place, 50008: place,
		50278: place, 50013: place, 50024: place, 50083: place, 160005: place, 50033: place,
		50035: once, 50006: once, 200000: once, 987654: once, 10008: {kind: outbound.Gone}, 50005: {kind: outbound.Fixed},
	} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			b := newBench(t, discordapi.Options{})
			m := b.mustPost(t, sample())
			b.discord.Faults().Add(fault.Fault{Effect: fault.Refuse, Code: strconv.Itoa(code)})
			err := b.Show(t.Context(), m, sample())
			wantKind(t, err, want.kind)
			var e *outbound.Error
			if !errors.As(err, &e) || e.Scope != want.scope {
				t.Errorf("scope %d, want %d: %v", e.Scope, want.scope, err)
			}
			if want == wait && e.After <= 0 {
				t.Errorf("no waiting time in %v", err)
			}
			if (want == place || want == token) && e.Hint == "" {
				t.Errorf("no hint in %v", err)
			}
		})
	}
}

// answering is the integration beside something that gives every call one answer.
func answering(t *testing.T, status int, body string) bench {
	t.Helper()
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	b := newBench(t, discordapi.Options{}, func(c *Config) { c.Discord.APIURL = far.URL + "/api/" })
	t.Cleanup(func() {
		b.transport.CloseIdle()
		far.Close()
	})
	return b
}

// Only Discord's own form is its verdict. Everything else is answered in its place,
// and heals.
func TestAnAnswerThatIsNotDiscordsIsNoVerdict(t *testing.T) {
	bodies := []string{
		"", "<html><h1>Blocked</h1></html>", `{"message":"Forbidden"}`, `{"message":"404: Not Found","code":0}`, `{"code":"50001"}`,
		`{"message":"Unauthorized"}`, `{"error":{"code":10003}}`, "null", "[]", `"50001"`, `{"message":"nothing","code":-1}`,
	}
	for _, status := range []int{200, 201, 302, 400, 401, 403, 404, 405, 407, 410, 413, 426, 451, 500, 502, 504} {
		for _, body := range bodies {
			b := answering(t, status, body)
			b.self = "1"
			m := plugindata.Message{Channel: requests, ID: "1"}
			v := reviewed(sample(), approval("bob", ""))
			_, post := b.post(t, requests, v)
			_, dm := b.Resolve(t.Context(), "user:"+discordapi.AliceID)
			_, named := b.Resolve(t.Context(), "Sandbox/security")
			_, found := b.Find(t.Context(), integration.Place{Address: security}, announce, v)
			for what, c := range map[string]struct {
				err  error
				want outbound.Kind
			}{
				"post": {post, outbound.Unclear}, "show": {b.Show(t.Context(), m, v), outbound.Unclear},
				"review": {b.reply(t, m, v, 0), outbound.Retry}, "dm": {dm, outbound.Retry}, "name": {named, outbound.Retry},
				"find": {found, outbound.Retry}, "check": {b.Check(t.Context()), outbound.Retry},
			} {
				if (what == "name" || what == "find") && status < 300 && body == "[]" {
					continue // this is an answer
				}
				if c.err == nil || outbound.KindOf(c.err) != c.want || outbound.Answered(c.err) {
					t.Errorf("%d %q: %s: got %v of kind %s, want %s", status, body, what, c.err, outbound.KindOf(c.err), c.want)
				}
			}
		}
	}
}

func TestOnlyDiscordRefusesTheToken(t *testing.T) {
	for body, want := range map[string]bool{
		`{"message":"401: Unauthorized","code":0}`: true, `{"message":"Invalid authentication token provided","code":50014}`: true,
		`{"message":"Unauthorized"}`: false, `{"message":"No API key found in request"}`: false, "": false, "<html>": false,
	} {
		b := answering(t, 401, body)
		if err := b.Check(t.Context()); outbound.RefusesToken(err) != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestACodeThatIsNotKnownIsARefusalUnlessTheServerFailed(t *testing.T) {
	for status, want := range map[int]outbound.Kind{400: outbound.Refused, 403: outbound.Refused, 500: outbound.Unclear, 503: outbound.Unclear} {
		b := answering(t, status, `{"message":"Something new","code":123456}`)
		_, err := b.post(t, requests, sample())
		wantKind(t, err, want)
		contains(t, fmt.Sprint(err), "123456 Something new")
	}
}

func TestEachFaultOfTheLineSaysWhatCanBeDone(t *testing.T) {
	for name, c := range map[string]struct {
		fault fault.Fault
		want  outbound.Kind
	}{
		"502":           {fault.Fault{Effect: fault.Status, HTTPStatus: 502}, outbound.Unclear},
		"401":           {fault.Fault{Effect: fault.Refuse, Code: "0"}, outbound.Refused},
		"429":           {fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 2000}, outbound.Wait},
		"429 by others": {fault.Fault{Effect: fault.Status, HTTPStatus: 429}, outbound.Wait},
		"cut":           {fault.Fault{Effect: fault.Cut}, outbound.Unclear},
		"not answered":  {fault.Fault{Effect: fault.DoneNotAnswered}, outbound.Unclear},
		"garbage":       {fault.Fault{Effect: fault.Garbage}, outbound.Unclear},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, discordapi.Options{})
			b.discord.Faults().Add(c.fault)
			_, err := b.post(t, requests, sample())
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
		_, err := b.post(t, requests, sample())
		wantKind(t, err, outbound.Wait)
	}
	if _, err := b.post(t, security, sample()); err != nil || b.discord.Calls(createMessage) != 2 {
		t.Errorf("%v after %d calls", err, b.discord.Calls(createMessage))
	}
}

func TestAGlobalRateLimitHoldsForEveryCall(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.discord.Faults().Add(fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 60_000, Code: "global"})
	_, err := b.post(t, requests, sample())
	wantKind(t, err, outbound.Wait)
	_, err = b.post(t, security, sample())
	wantKind(t, err, outbound.Wait)
	if n := b.discord.Calls(createMessage); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

func TestABurstNeverRunsIntoALimitThatWasTold(t *testing.T) {
	limits := discordapi.DefaultLimits()
	limits.Window = 30 * time.Minute
	b := newBench(t, discordapi.Options{Limits: limits})
	b.mustPost(t, sample())
	var posts sync.WaitGroup
	for i := range 20 {
		posts.Go(func() {
			v := sample()
			v.ID = strconv.Itoa(i)
			_, err := b.post(t, requests, v)
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

// The library reaches into each of the answers that one of its calls is made of.
func TestANullAmongAnswersEndsNothing(t *testing.T) {
	for _, null := range []string{"/channels/", "/guilds/", "/members/"} {
		far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch path := strings.TrimPrefix(r.URL.Path, "/api/v10"); {
			case strings.Contains(path, null) && (null != "/guilds/" || !strings.Contains(path, "/members/")):
				_, _ = w.Write([]byte("null\n"))
			case strings.Contains(path, "/members/"):
				_, _ = w.Write([]byte(`{"user":{"id":"1"},"roles":[]}`))
			case strings.HasPrefix(path, "/channels/"):
				_, _ = w.Write([]byte(`{"id":"5","guild_id":"7","type":0}`))
			default:
				_, _ = w.Write([]byte(`{"id":"7","owner_id":"2","roles":[]}`))
			}
		}))
		b := newBench(t, discordapi.Options{}, func(c *Config) { c.Discord.APIURL = far.URL + "/api/" })
		b.self = "1"
		_, _, err := b.permissions(t.Context(), security)
		if outbound.KindOf(err) != outbound.Retry || !errors.Is(err, errNotDiscords) {
			t.Errorf("null of %s: %v of kind %s", null, err, outbound.KindOf(err))
		}
		b.transport.CloseIdle()
		far.Close()
	}
}
