package email_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"teleport-plugins/access/email/farend"
	"teleport-plugins/lib/outbound"
	sim "teleport-plugins/lib/sandbox/farend"
)

func TestMailgunTakesTheSameMails(t *testing.T) {
	far := farend.NewMailgun(sim.Options{})
	if err := far.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	r := &rig{t, far, build(t, far.Config()).Service}
	m, err := r.tell(oncall, announce, pending())
	if err != nil || strings.ContainsAny(m.ID, "<>") || r.mails(oncall) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := r.tell(oncall, review, reviewed(pending()), m); err != nil {
		t.Fatal(err)
	}
	if all := far.Panel(0).Channels[0].Messages; all[1].Thread != m.ID {
		t.Errorf("the review is in the conversation %q", all[1].Thread)
	}
	if _, err := r.tell("nobody@example.com", announce, pending()); outbound.KindOf(err) != outbound.Refused || outbound.ScopeOf(err) != outbound.ThePlace {
		t.Errorf("a recipient who is not there: %v", err)
	}
	if err := r.service.Check(t.Context()); err != nil {
		t.Error(err)
	}
	far.RefuseToken(true)
	if err := r.service.Check(t.Context()); !outbound.RefusesToken(err) || !strings.Contains(err.Error(), "see mailgun.private_key") {
		t.Errorf("a refused key: %v", err)
	}
}

// tokenServer gives out access tokens.
type tokenServer struct {
	*httptest.Server
	far    *farend.Office
	asked  int
	status int
	answer string
}

func newTokenServer(t *testing.T) *tokenServer {
	t.Helper()
	s := &tokenServer{far: newRig(t, farend.Traits{Ways: []string{"XOAUTH2"}}, nil).far, status: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked++
		if r.FormValue("client_id") != "app" || r.FormValue("client_secret") != "hush-hush" || (r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "mail") && r.FormValue("refresh_token") != "again" {
			t.Errorf("asked with %v", r.Form)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.answer)
	}))
	t.Cleanup(s.Close)
	return s
}

// give has the server give out the token that the mail server takes.
func (s *tokenServer) give() {
	s.answer = `{"access_token":"` + s.far.Token() + `","token_type":"bearer","expires_in":3600}`
}

// rig is the service before both servers.
func (s *tokenServer) rig(t *testing.T, more section) *rig {
	t.Helper()
	oauth := sim.Join(section{"token_url": s.URL, "client_id": "app", "client_secret": "hush-hush", "scope": "mail"}, more)
	return &rig{t, s.far, build(t, sim.Join(s.far.Config(), section{"smtp": section{"auth": "xoauth2", "password": "", "oauth": oauth}})).Service}
}

// A mailbox is opened with an access token, which is fetched once until it has run out or
// is refused.
func TestAccessTokens(t *testing.T) {
	for name, more := range map[string]section{"of the application": nil, "of the mailbox": {"refresh_token": "again"}} {
		t.Run(name, func(t *testing.T) {
			s := newTokenServer(t)
			s.give()
			r := s.rig(t, more)
			for range 3 {
				if err := r.service.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if s.asked != 1 {
				t.Errorf("asked for %d tokens", s.asked)
			}
			s.far.RenewToken() // the old one is good no more
			if err := r.service.Check(t.Context()); !outbound.RefusesToken(err) {
				t.Errorf("with the old token: %v", err)
			}
			s.give()
			if err := r.service.Check(t.Context()); err != nil || s.asked != 2 {
				t.Errorf("with a new token: %v, asked for %d", err, s.asked)
			}
		})
	}
}

func TestRefusedAccessTokens(t *testing.T) {
	s := newTokenServer(t)
	for name, tc := range map[string]struct {
		status int
		answer string
		kind   outbound.Kind
	}{
		"the application is not known": {401, `{"error":"invalid_client","error_description":"hush-hush is wrong"}`, outbound.Refused},
		"there is no such tenant":      {400, `{"error":"invalid_request","error_description":"AADSTS90002: Tenant 'x' not found."}`, outbound.Refused},
		"there is no such scope":       {400, `{"error":"invalid_scope"}`, outbound.Refused},
		"asked too often":              {429, `{"error":"slow_down"}`, outbound.Wait},
		"an error without end":         {400, `{"error":"` + strings.Repeat("x\\n", 1000) + `"}`, outbound.Retry},
		"the mailbox is closed":        {400, `{"error":"invalid_grant"}`, outbound.Refused},
		"out of order":                 {503, `{"error":"temporarily_unavailable"}`, outbound.Retry},
		"a gateway":                    {502, "<html>", outbound.Retry},
		"nothing":                      {200, "{}", outbound.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			s.status, s.answer = tc.status, tc.answer
			_, err := s.rig(t, nil).tell(oncall, announce, pending())
			if err == nil || outbound.KindOf(err) != tc.kind || outbound.RefusesToken(err) != (tc.kind == outbound.Refused) || strings.Contains(err.Error(), "hush-hush") || len(err.Error()) > 500 {
				t.Errorf("got %v, of the kind %q", err, outbound.KindOf(err))
			}
		})
	}
}
