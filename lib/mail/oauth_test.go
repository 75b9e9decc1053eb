package mail

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

// Why there is no access token names what is at fault: the address of the server, or the
// file of a secret.
func TestWhatIsAtFaultForATokenIsNamed(t *testing.T) {
	const look = "; see token_url in [smtp.oauth]"
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "https://login.example.com/", http.StatusTemporaryRedirect)
			return
		}
		_, _ = w.Write([]byte("<html>log in first"))
	}))
	defer page.Close()
	nowhere := filepath.Join(t.TempDir(), "secret")
	for name, tc := range map[string]struct {
		url, secret, says string
		look              bool
	}{
		"nobody there":          {"http://127.0.0.1:1/token", "hush-hush", "nothing listens at 127.0.0.1:1", true},
		"a page":                {page.URL, "hush-hush", "get an access token", true},
		"another place":         {page.URL + "/moved", "hush-hush", "HTTP status 307", true},
		"a secret that is gone": {page.URL, nowhere, "reading the client secret", false},
	} {
		a := &awkward{says: script{"EHLO": {"250-mail\r\n250 AUTH XOAUTH2"}}}
		err := a.sends(t, letter, func(s *SMTP) {
			s.Username, s.Auth, s.OAuth = "u", authXOAuth2, OAuth{TokenURL: tc.url, ClientID: "x", ClientSecret: config.NewSecret(tc.secret)}
		})
		if outbound.KindOf(err) != outbound.Retry || !strings.Contains(err.Error(), tc.says) || strings.HasSuffix(err.Error(), look) != tc.look || strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
