package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// told is an error with a sentence in place of the words of a library.
type told struct {
	sentence string
	cause    error
}

func (t *told) Error() string { return t.sentence }

func (t *told) Unwrap() error { return t.cause }

// InWords says in a sentence what libraries say in words of their own, and what can
// be done about it where that is known. The address of a call is left out: a query
// can hold what nobody should read in a log. It returns nil for nil.
func InWords(err error) (hint string, sentence error) {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if err == nil {
		return "", nil
	}
	text, hint := words(err)
	if text == "" {
		return hint, err
	}
	return hint, &told{text, err}
}

// Plainly gives the sentence of InWords with what can be done about it.
func Plainly(err error) error {
	hint, sentence := InWords(err)
	if hint == "" {
		return sentence
	}
	return &told{sentence.Error() + "; " + hint, sentence}
}

func words(err error) (sentence, hint string) {
	var syntax *json.SyntaxError
	var foreign *json.UnmarshalTypeError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time", ""
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the whole answer was there", ""
	case errors.As(err, &syntax), errors.As(err, &foreign):
		return "the answer is not of the form that the service gives", ""
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"), errors.As(err, new(tls.RecordHeaderError)):
		return "the server does not speak TLS", "write http:// in place of https:// in the config if that is right, or the address of a server that does"
	case strings.Contains(err.Error(), "malformed HTTP response"):
		return "the server does not speak HTTP", "write https:// in place of http:// in the config if the server speaks TLS"
	case strings.Contains(err.Error(), "TLS handshake timeout"):
		return "the server did not answer the greeting of TLS in time", ""
	}
	if sentence, hint = networkWords(err); sentence != "" {
		return sentence, hint
	}
	return certificateWords(err)
}

// networkWords say why there is no connection, or none any more. A proxy is on the way
// where the environment names one.
func networkWords(err error) (sentence, hint string) {
	var op *net.OpError
	var dns *net.DNSError
	if errors.As(err, &op) && op.Op == "proxyconnect" {
		why, _ := networkWords(op.Err)
		return "the proxy that the environment names cannot be reached: " + cmp.Or(why, op.Err.Error()), "correct or remove HTTPS_PROXY and HTTP_PROXY, or name the host in NO_PROXY"
	}
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no address is known for the host " + dns.Name, ""
	case errors.As(err, &dns):
		return "the address of the host " + dns.Name + " could not be looked up", ""
	case errors.Is(err, syscall.ECONNREFUSED) && errors.As(err, &op) && op.Addr != nil:
		return "nothing listens at " + op.Addr.String() + " (connection refused)", ""
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused", ""
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was broken off", ""
	}
	return "", ""
}

// notThrough is the answer of a proxy that makes no connection.
func notThrough(proxy *url.URL, status string, code int) error {
	if code == http.StatusOK {
		return nil
	}
	hint := "let it connect there, or name the host in NO_PROXY"
	if code == http.StatusProxyAuthRequired {
		hint = proxyHint
	}
	return &told{fmt.Sprintf("the proxy at %s, which the environment names, does not connect to the service (%s); %s", proxy.Host, status, hint), nil}
}

// proxyHint is what to do where a proxy wants to know who calls.
const proxyHint = "write the user and the password of the proxy into HTTPS_PROXY or HTTP_PROXY, as in user:password@proxy.example.com:3128"

func certificateWords(err error) (sentence, hint string) {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		return "the server's certificate is signed by an authority that is not known here",
			"name the file with the certificates of the authority in the key ca_file of the service's section (or in SSL_CERT_FILE or SSL_CERT_DIR)"
	case errors.As(err, &name):
		return "the server's certificate is for another name", "see that the address in the config has the name of the server's certificate"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate has expired or is not valid yet", "see to the certificate, and to the clock of this machine"
	case errors.As(err, &invalid):
		return "the server's certificate cannot be verified: " + invalid.Error(), ""
	}
	return "", ""
}

// plainHint is what to do about an answer with this status, which servers give to plain
// HTTP that speak TLS alone, or proxies.
func plainHint(scheme string, status int) string {
	switch {
	case scheme == "http" && status == http.StatusBadRequest:
		return "write https:// in place of http:// in the config if the server speaks TLS"
	case status == http.StatusProxyAuthRequired:
		return proxyHint
	}
	return ""
}
