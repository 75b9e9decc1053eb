package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/identityfile"
	"golang.org/x/crypto/ssh"
)

// Names of the files that IssueKeyPair writes, as `tctl auth sign --format=tls
// --out=auth` names them.
const (
	KeyFile  = "auth.key"
	CertFile = "auth.crt"
	CAFile   = "auth.cas"
)

// sshPrincipal is on every user certificate of Teleport; clients name it when
// they log in to a proxy.
const sshPrincipal = "-teleport-internal-join"

// IssueIdentity writes an identity file for the user to path, with mode 0600
// and in one step, so that a reader never sees half of it. The certificates
// hold for ttl from now; a ttl below zero gives an identity that has expired.
// The user must exist.
func (c *Cluster) IssueIdentity(path, user string, ttl time.Duration) error {
	return c.IssueIdentityFor(path, user, lasting(ttl))
}

// IssueIdentityFor is IssueIdentity for another time than the present.
func (c *Cluster) IssueIdentityFor(path, user string, life Life) error {
	id, err := c.newIdentity(user, life)
	if err != nil {
		return err
	}
	data, err := identityfile.Encode(id)
	if err != nil {
		return fmt.Errorf("encoding the identity of %s: %w", user, err)
	}
	return writeFile(path, data)
}

// IssueKeyPair writes the identity of the user as the three PEM files KeyFile,
// CertFile and CAFile in dir, which must exist. Otherwise as IssueIdentity.
func (c *Cluster) IssueKeyPair(dir, user string, ttl time.Duration) error {
	id, err := c.newIdentity(user, lasting(ttl))
	if err != nil {
		return err
	}
	files := []struct {
		name string
		data []byte
	}{{KeyFile, id.PrivateKey}, {CertFile, id.Certs.TLS}, {CAFile, id.CACerts.TLS[0]}}
	for _, f := range files {
		if err := writeFile(filepath.Join(dir, f.name), f.data); err != nil {
			return err
		}
	}
	return nil
}

// RotateCA replaces the cluster's authorities. Identities issued before are
// refused from the next connection on, and do not trust the server any more;
// connections that exist go on.
func (c *Cluster) RotateCA() error {
	a, err := newAuthority(c.opts.Name)
	if err != nil {
		return err
	}
	c.authority.current.Store(a)
	return nil
}

// Revoke locks the user: its calls are denied and its watch streams end, until
// Unlock.
func (c *Cluster) Revoke(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.locked[user] = true
	for w := range c.watchers {
		if w.user == user {
			w.end(lockedError(user))
		}
	}
}

// Unlock takes back Revoke.
func (c *Cluster) Unlock(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.locked, user)
}

// known finds a user. Users of plugins come to be when they are asked for.
func (c *Cluster) known(name string) (*user, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.users[name]; !ok && strings.HasPrefix(name, PluginUserOf("")) {
		c.users[name] = &user{name: name, roles: []string{PluginRole}}
	}
	u, ok := c.users[name]
	return u, ok
}

func (c *Cluster) newIdentity(name string, life Life) (*identityfile.IdentityFile, error) {
	u, ok := c.known(name)
	if !ok {
		return nil, fmt.Errorf("user %q does not exist in the sandbox cluster", name)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating a key for %s: %w", name, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the key of %s: %w", name, err)
	}
	a := c.authority.current.Load()
	tlsCert, err := a.userCert(u, key, life)
	if err != nil {
		return nil, err
	}
	sshCert, err := a.userSSHCert(u, key, life)
	if err != nil {
		return nil, err
	}
	return &identityfile.IdentityFile{
		PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		Certs:      identityfile.Certs{SSH: sshCert, TLS: tlsCert},
		CACerts:    identityfile.CACerts{SSH: [][]byte{a.knownHosts(c.opts.Name)}, TLS: [][]byte{a.certPEM}},
	}, nil
}

// userCert is the TLS certificate of a user: the common name is the user's
// name, the organisations are the roles.
func (a *authority) userCert(u *user, key *ecdsa.PrivateKey, life Life) ([]byte, error) {
	template, err := certTemplate(pkix.Name{CommonName: u.name, Organization: u.roles}, life)
	if err != nil {
		return nil, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := a.sign(template, key)
	if err != nil {
		return nil, err
	}
	return certPEM(der), nil
}

func (a *authority) userSSHCert(u *user, key *ecdsa.PrivateKey, life Life) ([]byte, error) {
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("using the key of %s for SSH: %w", u.name, err)
	}
	cert := &ssh.Certificate{
		Key:             public,
		CertType:        ssh.UserCert,
		KeyId:           u.name,
		ValidPrincipals: []string{sshPrincipal},
		ValidAfter:      uint64(life.From.Unix()),
		ValidBefore:     uint64(life.To.Unix()),
	}
	if err := cert.SignCert(rand.Reader, a.ssh); err != nil {
		return nil, fmt.Errorf("signing the SSH certificate of %s: %w", u.name, err)
	}
	return ssh.MarshalAuthorizedKey(cert), nil
}

// knownHosts is the SSH authority as a line of a known_hosts file.
func (a *authority) knownHosts(clusterName string) []byte {
	return append([]byte("@cert-authority "+clusterName+",*."+clusterName+" "), ssh.MarshalAuthorizedKey(a.ssh.PublicKey())...)
}

// writeFile replaces the file at path in one step.
func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("creating %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
