package webhook

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/endpoint"
)

// secrets reads secrets as they stand in a config.
func secrets(t *testing.T, raw any) (s config.SigningSecrets) {
	t.Helper()
	if err := s.UnmarshalTOML(raw); err != nil {
		t.Fatal(err)
	}
	return s
}

// The example of the standard's own specification.
func TestThePublishedVector(t *testing.T) {
	h := make(http.Header)
	err := sign(secrets(t, secret), h, endpoint.Document{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", Body: []byte(`{"test": 2432232314}`)}, time.Unix(1614265330, 0))
	if got := h.Get("webhook-signature"); err != nil || got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" || h.Get("webhook-timestamp") != "1614265330" {
		t.Errorf("got %v, %v", h, err)
	}
}

// While a secret is replaced, whoever has either of the two takes the call.
func TestEachSecretSigns(t *testing.T) {
	next := "whsec_" + strings.Repeat("QUJD", 12)
	h, d := make(http.Header), endpoint.Document{ID: "evt_1", Body: []byte(`{}`)}
	if err := sign(secrets(t, []any{secret, "", next}), h, d, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, one := range []string{secret, next} {
		witness, _ := standard.NewWebhook(one)
		if err := witness.Verify(d.Body, h); err != nil {
			t.Errorf("the signature by %s: %v", one[:10], err)
		}
	}
	none := make(http.Header)
	if err := sign(secrets(t, ""), none, d, time.Now()); err != nil || none.Get(standard.HeaderWebhookSignature) != "" || none.Get("webhook-id") != "evt_1" {
		t.Errorf("without a secret: %v, %v", none, err)
	}
}

// A file in which a secret is no good any more signs nothing.
func TestASecretThatIsNoGoodAnyMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := sign(secrets(t, path), make(http.Header), endpoint.Document{}, time.Now())
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	if err := sign(secrets(t, "/nowhere/secret"), make(http.Header), endpoint.Document{}, time.Now()); err == nil {
		t.Error("a secret that cannot be read signs")
	}
}
