package config

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"teleport-plugins/lib/file"
)

// Authorities is a file of certificate authorities to trust beside those of the
// system, in PEM form. The file is read when the config is.
type Authorities struct {
	path  string
	certs []*x509.Certificate
}

// TypeName is what the reference calls it.
func (Authorities) TypeName() string { return "path" }

// UnmarshalTOML takes the path.
func (a *Authorities) UnmarshalTOML(raw any) error {
	path, ok := raw.(string)
	if !ok {
		return errors.New("this is " + Describe(raw) + `, not a path; write it in quotes, as in "/etc/ssl/private-ca.pem"`)
	}
	a.path = path
	return nil
}

// Certificates gives the authorities; none where no file is named.
func (a Authorities) Certificates() []*x509.Certificate { return a.certs }

// Validate reads the file.
func (a *Authorities) Validate(f *Faults) {
	if a.path == "" {
		return
	}
	path := f.resolve(a.path)
	certs, err := readAuthorities(path)
	if err != nil {
		f.Add("", fmt.Sprintf("the file %q %v", path, err), "name a file with the certificates of the authorities in PEM form, readable for the user that runs the plugin")
		return
	}
	a.certs = certs
	f.Guarded("", path, "file of certificate authorities", false)
}

// readAuthorities reads certificates; its errors follow the name of the file.
func readAuthorities(path string) (certs []*x509.Certificate, err error) {
	text, err := file.Read(path)
	if err != nil {
		return nil, file.Words(err)
	}
	for rest := bytes.ReplaceAll(text, []byte("\ufeff"), nil); ; {
		block, after := pem.Decode(rest)
		if block == nil {
			break
		}
		rest = after
		if strings.Contains(block.Type, "PRIVATE KEY") {
			return nil, errors.New("holds a private key, which does not belong there")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("holds a block %q that is not a certificate, number %d of the file", block.Type, len(certs)+1)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("holds no certificates in PEM form")
	}
	return certs, nil
}
