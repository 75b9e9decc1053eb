package teleport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/identityfile"
	"golang.org/x/crypto/ssh"
)

// pki is a cluster's certificate authority, for identities whose life does not
// fit a running cluster: over, not begun, or on virtual time.
type pki struct {
	t    testing.TB
	name string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	ssh  ssh.Signer
}

func newPKI(t testing.TB, name string) *pki {
	t.Helper()
	p := &pki{t: t, name: name, key: newKey(t)}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: name, Organization: []string{name}},
		NotBefore:             now.AddDate(-1, 0, 0),
		NotAfter:              now.AddDate(10, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, p.key.Public(), p.key))(t)
	p.cert = must(x509.ParseCertificate(der))(t)
	p.ssh = must(ssh.NewSignerFromKey(newKey(t)))(t)
	return p
}

// must returns a value and fails the test on an error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
}

func (p *pki) sign(template *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	p.t.Helper()
	template.SerialNumber = must(rand.Int(rand.Reader, big.NewInt(1<<62)))(p.t)
	der := must(x509.CreateCertificate(rand.Reader, template, p.cert, key.Public(), p.key))(p.t)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// issue makes an identity for alice with roles access-plugin and auditor.
func (p *pki) issue(notBefore, notAfter time.Time) *identityfile.IdentityFile {
	p.t.Helper()
	key := newKey(p.t)
	cert := &ssh.Certificate{
		Key:             must(ssh.NewPublicKey(key.Public()))(p.t),
		CertType:        ssh.UserCert,
		KeyId:           "alice",
		ValidPrincipals: []string{"alice"},
		ValidBefore:     ssh.CertTimeInfinity,
	}
	if err := cert.SignCert(rand.Reader, p.ssh); err != nil {
		p.t.Fatal(err)
	}
	keyDER := must(x509.MarshalPKCS8PrivateKey(key))(p.t)
	known := append([]byte("@cert-authority "+p.name+" "), ssh.MarshalAuthorizedKey(p.ssh.PublicKey())...)
	return &identityfile.IdentityFile{
		PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		Certs: identityfile.Certs{
			SSH: ssh.MarshalAuthorizedKey(cert),
			TLS: p.sign(&x509.Certificate{
				Subject:     pkix.Name{CommonName: "alice", Organization: []string{"access-plugin", "auditor"}},
				NotBefore:   notBefore,
				NotAfter:    notAfter,
				KeyUsage:    x509.KeyUsageDigitalSignature,
				ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			}, key),
		},
		CACerts: identityfile.CACerts{SSH: [][]byte{known}, TLS: [][]byte{p.caPEM()}},
	}
}

func (p *pki) caPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
}

// fresh is the content of an identity file that began now and holds for life.
func (p *pki) fresh(life time.Duration) []byte {
	p.t.Helper()
	now := time.Now()
	return p.encode(p.issue(now, now.Add(life)))
}

func (p *pki) encode(f *identityfile.IdentityFile) []byte {
	p.t.Helper()
	return must(identityfile.Encode(f))(p.t)
}

// server is the TLS side of an Auth Service that trusts only its own identities.
func (p *pki) server(names ...string) *tls.Config {
	p.t.Helper()
	return p.serverUntil(p.cert.NotAfter, names...)
}

// serverUntil is a server whose certificate ends at a given time.
func (p *pki) serverUntil(end time.Time, names ...string) *tls.Config {
	p.t.Helper()
	key := newKey(p.t)
	block, _ := pem.Decode(p.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "auth"},
		DNSNames:    names,
		NotBefore:   p.cert.NotBefore,
		NotAfter:    end,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key))
	pool := x509.NewCertPool()
	pool.AddCert(p.cert)
	return &tls.Config{
		Certificates:           []tls.Certificate{{Certificate: [][]byte{block.Bytes}, PrivateKey: key}},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              pool,
		NextProtos:             []string{"h2"},
		SessionTicketsDisabled: true,
	}
}

// put writes a file and returns its path.
func put(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replace renames a new file over path, as careful writers do.
func replace(t testing.TB, path string, data []byte) {
	t.Helper()
	tmp := put(t, filepath.Join(filepath.Dir(path), ".new"), data)
	if err := os.Rename(tmp, path); err != nil {
		t.Fatal(err)
	}
}
