package slack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"teleport-plugins/lib/config"
)

// A certificate that is renewed is used from the next connection on, and one that
// cannot be read ends nothing.
func TestACertificateThatIsRenewedIsUsed(t *testing.T) {
	address, dir := freeAddress(t), t.TempDir()
	first := issue(t, dir)
	l := listen(t, func(c *Config) {
		c.Review.Enabled, c.Review.Listen, c.Review.SigningSecret = true, address, config.NewSecret(secret)
		c.Review.CertFile, c.Review.KeyFile = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	})
	serves := func(want string) {
		t.Helper()
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is looked at
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber.String(); got != want {
			t.Errorf("certificate %s, want %s", got, want)
		}
	}
	serves(first)
	second := issue(t, dir)
	serves(second)
	if err := os.WriteFile(filepath.Join(dir, "key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	serves(second)
	serves(second)
	if n := len(l.logged.FilterMessageSnippet("cannot be read").All()); n != 1 {
		t.Errorf("%d warnings that the key cannot be read", n)
	}
}

// issue writes a certificate and its key, and returns its serial number.
func issue(t *testing.T, dir string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert.SerialNumber.String()
}
