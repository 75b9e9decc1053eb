package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// sign signs a text as cosign and openssl verify it: the base64 of an ECDSA signature, in
// ASN.1, of its SHA-256 sum. The key is a file in PEM form.
func sign(keyFile string, text []byte) (signature []byte, err error) {
	key, err := readKey(keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the signing key %s: %w", keyFile, err)
	}
	sum := sha256.Sum256(text)
	raw, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return []byte(base64.StdEncoding.EncodeToString(raw) + "\n"), nil
}

func readKey(file string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "EC PRIVATE KEY":
			return x509.ParseECPrivateKey(block.Bytes)
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			if key, ok := key.(*ecdsa.PrivateKey); ok {
				return key, nil
			}
			return nil, errors.New("this is not an ECDSA key; make one with: openssl ecparam -genkey -name prime256v1")
		}
	}
	return nil, errors.New("there is no unencrypted private key in PEM form; make one with: openssl ecparam -genkey -name prime256v1")
}
