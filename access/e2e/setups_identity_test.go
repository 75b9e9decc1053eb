package e2e_test

import (
	"os"
	"strings"
	"syscall"
	"time"

	"teleport-plugins/lib/sandbox/cluster"
)

// identitySetUps are those with an identity that is no good.
func identitySetUps() []setUp {
	const leg = "FAIL  Teleport identity: "
	// ends is a row in which both commands say the same.
	ends := func(name, sentence string, spoil func(s *site)) setUp {
		return setUp{name: name, spoil: spoil, check: []string{leg + sentence}, start: []string{"ERROR  " + sentence}}
	}
	text := func(s *site) string {
		content, err := os.ReadFile(s.beside("identity"))
		s.must(err)
		return string(content)
	}
	const place = "{dir}/identity"
	return []setUp{
		ends("no identity file", "the credentials file "+place+" does not exist", func(s *site) { s.must(os.Remove(s.beside("identity"))) }),
		ends("an empty identity", place+" is not an identity file: it is empty", func(s *site) { s.file("identity", "") }),
		ends("an identity that is garbage", place+" is not an identity file: it holds no keys", func(s *site) { s.file("identity", "\x00\x01garbage") }),
		ends("authorities in place of an identity", place+" is not an identity file: it holds certificates alone, and no key; export it with --format=file", func(s *site) {
			s.must(s.Cluster.IssueKeyPair(s.beside(""), s.User(), time.Hour))
			s.must(os.Rename(s.beside(cluster.CAFile), s.beside("identity")))
		}),
		ends("an identity that is cut short", place+" is not an identity file: it is cut short", func(s *site) { s.file("identity", text(s)[:150]) }),
		ends("a folder in place of an identity", "the credentials file "+place+" is a folder, not a file", func(s *site) {
			s.must(os.Remove(s.beside("identity")))
			s.must(os.Mkdir(s.beside("identity"), 0o700))
		}),
		ends("a pipe in place of an identity", "the credentials file "+place+" is a pipe, and nobody writes into it", func(s *site) {
			s.must(os.Remove(s.beside("identity")))
			s.must(syscall.Mkfifo(s.beside("identity"), 0o600))
		}),
		ends("an identity in UTF-16", "the credentials file "+place+" is in UTF-16, as Windows writes it; save it as UTF-8", func(s *site) {
			s.file("identity", "\xff\xfe"+strings.Join(strings.Split(text(s), ""), "\x00"))
		}),
		{name: "an identity with a byte order mark", stays: true, spoil: func(s *site) { s.file("identity", "\ufeff"+text(s)) }},
		ends("an identity that has expired", "the identity in "+place+" expired at … (2 hours ago); issue a new one with `tctl auth sign` or let tbot renew it", func(s *site) {
			s.must(s.Cluster.IssueIdentity(s.beside("identity"), s.User(), -2*time.Hour))
		}),
		ends("an identity for later", "the identity in "+place+" is not valid before … (in 1 hour); check this machine's clock", func(s *site) {
			now := time.Now()
			s.must(s.Cluster.IssueIdentityFor(s.beside("identity"), s.User(), cluster.Life{From: now.Add(2 * time.Hour), To: now.Add(3 * time.Hour)}))
		}),
		{
			name: "an identity of another cluster", spoil: func(s *site) {
				other, err := cluster.Start(cluster.Options{Name: "other.example.com"})
				s.must(err)
				s.Cleanup(func() { _ = other.Close() })
				s.must(other.IssueIdentity(s.beside("identity"), s.User(), time.Hour))
			},
			check: []string{"FAIL  connection to Teleport at {addr}: " + foreign},
			start: []string{"ERROR  Not connected to Teleport: " + foreign + ` condition:"connected to Teleport"`},
			stays: true, ready: "failed connected to Teleport: " + foreign,
		},
		{
			name: "an identity from before a rotation", spoil: func(s *site) { s.must(s.Cluster.RotateCA()) },
			check: []string{"FAIL  connection to Teleport at {addr}: " + rotated},
			start: []string{"ERROR  Not connected to Teleport: …" + ` condition:"connected to Teleport"`},
			stays: true, ready: "failed connected to Teleport: " + rotated,
		},
		{
			name: "a key pair whose key is another's", spoil: func(s *site) {
				s.must(s.Cluster.IssueKeyPair(s.beside(""), s.User(), time.Hour))
				key, err := os.ReadFile(s.beside(cluster.KeyFile))
				s.must(err)
				s.must(s.Cluster.IssueKeyPair(s.beside(""), s.User(), time.Hour))
				s.file(cluster.KeyFile, string(key))
				s.tree["teleport"] = map[string]any{
					"addr": s.Cluster.Addr(), "client_key": s.beside(cluster.KeyFile), "client_crt": s.beside(cluster.CertFile), "root_cas": s.beside(cluster.CAFile),
				}
			},
			check: []string{leg + "the private key for {dir}/auth.crt is damaged or does not belong to its certificate"},
			start: []string{"ERROR  the private key for {dir}/auth.crt is damaged or does not belong to its certificate"},
		},
		{
			name: "no credentials for the cluster", spoil: func(s *site) { s.tree["teleport"] = map[string]any{"addr": s.Cluster.Addr()} },
			check: []string{"FAIL  config {dir}/config.toml:…: teleport: there are no credentials for the cluster; set identity, or client_key, client_crt and root_cas"},
			start: []string{"ERROR  {dir}/config.toml:…: teleport: there are no credentials for the cluster; set identity, or client_key, client_crt and root_cas"},
		},
	}
}

// What is said of a server that the identity does not vouch for.
const (
	foreign = `the server certificate at {addr} is not signed by an authority in {dir}/identity (cluster "other.example.com"): it is another cluster, or its certificate authority was rotated; issue a new identity`
	rotated = `the server certificate at {addr} is not signed by an authority in {dir}/identity (cluster "sandbox.example.com"): it is another cluster, or its certificate authority was rotated; issue a new identity`
)
