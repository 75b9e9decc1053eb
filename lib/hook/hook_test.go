package hook_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/hook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves until the test ends, or end is called, which returns what came of it.
func serve(t *testing.T, o hook.Options) (end func() error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	o.Ready = func() { close(ready) }
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	go func() { ended <- hook.Serve(ctx, o) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("it does not serve: %v", err)
	}
	end = func() error {
		stop()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() { _ = end() })
	return end
}

func free(t *testing.T) string {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	return socket.Addr().String()
}

func saying(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// ask makes a call on a connection of its own.
func ask(address string) (string, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Get("http://" + address + "/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// What was begun is answered before the end.
func TestTheEndWaitsForCallsUnderWay(t *testing.T) {
	address, began, hold := free(t), make(chan struct{}), make(chan struct{})
	end := serve(t, hook.Options{Endpoint: hook.Endpoint{Listen: address}, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-hold
		_, _ = io.WriteString(w, "decided")
	})})
	said := make(chan string, 1)
	go func() {
		text, err := ask(address)
		said <- text
		if err != nil {
			t.Error(err)
		}
	}()
	<-began
	time.AfterFunc(50*time.Millisecond, func() { close(hold) })
	if err := end(); err != nil {
		t.Error(err)
	}
	if text := <-said; text != "decided" {
		t.Errorf("the answer is %q", text)
	}
}

// Replicas may share an address. Whoever does not want that finds it taken.
func TestAnAddressIsSharedOnlyAmongThoseWhoWantThat(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("addresses are shared on Linux alone")
	}
	address := free(t)
	serve(t, hook.Options{Endpoint: hook.Endpoint{Listen: address}, Shared: true, Handler: saying("one")})
	second := serve(t, hook.Options{Endpoint: hook.Endpoint{Listen: address}, Shared: true, Handler: saying("two")})
	heard := make(map[string]bool)
	for range 200 {
		text, err := ask(address)
		if err != nil {
			t.Fatal(err)
		}
		heard[text] = true
	}
	if !heard["one"] || !heard["two"] {
		t.Errorf("heard %v", heard)
	}
	if err := second(); err != nil {
		t.Error(err)
	}
	if text, err := ask(address); text != "one" {
		t.Errorf("after the end of the other it says %q, %v", text, err)
	}
	err := hook.Serve(t.Context(), hook.Options{Endpoint: hook.Endpoint{Listen: address}, Handler: saying("three"), Log: zap.NewNop(), Ready: func() { t.Error("it is served twice") }})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), "listening at review.listen: ") {
		t.Errorf("the error is %v", err)
	}
}

// A certificate that is not there is said before the address is taken; one that is
// renewed is used from the next connection on, and one that cannot be read ends nothing.
func TestCertificatesAreReadAgain(t *testing.T) {
	address, dir := free(t), t.TempDir()
	core, logged := observer.New(zap.WarnLevel)
	o := hook.Options{
		Endpoint: hook.Endpoint{Listen: address, CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")},
		Handler:  saying("hello"), Log: zap.New(core), Ready: func() { t.Error("it is served without a certificate") },
	}
	if err := hook.Serve(t.Context(), o); err == nil || !strings.Contains(err.Error(), "reading review.listen_cert and review.listen_key: ") {
		t.Errorf("the error is %v", err)
	}
	first := issue(t, dir)
	serve(t, o)
	serves := func(want string) {
		t.Helper()
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is looked at
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber.String(); got != want {
			t.Errorf("certificate %s, want %s", got, want)
		}
	}
	serves(first)
	second := issue(t, dir)
	serves(second)
	if err := os.WriteFile(filepath.Join(dir, "key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	serves(second)
	serves(second)
	if n := logged.FilterMessageSnippet("cannot be read").Len(); n != 1 {
		t.Errorf("%d warnings that the key cannot be read", n)
	}
}

// issue writes a certificate and its key, and returns its serial number.
func issue(t *testing.T, dir string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert.SerialNumber.String()
}
