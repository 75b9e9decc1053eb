package mail

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

// gateway is what stands before Mailgun: it answers as it is told to, or breaks off.
type gateway struct {
	mu            sync.Mutex
	sends, checks int // the status of answers to mails and to checks, zero for none
	sent          int
}

// asked is how it answers, and counts the mails.
func (g *gateway) asked(path string) (status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if strings.HasSuffix(path, sendMail) {
		g.sent++
		return g.sends
	}
	return g.checks
}

// count is how many mails there were.
func (g *gateway) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sent
}

// heal has it answer as Mailgun does when all is well.
func (g *gateway) heal() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sends, g.checks = http.StatusOK, http.StatusBadRequest
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := g.asked(r.URL.Path)
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(map[int]string{http.StatusOK: `{"id":"<1@example.com>"}`, http.StatusBadRequest: `{"message":"'from' parameter is missing"}`}[status]))
}

// post is one before the gateway, and the gateway.
func (g *gateway) post(t *testing.T) *Post {
	t.Helper()
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return opened(t, Settings{Mailgun: Mailgun{Domain: "mg.example.com", PrivateKey: config.NewSecret("key-1"), APIBase: server.URL}})
}

// However long an outage lasts, a mail does not count as sent for it: it is sent again
// until it is taken. Only one that is left without a word by a service that is well
// counts as sent in the end.
func TestNoMailIsLostInAnOutage(t *testing.T) {
	for name, tc := range map[string]struct {
		during *gateway
		lost   bool
	}{
		"a gateway that finds nothing behind it":    {during: &gateway{sends: 502, checks: 502}},
		"a gateway that takes checks alone":         {during: &gateway{sends: 503, checks: 400}},
		"a firewall that dislikes the text":         {during: &gateway{sends: 403, checks: 400}},
		"a redirect":                                {during: &gateway{sends: 301, checks: 301}},
		"a page that wants a login":                 {during: &gateway{sends: 204, checks: 204}},
		"broken connections":                        {during: &gateway{}},
		"broken connections, with a gateway before": {during: &gateway{sends: 504, checks: 502}},
		"no word, from a service that is well":      {during: &gateway{checks: 400}, lost: true},
		"no word in time, from one that is well":    {during: &gateway{sends: 504, checks: 400}, lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			g := tc.during
			p := g.post(t)
			var err error
			for range 10 * len(pauses) {
				if _, err = p.Send(t.Context(), letter); err == nil {
					break
				}
			}
			if (err == nil) != tc.lost || tc.lost && g.count() != len(pauses) {
				t.Fatalf("after %d attempts: %v", g.count(), err)
			}
			g.heal()
			before := g.count()
			if _, err := p.Send(t.Context(), letter); err != nil || (g.count() == before) != tc.lost {
				t.Errorf("after the outage: %v, %d attempts", err, g.count()-before)
			}
			if outbound.KindOf(err) == outbound.Unclear && outbound.AfterOf(err) != pauses[len(pauses)-1] {
				t.Errorf("the pause was %v in the end", outbound.AfterOf(err))
			}
		})
	}
}

// The id that Mailgun gives is taken, if it can be one; the mail has its own in any case.
func TestMailgunsIDs(t *testing.T) {
	for answer, want := range map[string]string{
		`{"id":"<20260302.1@mg.example.com>","message":"Queued. Thank you."}`: "20260302.1@mg.example.com",
		`{"id":"20260302.1@mg.example.com"}`:                                  "20260302.1@mg.example.com",
		`{"id":"4711","message":"ok"}`:                                        letter.ID,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		p := opened(t, Settings{Mailgun: Mailgun{Domain: "mg.example.com", PrivateKey: config.NewSecret("key-1"), APIBase: server.URL}})
		if id, err := p.Send(t.Context(), letter); err != nil || id != want {
			t.Errorf("%s gave %q, %v", answer, id, err)
		}
		server.Close()
	}
}
