package cluster_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/client"
	"github.com/gravitational/teleport/api/constants"
	"github.com/gravitational/teleport/api/identityfile"
	"github.com/gravitational/trace"

	"teleport-plugins/lib/sandbox/cluster"
)

// handshake connects over TLS and waits for the server's first bytes, since
// with TLS 1.3 a refusal of the client's certificate comes only then.
func handshake(t *testing.T, c *cluster.Cluster, creds client.Credentials) error {
	t.Helper()
	config, err := creds.TLSConfig()
	must(t, err)
	config = config.Clone()
	config.ServerName = constants.APIDomain
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", c.Addr(), config)
	if err != nil {
		return err
	}
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	// The server speaks first once the client's preface is there.
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

func TestIdentityFileIsWhatTeleportWrites(t *testing.T) {
	c := start(t, cluster.Options{})
	path := identity(t, c, cluster.PluginUser, time.Hour)

	info, err := os.Stat(path)
	must(t, err)
	same(t, info.Mode().Perm(), os.FileMode(0o600))
	id, err := identityfile.ReadFile(path)
	must(t, err)
	if _, err := id.SSHClientConfig(); err != nil {
		t.Errorf("the SSH part does not serve: %v", err)
	}
	block, _ := pem.Decode(id.Certs.TLS)
	cert, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	same(t, cert.Subject.CommonName, cluster.PluginUser)
	same(t, slices.Contains(cert.Subject.Organization, cluster.PluginRole), true)
	entries, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	same(t, len(entries), 1) // nothing temporary is left behind
}

func TestKeyPairConnects(t *testing.T) {
	c := start(t, cluster.Options{})
	dir := t.TempDir()
	must(t, c.IssueKeyPair(dir, cluster.PluginUser, time.Hour))
	creds := client.LoadKeyPair(filepath.Join(dir, cluster.CertFile), filepath.Join(dir, cluster.KeyFile), filepath.Join(dir, cluster.CAFile))
	clt, err := dial(t, c, creds)
	must(t, err)
	defer clt.Close()
	_, err = clt.Ping(background(t))
	must(t, err)
}

func TestIdentityOfUnknownUserIsNotIssued(t *testing.T) {
	c := start(t, cluster.Options{})
	if err := c.IssueIdentity(filepath.Join(t.TempDir(), "id"), "nobody", time.Hour); err == nil {
		t.Fatal("an identity was issued to a user that does not exist")
	}
}

func TestConnectionsAreRefused(t *testing.T) {
	tests := map[string]func(t *testing.T, c *cluster.Cluster) client.Credentials{
		"expired certificate": func(t *testing.T, c *cluster.Cluster) client.Credentials {
			return client.LoadIdentityFile(identity(t, c, cluster.PluginUser, -time.Second))
		},
		"certificate of another cluster": func(t *testing.T, c *cluster.Cluster) client.Credentials {
			return client.LoadIdentityFile(identity(t, start(t, cluster.Options{}), cluster.PluginUser, time.Hour))
		},
		"certificate from before the authorities were rotated": func(t *testing.T, c *cluster.Cluster) client.Credentials {
			path := identity(t, c, cluster.PluginUser, time.Hour)
			must(t, c.RotateCA())
			return client.LoadIdentityFile(path)
		},
		"no certificate": func(*testing.T, *cluster.Cluster) client.Credentials {
			return client.LoadTLS(&tls.Config{InsecureSkipVerify: true})
		},
	}
	for name, creds := range tests {
		t.Run(name, func(t *testing.T) {
			c := start(t, cluster.Options{})
			must(t, handshake(t, c, client.LoadIdentityFile(identity(t, c, cluster.PluginUser, time.Hour))))
			if err := handshake(t, c, creds(t, c)); err == nil {
				t.Fatal("the connection was accepted")
			}
		})
	}
}

func TestOpenConnectionsOutliveRotation(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	must(t, c.RotateCA())
	_, err := clt.Ping(background(t))
	must(t, err)
	connect(t, c, cluster.PluginUser) // with a new identity
}

func TestLockedUserIsDeniedUntilUnlocked(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	w := watch(t, clt, requestsOnly())
	confirmed(t, w)

	c.Revoke(cluster.PluginUser)
	if err := ended(t, w); !trace.IsAccessDenied(err) {
		t.Errorf("the watch ended with %v, want access denied", err)
	}
	if _, err := clt.Ping(background(t)); !trace.IsAccessDenied(err) {
		t.Errorf("ping answered %v, want access denied", err)
	}
	c.Unlock(cluster.PluginUser)
	_, err := clt.Ping(background(t))
	must(t, err)
}
