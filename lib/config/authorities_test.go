package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/config"
)

// authority makes a certificate in PEM form.
func authority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestAuthorities(t *testing.T) {
	const do = "; name a file with the certificates of the authorities in PEM form, readable for the user that runs the plugin\n"
	one, other := authority(t), authority(t)
	for name, c := range map[string]struct {
		content string // of the file; empty for none
		mode    os.FileMode
		found   int
		want    string // FILE stands for the path
	}{
		"one":                      {content: one, found: 1},
		"several, with remarks":    {content: "# ours\n" + one + "\n# theirs\n" + other, found: 2},
		"written on Windows":       {content: "\ufeff" + strings.ReplaceAll(one+other, "\n", "\r\n"), found: 2},
		"no such file":             {want: `the file "FILE" does not exist` + do},
		"no certificates":          {content: "hello", want: `the file "FILE" holds no certificates in PEM form` + do},
		"a damaged one":            {content: one + strings.Replace(other, "MI", "AA", 1), want: `the file "FILE" holds a block "CERTIFICATE" that is not a certificate, number 2 of the file`[:52]},
		"a private key":            {content: one + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", want: `the file "FILE" holds a private key, which does not belong there` + do},
		"one that all could write": {content: one, mode: 0o646, found: 1, want: `every user of this machine can write the file of certificate authorities "FILE"; take the permission away with chmod o-w` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "ca.pem")
			if c.content != "" {
				write(t, path, c.content, 0)
			}
			if c.mode != 0 {
				if err := os.Chmod(path, c.mode); err != nil {
					t.Fatal(err)
				}
			}
			// A path is relative to the config.
			for _, named := range []string{path, "ca.pem"} {
				into := &checked{with: func(*config.Faults) {}}
				at := filepath.Join(dir, "config.toml")
				write(t, at, "ca_file = '"+named+"'\n", 0)
				report, err := config.Load(at, into)
				got := messages(report.Warnings)
				if err != nil {
					got = err.Error()
				}
				if _, got, _ = strings.Cut(got, "ca_file: "); !strings.HasPrefix(strings.ReplaceAll(got, path, "FILE")+"\n", strings.TrimSuffix(c.want, "\n")) || (got == "") != (c.want == "") {
					t.Errorf("got %q, want %q", got, c.want)
				}
				if n := len(into.CAFile.Certificates()); n != c.found {
					t.Errorf("%d certificates, want %d", n, c.found)
				}
			}
		})
	}
}

func TestAuthoritiesAreAPath(t *testing.T) {
	want := "config.toml:1: ca_file: this is true or false, not a path; write it in quotes, as in \"/etc/ssl/private-ca.pem\"\n"
	if got := checks(t, "ca_file = true\n", func(*config.Faults) {}); got != want {
		t.Errorf("got %q", got)
	}
}
