package outbound

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
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
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "the server does not speak TLS", "write http:// in place of https:// in the config if that is right, or the address of a server that does"
	}
	return certificateWords(err)
}

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

// plainHint is what to do about an answer with this status to a call in plain HTTP;
// servers that speak TLS alone give it.
func plainHint(scheme string, status int) string {
	if scheme == "http" && status == http.StatusBadRequest {
		return "write https:// in place of http:// in the config if the server speaks TLS"
	}
	return ""
}
