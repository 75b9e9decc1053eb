package main

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A key of openssl signs, and openssl verifies; a changed file is found out.
func TestTheSignatureIsOneForOpenssl(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	openssl := func(args ...string) error {
		out, err := exec.Command("openssl", args...).CombinedOutput()
		t.Logf("openssl %s: %s", args[0], out)
		return err
	}
	staged := at("stage/plugin")
	if err := os.MkdirAll(staged, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string][]string{
		"sec1.pem":  {"ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", at("sec1.pem")},
		"pkcs8.pem": {"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", at("pkcs8.pem")},
	} {
		if err := openssl(command...); err != nil {
			t.Fatal(err)
		}
		out := at("release-" + name)
		if err := run(out, at(name), mtime, []string{staged}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(out, "SHA256SUMS.sig"))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at("raw.sig"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		verify := func() error {
			return openssl("dgst", "-sha256", "-verify", at("public.pem"), "-signature", at("raw.sig"), filepath.Join(out, "SHA256SUMS"))
		}
		if err := openssl("pkey", "-in", at(name), "-pubout", "-out", at("public.pem")); err != nil {
			t.Fatal(err)
		}
		if err := verify(); err != nil {
			t.Errorf("%s: the signature is no good: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte("other"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := verify(); err == nil {
			t.Errorf("%s: a changed file has a good signature", name)
		}
	}
}

func TestKeysThatCannotSign(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, file + "-missing"} {
		if _, err := sign(name, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("signing with %s: %v", name, err)
		}
	}
}
