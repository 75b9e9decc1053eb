package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync/atomic"
	"time"

	"github.com/gravitational/teleport/api/constants"
	"github.com/gravitational/teleport/api/utils"
	"golang.org/x/crypto/ssh"
	"golang.org/x/net/http2"
)

// authorityLife is longer than any test or demo.
const authorityLife = 10 * 365 * 24 * time.Hour

// clockSkew is how far in the past certificates begin to hold.
const clockSkew = time.Minute

// authority is one generation of the cluster's certificate authorities with the
// server certificate they issued.
type authority struct {
	cert    *x509.Certificate
	certPEM []byte
	key     *ecdsa.PrivateKey
	ssh     ssh.Signer
	server  tls.Certificate
}

// authorities holds the current generation; connections that were made under
// an earlier one go on.
type authorities struct {
	current atomic.Pointer[authority]
}

func newAuthority(clusterName string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the authority's key: %w", err)
	}
	template, err := certTemplate(pkix.Name{CommonName: clusterName, Organization: []string{clusterName}}, lasting(authorityLife))
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("creating the authority's certificate: %w", err)
	}
	a := &authority{key: key, certPEM: certPEM(der)}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("parsing the authority's certificate: %w", err)
	}
	if a.ssh, err = newSSHSigner(); err != nil {
		return nil, err
	}
	a.server, err = a.newServerCert(clusterName)
	return a, err
}

func newSSHSigner() (ssh.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the SSH authority's key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("using the SSH authority's key: %w", err)
	}
	return signer, nil
}

// newServerCert issues the certificate that the Auth Service shows. Clients
// verify it against the fixed name teleport.cluster.local, whatever address
// they dial.
func (a *authority) newServerCert(clusterName string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("generating the server's key: %w", err)
	}
	template, err := certTemplate(pkix.Name{CommonName: "auth." + clusterName, Organization: []string{"Admin"}}, lasting(authorityLife))
	if err != nil {
		return tls.Certificate{}, err
	}
	template.DNSNames = []string{
		constants.APIDomain, "*." + constants.APIDomain,
		utils.EncodeClusterName(clusterName), "localhost",
	}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := a.sign(template, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}, nil
}

func (a *authority) sign(template *x509.Certificate, key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate for %s: %w", template.Subject.CommonName, err)
	}
	return der, nil
}

// serverTLS is the server's side of mutual TLS under the authority that is
// current when a client says hello.
func (s *authorities) serverTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{http2.NextProtoTLS},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return s.current.Load().tlsConfig(), nil
		},
	}
}

func (a *authority) tlsConfig() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{http2.NextProtoTLS},
		Certificates: []tls.Certificate{a.server},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		// A resumed session would let an expired certificate in.
		SessionTicketsDisabled: true,
	}
}

// Life is the time for which a certificate holds.
type Life struct{ From, To time.Time }

// lasting is a life of ttl from now; with a negative ttl it is over.
func lasting(ttl time.Duration) Life {
	now := time.Now()
	return Life{now.Add(min(ttl, 0) - clockSkew), now.Add(ttl)}
}

func certTemplate(subject pkix.Name, life Life) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("choosing a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    life.From,
		NotAfter:     life.To,
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}, nil
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
