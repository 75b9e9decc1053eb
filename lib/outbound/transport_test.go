package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/sandbox/fault"
)

// answers serves one handler and gives a transport of its own with a client.
func answers(t *testing.T, h http.HandlerFunc) (url string, tr *outbound.Transport) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	tr = outbound.NewTransport(outbound.Options{})
	t.Cleanup(tr.CloseIdle)
	return srv.URL, tr
}

// call makes a call as a vendor's library does: it reads the whole answer of a
// success, and turns any other status into an error without reading on.
func call(ctx context.Context, tr *outbound.Transport, method, url, op, target string) *outbound.Error {
	ctx, c := outbound.Begin(ctx, op, target)
	return c.Fail(attempt(ctx, tr, method, url))
}

func attempt(ctx context.Context, tr *outbound.Transport, method, url string) error {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader("body"))
	if err != nil {
		return err
	}
	resp, err := tr.Client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	text, err := io.ReadAll(resp.Body)
	if err == nil && string(text) != "ok" {
		err = errors.New("the answer is not what was asked for")
	}
	return err
}

func respond(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("an answer"))
	}
}

// cut takes the request and closes the connection.
func cut(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// short promises more than it sends.
func short(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte("o"))
}

func TestEachFailureHasItsKind(t *testing.T) {
	inAnHour := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		kind   outbound.Kind
		status int
		after  time.Duration
	}{
		{"sent and cut off", cut, outbound.Unclear, 0, 0},
		{"an answer that is garbage", respond(200), outbound.Unclear, 200, 0},
		{"an answer that breaks off", short, outbound.Unclear, 200, 0},
		{"another success than expected", respond(204), outbound.Unclear, 204, 0},
		// Whatever its status: an answer that is not in the vendor's own shape is a
		// gateway's, and no verdict on the call.
		{"a redirect", respond(302, "Location", "/elsewhere"), outbound.Unclear, 302, 0},
		{"a bad request", respond(400), outbound.Unclear, 400, 0},
		{"not authenticated", respond(401), outbound.Unclear, 401, 0},
		{"not allowed", respond(403), outbound.Unclear, 403, 0},
		{"not found", respond(404), outbound.Unclear, 404, 0},
		{"too slow a request", respond(408), outbound.Unclear, 408, 0},
		{"too large", respond(413), outbound.Unclear, 413, 0},
		{"unprocessable", respond(422), outbound.Unclear, 422, 0},
		{"a failure there", respond(500), outbound.Unclear, 500, 0},
		{"a bad gateway", respond(502), outbound.Unclear, 502, 0},
		{"unavailable", respond(503), outbound.Unclear, 503, 0},
		{"unavailable for seconds", respond(503, "Retry-After", "7"), outbound.Wait, 503, 7 * time.Second},
		{"limited for seconds", respond(429, "Retry-After", "7"), outbound.Wait, 429, 7 * time.Second},
		{"limited for parts of a second", respond(429, "Retry-After", "0.25"), outbound.Wait, 429, 250 * time.Millisecond},
		{"limited for nobody knows how long", respond(429), outbound.Wait, 429, 5 * time.Second},
		{"limited for seconds, by the other header", respond(429, "ratelimit-reset", "7"), outbound.Wait, 429, 7 * time.Second},
		{"limited for no time", respond(429, "Retry-After", "0"), outbound.Wait, 429, 5 * time.Second},
		{"limited for a negative time", respond(429, "Retry-After", "-3"), outbound.Wait, 429, 5 * time.Second},
		{"limited for a word", respond(429, "Retry-After", "soon"), outbound.Wait, 429, 5 * time.Second},
		{"limited for no number", respond(429, "Retry-After", "NaN"), outbound.Wait, 429, 5 * time.Second},
		{"limited for a day", respond(429, "Retry-After", "86400"), outbound.Wait, 429, 15 * time.Minute},
		{"limited for ever", respond(429, "Retry-After", "Inf"), outbound.Wait, 429, 15 * time.Minute},
		{"limited until a time far away", respond(429, "Retry-After", inAnHour), outbound.Wait, 429, 15 * time.Minute},
		{"limited until a time that is over", respond(429, "Retry-After", "Thu, 01 Jan 2015 00:00:00 GMT"), outbound.Wait, 429, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, tr := answers(t, c.answer)
			err := call(t.Context(), tr, http.MethodPost, url, "test.call", "C1")
			if err == nil {
				t.Fatal("no error")
			}
			if err.Kind != c.kind || err.Status != c.status || err.After != c.after || err.Op != "test.call" {
				t.Errorf("got %+v, want %s, status %d, after %v", err, c.kind, c.status, c.after)
			}
		})
	}
}

func TestACallThatNeverLeftIsTriedAgain(t *testing.T) {
	const closed = "127.0.0.1:1" // a port that no other program is given by chance
	url, tr := answers(t, respond(200))
	for name, url := range map[string]string{"refused": "http://" + closed, "not HTTPS": strings.Replace(url, "http:", "https:", 1)} {
		if err := call(t.Context(), tr, http.MethodPost, url, "test.call", ""); err == nil || err.Kind != outbound.Retry || err.Status != 0 {
			t.Errorf("%s: got %+v, want %s", name, err, outbound.Retry)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := call(ctx, tr, http.MethodPost, url, "test.call", ""); err == nil || err.Kind != outbound.Retry || !errors.Is(err, context.Canceled) {
		t.Errorf("given up before: got %+v, want %s", err, outbound.Retry)
	}
}

func TestASuccessIsNoError(t *testing.T) {
	url, tr := answers(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	if err := call(t.Context(), tr, http.MethodPost, url, "test.call", ""); err != nil {
		t.Error(err)
	}
}

func TestTimeRunningOutIsSaidInWords(t *testing.T) {
	gone := make(chan struct{})
	ctx := fault.NewHourglass()
	url, tr := answers(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(ctx.Over) // now, and not before the call was made
		<-r.Context().Done()
		close(gone)
	})
	err := call(ctx, tr, http.MethodPost, url+"/?token=secret", "test.call", "")
	if err == nil || err.Kind != outbound.Unclear || err.Error() != "test.call: no answer in time" {
		t.Errorf("got %v", err)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("the cause is lost")
	}
	<-gone
}

func TestNoErrorShowsTheAddressOrASecret(t *testing.T) {
	const secret = "xoxb-do-not-show"
	url, tr := answers(t, cut)
	broken := "http://127.0.0.1:1/" + secret
	for name, err := range map[string]error{
		"cut off":       call(t.Context(), tr, http.MethodPost, url+"/"+secret+"?token="+secret, "test.call", ""),
		"refused":       call(t.Context(), tr, http.MethodPost, broken+"?token="+secret, "test.call", ""),
		"no address":    call(t.Context(), tr, http.MethodPost, "http://bad host/?token="+secret, "test.call", ""),
		"wrapped again": call(t.Context(), tr, http.MethodPost, "https://"+strings.TrimPrefix(url, "http://")+"/?token="+secret, "test.call", ""),
	} {
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "/?") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAHeaderThatCannotBeSentIsNotShown(t *testing.T) {
	url, tr := answers(t, respond(200))
	ctx, c := outbound.Begin(t.Context(), "test.call", "")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret\nsecret")
	resp, err := tr.Client().Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if e := c.Fail(err); e == nil || e.Kind != outbound.Retry || strings.Contains(e.Error(), "secret") {
		t.Errorf("got %v", e)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var paths []string
	url, tr := answers(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	if err := call(t.Context(), tr, http.MethodPost, url+"/here", "test.call", ""); err == nil || err.Status != http.StatusTemporaryRedirect {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(paths, []string{"/here"}) {
		t.Errorf("called %q", paths)
	}
}

func TestAnAnswerWithoutEndIsNotReadWhole(t *testing.T) {
	const bound = 8 << 20
	for extra, want := range map[int]string{0: "", 1: "the answer is larger than 8 MiB"} {
		url, tr := answers(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.CopyN(w, zeros{}, int64(bound+extra))
		})
		ctx, c := outbound.Begin(t.Context(), "test.call", "")
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if n != bound {
			t.Errorf("%d bytes beyond the bound: read %d", extra, n)
		}
		got := ""
		if err != nil {
			got = err.Error()
			if k := c.Fail(err).Kind; k != outbound.Unclear {
				t.Errorf("kind %s", k)
			}
		}
		if got != want {
			t.Errorf("%d bytes beyond the bound: %q, want %q", extra, got, want)
		}
		_ = resp.Body.Close()
	}
}

// zeros is an endless run of the digit zero.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// The vendors' libraries do not read the bodies of failures; the connection is
// used again all the same.
func TestAConnectionIsUsedAgainAfterAFailure(t *testing.T) {
	var mu sync.Mutex
	connections := map[string]bool{}
	url, tr := answers(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connections[r.RemoteAddr] = true
		mu.Unlock()
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.CopyN(w, zeros{}, 10_000)
	})
	for range 5 {
		if err := call(t.Context(), tr, http.MethodPost, url, "test.call", ""); err == nil || err.Status != 500 {
			t.Fatalf("got %v", err)
		}
	}
	if len(connections) != 1 {
		t.Errorf("%d connections for 5 calls", len(connections))
	}
}

func TestTheUserAgentIsSentAndTheRequestLeftAlone(t *testing.T) {
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.UserAgent()) }))
	defer srv.Close()
	tr := outbound.NewTransport(outbound.Options{UserAgent: "teleport-test/1"})
	defer tr.CloseIdle()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "library/2")
	resp, err := tr.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if !slices.Equal(got, []string{"teleport-test/1"}) || req.Header.Get("User-Agent") != "library/2" {
		t.Errorf("sent %q, the request now has %q", got, req.Header.Get("User-Agent"))
	}
}

// script is a base transport that answers without a network, so that time can
// be virtual: with 429 and the waiting time while one is set, else with 200.
type script struct {
	limit string // Retry-After
	calls []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls = append(s.calls, r.URL.Path)
	status, header := http.StatusOK, http.Header{}
	if s.limit != "" {
		status = http.StatusTooManyRequests
		header.Set("Retry-After", s.limit)
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: header, Body: io.NopCloser(strings.NewReader("ok")), Request: r}, nil
}

// observed notes what an Observer is told.
type observed []string

func (o *observed) Limited(op string, wait time.Duration) {
	*o = append(*o, fmt.Sprintf("limited %s %v", op, wait))
}

func TestALimitHoldsBackItsOpAndTargetUntilItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &script{limit: "30"}
		tr := outbound.NewTransport(outbound.Options{Base: base})
		post := func(op, target string) *outbound.Error {
			return call(t.Context(), tr, http.MethodPost, "http://service/"+op+"/"+target, op, target)
		}
		if err := post("post", "C1"); err == nil || err.After != 30*time.Second {
			t.Fatalf("got %v", err)
		}
		base.limit = ""
		for name, err := range map[string]*outbound.Error{
			"another target": post("post", "C2"), "another op": post("edit", "C1"), "no target": post("post", ""),
		} {
			if err != nil {
				t.Errorf("%s is held back: %v", name, err)
			}
		}
		before := len(base.calls)
		time.Sleep(20 * time.Second)
		err := post("post", "C1")
		if err == nil || err.Kind != outbound.Wait || err.After != 10*time.Second || err.Status != 0 {
			t.Errorf("too early: got %+v", err)
		}
		if want := "post: held back by the service's rate limit, to be tried again in 10s"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		if len(base.calls) != before {
			t.Error("the call that came too early was made")
		}
		time.Sleep(10 * time.Second)
		if err := post("post", "C1"); err != nil {
			t.Errorf("the limit is over: %v", err)
		}
	})
}

func TestALimitWithoutTargetHoldsBackTheWholeOp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &script{limit: "30"}
		tr := outbound.NewTransport(outbound.Options{Base: base})
		_ = call(t.Context(), tr, http.MethodPost, "http://service/", "lookup", "")
		base.limit = ""
		if err := call(t.Context(), tr, http.MethodPost, "http://service/", "lookup", "C1"); outbound.KindOf(asError(err)) != outbound.Wait {
			t.Errorf("a target of the op: %v", err)
		}
		if err := call(t.Context(), tr, http.MethodPost, "http://service/", "post", "C1"); err != nil {
			t.Errorf("another op: %v", err)
		}
	})
}

func TestHolds(t *testing.T) {
	const minute = time.Minute
	for name, c := range map[string]struct {
		hold func(*outbound.Transport)
		want map[string]time.Duration // op/target to the time that is left
	}{
		"everything":       {func(tr *outbound.Transport) { tr.HoldAll(minute) }, map[string]time.Duration{"a/1": minute, "b/": minute}},
		"an op":            {func(tr *outbound.Transport) { tr.Hold("a", "", minute) }, map[string]time.Duration{"a/1": minute, "a/": minute, "b/1": 0}},
		"a target":         {func(tr *outbound.Transport) { tr.Hold("a", "1", minute) }, map[string]time.Duration{"a/1": minute, "a/2": 0, "a/": 0}},
		"never for a day":  {func(tr *outbound.Transport) { tr.HoldAll(24 * time.Hour) }, map[string]time.Duration{"a/1": 15 * minute}},
		"the longer stays": {func(tr *outbound.Transport) { tr.HoldAll(minute); tr.HoldAll(time.Second) }, map[string]time.Duration{"a/1": minute}},
		"the longest of several": {func(tr *outbound.Transport) {
			tr.HoldAll(time.Second)
			tr.Hold("a", "", 2*minute)
			tr.Hold("a", "1", minute)
		}, map[string]time.Duration{"a/1": 2 * minute, "b/1": time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := outbound.NewTransport(outbound.Options{Base: &script{}})
				c.hold(tr)
				for place, want := range c.want {
					op, target, _ := strings.Cut(place, "/")
					if err := call(t.Context(), tr, http.MethodPost, "http://service/", op, target); outbound.AfterOf(asError(err)) != want {
						t.Errorf("%s: %v, want %v", place, err, want)
					}
				}
				time.Sleep(15 * time.Minute)
				for place := range c.want {
					op, target, _ := strings.Cut(place, "/")
					if err := call(t.Context(), tr, http.MethodPost, "http://service/", op, target); err != nil {
						t.Errorf("%s: still held back: %v", place, err)
					}
				}
			})
		})
	}
}

// asError keeps a nil pointer from becoming an error.
func asError(e *outbound.Error) error {
	if e == nil {
		return nil
	}
	return e
}

func TestTheObserverHearsOfEachWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told observed
		base := &script{}
		tr := outbound.NewTransport(outbound.Options{Base: base, Observer: &told})
		post := func() { _ = call(t.Context(), tr, http.MethodPost, "http://service/", "post", "C1") }
		post()
		base.limit = "30"
		post()
		time.Sleep(10 * time.Second)
		post()
		want := []string{"limited post 30s", "limited post 20s"}
		if !slices.Equal(told, want) {
			t.Errorf("got %q, want %q", told, want)
		}
	})
}

func TestACallWithoutANameIsNamedByItsPath(t *testing.T) {
	var told observed
	tr := outbound.NewTransport(outbound.Options{Base: &script{limit: "30"}, Observer: &told})
	_ = attempt(t.Context(), tr, http.MethodPost, "http://service/api/x?token=secret")
	if len(told) != 1 || told[0] != "limited POST /api/x 30s" {
		t.Errorf("got %q", told)
	}
}

func TestAWitnessSeesAnAnswerAndNothingLess(t *testing.T) {
	const closed = "http://127.0.0.1:1" // a port that no other program is given by chance
	url, tr := answers(t, respond(500))
	for address, want := range map[string]bool{closed: false, url: true} {
		ctx, answered := outbound.Witness(t.Context())
		if answered() {
			t.Error("an answer before the call")
		}
		_ = call(ctx, tr, http.MethodPost, address, "post", "")
		if answered() != want {
			t.Errorf("%s: answered is %v, want %v", address, answered(), want)
		}
	}
	ctx, answered := outbound.Witness(t.Context())
	outbound.Heard(t.Context())
	if answered() {
		t.Error("an answer to another call counts")
	}
	if outbound.Heard(ctx); !answered() {
		t.Error("an answer over another way does not count")
	}
}

func TestWhatAnErrorSaysOfTheService(t *testing.T) {
	for name, c := range map[string]struct {
		err                       error
		answered, heldBack, token bool
	}{
		"a success":                       {nil, true, false, false},
		"an error that nobody sorted":     {errors.New("x"), false, false, false},
		"no answer":                       {&outbound.Error{Kind: outbound.Unclear}, false, false, false},
		"a gateway's page":                {&outbound.Error{Kind: outbound.Unclear, Status: 502}, false, false, false},
		"a failure in the vendor's words": {&outbound.Error{Kind: outbound.Retry, Code: "internal_error"}, true, false, false},
		"a refusal":                       {&outbound.Error{Kind: outbound.Refused, Scope: outbound.ThePlace}, true, false, false},
		"a refusal of the token":          {&outbound.Error{Kind: outbound.Refused, Scope: outbound.TheToken}, true, false, true},
		"a message that is gone":          {&outbound.Error{Kind: outbound.Gone}, true, false, false},
		"a limit":                         {&outbound.Error{Kind: outbound.Wait, Status: 429}, true, false, false},
		"a limit that was known":          {&outbound.Error{Kind: outbound.Wait}, false, true, false},
		"a limit in the vendor's words":   {&outbound.Error{Kind: outbound.Wait, Code: "450 4.7.1"}, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := outbound.Answered(c.err); got != c.answered {
				t.Errorf("answered: %v", got)
			}
			if got := outbound.HeldBack(c.err); got != c.heldBack {
				t.Errorf("held back: %v", got)
			}
			if got := outbound.RefusesToken(c.err); got != c.token {
				t.Errorf("refuses the token: %v", got)
			}
		})
	}
}

func TestTheHeadOfAnAnswerIsKept(t *testing.T) {
	tr := outbound.NewTransport(outbound.Options{Base: &script{limit: "3"}})
	ctx, c := outbound.Begin(t.Context(), "post", "")
	if c.Status() != 0 || c.Header() == nil {
		t.Errorf("before the call: status %d, header %v", c.Status(), c.Header())
	}
	_ = attempt(ctx, tr, http.MethodPost, "http://service/")
	if c.Status() != 429 || c.Header().Get("Retry-After") != "3" {
		t.Errorf("after the call: status %d, header %v", c.Status(), c.Header())
	}
	if c.Fail(nil) != nil {
		t.Error("no error became one")
	}
}

func TestErrorsSaySomethingUseful(t *testing.T) {
	cause := errors.New("connection refused")
	for want, e := range map[string]*outbound.Error{
		"post: connection refused":                              {Kind: outbound.Retry, Op: "post", Err: cause},
		"post: not_in_channel; invite the app":                  {Kind: outbound.Refused, Op: "post", Code: "not_in_channel", Status: 200, Hint: "invite the app", Err: cause},
		"post: connection refused (HTTP status 502)":            {Kind: outbound.Unclear, Op: "post", Status: 502, Err: cause},
		"post: ratelimited, to be tried again in 1.5s":          {Kind: outbound.Wait, Op: "post", Code: "ratelimited", After: 1500 * time.Millisecond},
		"post (HTTP status 429), to be tried again in 1s; wait": {Kind: outbound.Wait, Op: "post", Status: 429, After: time.Second, Hint: "wait"},
		"post": {Op: "post"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	wrapped := fmt.Errorf("announcing: %w", &outbound.Error{Kind: outbound.Wait, After: time.Second, Err: cause})
	if outbound.KindOf(wrapped) != outbound.Wait || outbound.AfterOf(wrapped) != time.Second || !errors.Is(wrapped, cause) {
		t.Errorf("a wrapped error is sorted as %s, %v", outbound.KindOf(wrapped), outbound.AfterOf(wrapped))
	}
	if outbound.KindOf(cause) != outbound.Retry || outbound.AfterOf(cause) != 0 {
		t.Error("an error that nobody sorted is not simply tried again")
	}
	if len(outbound.Kinds()) != 6 {
		t.Errorf("kinds are %v", outbound.Kinds())
	}
}

func FuzzAnyRetryAfterGivesABoundedWait(f *testing.F) {
	for _, s := range []string{"1", "0", "-1", "1e9", "1e-9", "x", "Thu, 01 Jan 2099 00:00:00 GMT", "0x1p4", "Inf", "NaN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if strings.TrimSpace(header) == "" {
			header = "none"
		}
		tr := outbound.NewTransport(outbound.Options{Base: &script{limit: header}})
		err := call(t.Context(), tr, http.MethodPost, "http://service/", "post", "C1")
		if err == nil || err.Kind != outbound.Wait || err.After <= 0 || err.After > 15*time.Minute {
			t.Errorf("%q: got %+v", header, err)
		}
	})
}
