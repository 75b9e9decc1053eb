package teleport

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/client"
	"github.com/gravitational/teleport/api/identityfile"
	"github.com/gravitational/teleport/api/utils/keypaths"
	"github.com/gravitational/teleport/api/utils/keys"

	"teleport-plugins/lib/file"
)

// clockSkew is how far in the future an identity may start before it is called
// not yet valid: the clock that counts is the cluster's, not ours.
const clockSkew = time.Minute

// Credentials names the files that hold an identity: an identity file, or a
// private key with its certificate and the cluster's authorities, all PEM. If
// Identity is set the others are not looked at.
type Credentials struct {
	// Identity is the path of an identity file as `tctl auth sign`, `tsh` and
	// `tbot` write it.
	Identity string
	// ClientKey, ClientCert and RootCAs are the paths of the three files that
	// `tctl auth sign --format=tls` writes.
	ClientKey, ClientCert, RootCAs string
}

// Files lists the paths that make up the credentials.
func (c Credentials) Files() []string {
	if c.Identity != "" {
		return []string{c.Identity}
	}
	return []string{c.ClientKey, c.ClientCert, c.RootCAs}
}

// certFile is the file to name when the certificate is at fault.
func (c Credentials) certFile() string {
	if c.Identity != "" {
		return c.Identity
	}
	return c.ClientCert
}

// Identity is one reading of [Credentials]. It never changes; a renewed file
// is a new Identity.
type Identity struct {
	// User is the Teleport user the certificate was issued to.
	User string
	// Roles are the Teleport roles in the certificate, sorted.
	Roles []string
	// Cluster is the name of the cluster that issued the certificate.
	Cluster string
	// NotBefore and NotAfter bound the certificate's life.
	NotBefore, NotAfter time.Time
	// Hash is the SHA-256 of the files' content in hexadecimal.
	Hash string

	files Credentials
	creds client.Credentials
}

// Source returns the files the identity was read from.
func (id *Identity) Source() Credentials { return id.files }

// Load reads credentials and checks that they are complete and valid now. An
// error is one sentence and matches [ErrMissing], [ErrUnreadable],
// [ErrMalformed], [ErrExpired] or [ErrNotYetValid].
func Load(c Credentials) (*Identity, error) {
	raw, err := c.read()
	if err != nil {
		return nil, err
	}
	id, err := parse(c, raw)
	if err != nil {
		return nil, err
	}
	if err := id.validAt(time.Now()); err != nil {
		return nil, err
	}
	return id, nil
}

// content is what the files held, in the order of [Credentials.Files].
type content [][]byte

// hash tells contents apart; lengths go in so that moving a byte from one file
// to the next is a change.
func (c content) hash() string {
	h := sha256.New()
	for _, b := range c {
		fmt.Fprintf(h, "%d:", len(b))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (c Credentials) read() (content, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	var out content
	for _, path := range c.Files() {
		b, err := file.Read(path)
		if err != nil {
			return nil, readFault(path, err)
		}
		if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
			return nil, newFault(ErrMalformed, nil, "the credentials file %s is in UTF-16, as Windows writes it; save it as UTF-8", path)
		}
		out = append(out, bytes.ReplaceAll(b, byteOrderMark, nil))
	}
	return out, nil
}

// byteOrderMark stands before texts that were written on Windows; where several were
// joined, in the middle too. Parsers of PEM do not see the line that begins with it.
var byteOrderMark = []byte("\ufeff")

func (c Credentials) complete() error {
	if c.Identity != "" || (c.ClientKey != "" && c.ClientCert != "" && c.RootCAs != "") {
		return nil
	}
	return newFault(ErrMissing, nil,
		"no Teleport credentials: set identity, or all of client_key, client_crt and root_cas")
}

func readFault(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newFault(ErrMissing, err, "the credentials file %s does not exist", path)
	case errors.Is(err, fs.ErrPermission):
		return newFault(ErrUnreadable, err,
			"the credentials file %s is not readable for this process; give it to user id %d with chown, or run the plugin as its owner", path, os.Getuid())
	}
	return newFault(ErrUnreadable, err, "the credentials file %s %v", path, file.Words(err))
}

func parse(c Credentials, raw content) (*Identity, error) {
	var (
		creds client.Credentials
		leaf  *x509.Certificate
		err   error
	)
	if c.Identity != "" {
		creds, leaf, err = parseIdentityFile(c.Identity, raw[0])
	} else {
		creds, leaf, err = parseKeyPair(c, raw)
	}
	if err != nil {
		return nil, err
	}
	return &Identity{
		User:      leaf.Subject.CommonName,
		Roles:     slices.Sorted(slices.Values(leaf.Subject.Organization)),
		Cluster:   issuingCluster(leaf),
		NotBefore: leaf.NotBefore,
		NotAfter:  leaf.NotAfter,
		Hash:      raw.hash(),
		files:     c,
		creds:     creds,
	}, nil
}

// issuingCluster reads the cluster's name from the issuer: Teleport's
// authorities carry it as their organization.
func issuingCluster(leaf *x509.Certificate) string {
	if len(leaf.Issuer.Organization) > 0 {
		return leaf.Issuer.Organization[0]
	}
	return leaf.Issuer.CommonName
}

func parseIdentityFile(path string, raw []byte) (client.Credentials, *x509.Certificate, error) {
	text := string(raw)
	held, err := identityfile.FromString(text)
	if err != nil && bytes.Contains(raw, []byte("-----BEGIN")) {
		// The SSH certificate may lie in a file beside.
		if cert, rerr := file.Read(keypaths.IdentitySSHCertPath(path)); rerr == nil {
			text = strings.TrimRight(text, "\n") + "\n" + string(bytes.ReplaceAll(cert, byteOrderMark, nil))
			held, err = identityfile.FromString(text)
		}
	}
	switch {
	case err != nil:
		return nil, nil, notIdentity(path, err, identityGap(raw, err))
	case len(held.PrivateKey) == 0 || len(held.Certs.TLS) == 0:
		return nil, nil, notIdentity(path, nil, "it lacks a private key or a TLS certificate")
	case len(held.CACerts.TLS) == 0:
		return nil, nil, notIdentity(path, nil, "it lacks the cluster's certificate authorities")
	}
	leaf, err := checkPair(path, held.Certs.TLS, held.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	creds := client.LoadIdentityFileFromString(text)
	if _, err := creds.TLSConfig(); err != nil {
		return nil, nil, notIdentity(path, err, "its certificate authorities are not valid PEM certificates")
	}
	if _, err := creds.SSHClientConfig(); err != nil {
		return nil, nil, notIdentity(path, err, "its SSH certificate is damaged")
	}
	return creds, leaf, nil
}

// identityGap says what the identity file parser missed.
func identityGap(raw []byte, err error) string {
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		return "it is empty"
	case !bytes.Contains(raw, []byte("-----BEGIN")):
		return "it holds no keys"
	case strings.Contains(err.Error(), "PEM"):
		return "it is cut short"
	case !bytes.Contains(raw, []byte("PRIVATE KEY-----")):
		return "it holds certificates alone, and no key; export it with --format=file"
	}
	return "it lacks an SSH certificate"
}

func notIdentity(path string, cause error, gap string) error {
	return newFault(ErrMalformed, cause, "%s is not an identity file: %s", path, gap)
}

// checkPair parses the certificate and checks that the key belongs to it.
func checkPair(path string, certPEM, keyPEM []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return nil, newFault(ErrMalformed, nil, "%s holds no PEM certificate", path)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, newFault(ErrMalformed, err, "the certificate in %s cannot be parsed", path)
	}
	if _, err := keys.X509KeyPair(certPEM, keyPEM); err != nil {
		return nil, newFault(ErrMalformed, err,
			"the private key for %s is damaged or does not belong to its certificate", path)
	}
	return leaf, nil
}

func parseKeyPair(c Credentials, raw content) (client.Credentials, *x509.Certificate, error) {
	keyPEM, certPEM, caPEM := raw[0], raw[1], raw[2]
	leaf, err := checkPair(c.ClientCert, certPEM, keyPEM)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(caPEM) {
		return nil, nil, newFault(ErrMalformed, nil, "%s holds no PEM certificates", c.RootCAs)
	}
	pair, err := keys.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, nil, newFault(ErrMalformed, err, "the certificate in %s cannot be used", c.ClientCert)
	}
	return client.LoadTLS(&tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool}), leaf, nil
}

// validAt checks the certificate's life against now.
func (id *Identity) validAt(now time.Time) error {
	file := id.files.certFile()
	switch {
	case !now.Before(id.NotAfter):
		return newFault(ErrExpired, nil,
			"the identity in %s expired at %s (%s ago); issue a new one with `tctl auth sign` or let tbot renew it",
			file, stamp(id.NotAfter), span(now.Sub(id.NotAfter)))
	case now.Add(clockSkew).Before(id.NotBefore):
		return newFault(ErrNotYetValid, nil,
			"the identity in %s is not valid before %s (in %s); check this machine's clock",
			file, stamp(id.NotBefore), span(id.NotBefore.Sub(now)))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// span rounds a duration to its largest unit, as a person would say it.
func span(d time.Duration) string {
	n, unit := int64(d/time.Second), "second"
	switch {
	case d >= 48*time.Hour:
		n, unit = int64(d/(24*time.Hour)), "day"
	case d >= time.Hour:
		n, unit = int64(d/time.Hour), "hour"
	case d >= time.Minute:
		n, unit = int64(d/time.Minute), "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
