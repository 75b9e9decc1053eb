package mail

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/outbound"
)

// certified gives a server a certificate that signs itself.
func (a *awkward) certified(t *testing.T, from, until time.Time, addresses ...net.IP) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: until, IPAddresses: addresses, DNSNames: []string{"mail.example.net"}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	a.secure = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	a.roots = x509.NewCertPool()
	a.roots.AddCert(c)
}

// A certificate that is no good stops all mails, and says why and what to do, at STARTTLS
// and from the first byte, whatever the policy is.
func TestCertificatesThatAreNoGood(t *testing.T) {
	local, now := net.IPv4(127, 0, 0, 1), time.Now()
	for name, tc := range map[string]struct {
		from, until time.Time
		addresses   []net.IP
		known       bool
		says        string
	}{
		"good":                    {now.Add(-time.Hour), now.Add(time.Hour), []net.IP{local}, true, ""},
		"expired":                 {now.Add(-2 * time.Hour), now.Add(-time.Hour), []net.IP{local}, true, "has expired or is not valid yet; see to the certificate, and to the clock"},
		"not valid yet":           {now.Add(time.Hour), now.Add(2 * time.Hour), []net.IP{local}, true, "has expired or is not valid yet"},
		"for another name":        {now.Add(-time.Hour), now.Add(time.Hour), nil, true, "is for another name"},
		"of an unknown authority": {now.Add(-time.Hour), now.Add(time.Hour), []net.IP{local}, false, "key ca_file"},
	} {
		for _, way := range []string{mandatory, opportunistic, "implicit"} {
			t.Run(name+", "+way, func(t *testing.T) {
				a := &awkward{says: script{"EHLO": {"250-mail\r\n250 STARTTLS", "250 mail"}}, tlsNow: way == "implicit"}
				a.certified(t, tc.from, tc.until, tc.addresses...)
				if !tc.known {
					a.roots = x509.NewCertPool()
				}
				err := a.sends(t, letter, func(s *SMTP) { s.Policy, s.Implicit = way, a.tlsNow })
				if (err == nil) != (tc.says == "") || err != nil && (!outbound.RefusesToken(err) || !strings.Contains(err.Error(), tc.says)) {
					t.Errorf("got %v", err)
				}
				if err != nil && len(a.taken()) > 0 {
					t.Error("a mail was sent")
				}
			})
		}
	}
}

// A server that wants a certificate says so in words of TLS alone.
func TestAServerThatWantsACertificate(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		a := &awkward{says: script{"EHLO": {"250-mail\r\n250 STARTTLS"}}, tlsNow: implicit}
		a.certified(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), net.IPv4(127, 0, 0, 1))
		a.secure.ClientAuth = tls.RequireAnyClientCert
		err := a.sends(t, letter, func(s *SMTP) { s.Policy, s.Implicit = mandatory, implicit })
		if err == nil || !strings.Contains(err.Error(), "see client_cert and client_key in [smtp]") {
			t.Errorf("got %v", err)
		}
	}
}

// A server that cannot be found or reached is put down to the keys that name it.
func TestAServerThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	for _, s := range []SMTP{at(l), {Host: "nowhere.invalid", Port: 587, Policy: mandatory}} {
		if err := opened(t, Settings{SMTP: s}).Check(limited(t)); outbound.KindOf(err) != outbound.Retry || !strings.HasSuffix(err.Error(), "; see host and port in [smtp]") {
			t.Errorf("got %v", err)
		}
	}
}
