package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// The image trusts every authority of the bundle that is trusted without
// conditions, in a form that crypto/x509 reads.
func TestRootsAreReadable(t *testing.T) {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	want := 0
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			want++
		}
	}
	got := 0
	for block, rest := pem.Decode(b.Bytes()); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatalf("authority %d: %v", got, err)
		}
		if !cert.IsCA {
			t.Errorf("%s is no authority", cert.Subject)
		}
		got++
	}
	if got != want || got < 100 {
		t.Errorf("%d authorities were written, want %d, and at least 100", got, want)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(b.Bytes()) {
		t.Error("crypto/x509 takes none of it")
	}
}
