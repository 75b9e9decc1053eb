package teleport

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/identityfile"
	"github.com/gravitational/teleport/api/utils/keypaths"
)

func TestLoadReadsWhoTheIdentityIs(t *testing.T) {
	ca := newPKI(t, "example.com")
	now := time.Now().Truncate(time.Second).UTC()
	file := ca.issue(now.Add(-time.Hour), now.Add(time.Hour))
	dir := t.TempDir()
	forms := map[string]Credentials{
		"identity file": {Identity: put(t, filepath.Join(dir, "identity"), ca.encode(file))},
		"key pair": {
			ClientKey:  put(t, filepath.Join(dir, "auth.key"), file.PrivateKey),
			ClientCert: put(t, filepath.Join(dir, "auth.crt"), file.Certs.TLS),
			RootCAs:    put(t, filepath.Join(dir, "auth.cas"), file.CACerts.TLS[0]),
		},
	}
	for name, creds := range forms {
		t.Run(name, func(t *testing.T) {
			id, err := Load(creds)
			if err != nil {
				t.Fatal(err)
			}
			if id.User != "alice" || strings.Join(id.Roles, ",") != "access-plugin,auditor" || id.Cluster != "example.com" {
				t.Errorf("got user %q, roles %q, cluster %q", id.User, id.Roles, id.Cluster)
			}
			if !id.NotBefore.Equal(now.Add(-time.Hour)) || !id.NotAfter.Equal(now.Add(time.Hour)) {
				t.Errorf("got life %s to %s", id.NotBefore, id.NotAfter)
			}
			if len(id.Hash) != 64 || id.Source() != creds {
				t.Errorf("got hash %q, source %+v", id.Hash, id.Source())
			}
		})
	}
}

// Editors on Windows begin a file with a byte order mark, and some write UTF-16.
func TestFilesFromWindows(t *testing.T) {
	ca := newPKI(t, "example.com")
	file := ca.issue(time.Now(), time.Now().Add(time.Hour))
	dir := t.TempDir()
	marked := func(name string, parts ...[]byte) string {
		text := "\ufeff" + string(bytes.Join(parts, []byte("\ufeff")))
		return put(t, filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "\n", "\r\n")))
	}
	aside := ca.issue(time.Now(), time.Now().Add(time.Hour))
	marked(filepath.Base(keypaths.IdentitySSHCertPath("aside")), aside.Certs.SSH)
	aside.Certs.SSH = nil
	pair := Credentials{
		ClientKey: marked("key", file.PrivateKey), ClientCert: marked("crt", file.Certs.TLS), RootCAs: marked("cas", file.CACerts.TLS[0]),
	}
	for name, c := range map[string]Credentials{
		"an identity file":                  {Identity: marked("identity", ca.encode(file))},
		"with its authorities joined to it": {Identity: marked("joined", ca.encode(file), file.CACerts.TLS[0])},
		"with its certificate beside it":    {Identity: marked("aside", ca.encode(aside))},
		"a key pair":                        pair,
	} {
		if _, err := Load(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, order := range []string{"\xff\xfe", "\xfe\xff"} {
		wide := put(t, filepath.Join(dir, "wide"), []byte(order+"-\x00-\x00"))
		_, err := Load(Credentials{Identity: wide})
		if want := "the credentials file " + wide + " is in UTF-16, as Windows writes it; save it as UTF-8"; !errors.Is(err, ErrMalformed) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestLoadFindsTheSSHCertificateBesideTheIdentityFile(t *testing.T) {
	ca := newPKI(t, "example.com")
	file := ca.issue(time.Now(), time.Now().Add(time.Hour))
	path := filepath.Join(t.TempDir(), "identity")
	put(t, keypaths.IdentitySSHCertPath(path), file.Certs.SSH)
	file.Certs.SSH = nil
	put(t, path, ca.encode(file))
	if _, err := Load(Credentials{Identity: path}); err != nil {
		t.Fatal(err)
	}
}

func TestHashFollowsTheContentOfEveryFile(t *testing.T) {
	base := content{[]byte("key"), []byte("cert"), []byte("cas")}
	for name, other := range map[string]content{
		"changed":      {[]byte("key"), []byte("cert"), []byte("CAS")},
		"moved across": {[]byte("keyc"), []byte("ert"), []byte("cas")},
	} {
		if base.hash() == other.hash() {
			t.Errorf("%s: same hash", name)
		}
	}
}

// loadFault is a way to spoil an identity file and the sentence it leads to.
type loadFault struct {
	name  string
	spoil func(t *testing.T, ca *pki, path string)
	kind  error
	want  string // regular expression; FILE stands for the path
}

func writes(make func(ca *pki) []byte) func(*testing.T, *pki, string) {
	return func(t *testing.T, ca *pki, path string) { put(t, path, make(ca)) }
}

func life(from, to time.Duration) func(*testing.T, *pki, string) {
	return writes(func(ca *pki) []byte {
		return ca.encode(ca.issue(time.Now().Add(from), time.Now().Add(to)))
	})
}

func without(change func(ca *pki, f *identityfile.IdentityFile)) func(*testing.T, *pki, string) {
	return writes(func(ca *pki) []byte {
		f := ca.issue(time.Now(), time.Now().Add(time.Hour))
		change(ca, f)
		return ca.encode(f)
	})
}

func loadFaults() []loadFault {
	const ts = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`
	return []loadFault{
		{"absent", func(*testing.T, *pki, string) {}, ErrMissing, "the credentials file FILE does not exist"},
		{"directory", func(t *testing.T, _ *pki, p string) {
			if err := os.Mkdir(p, 0o700); err != nil {
				t.Fatal(err)
			}
		}, ErrUnreadable, "the credentials file FILE is a folder, not a file"},
		{"empty", writes(func(*pki) []byte { return nil }), ErrMalformed, "FILE is not an identity file: it is empty"},
		{
			"something else", writes(func(*pki) []byte { return []byte("[teleport]\naddr = 1\n") }), ErrMalformed,
			"FILE is not an identity file: it holds no keys",
		},
		{
			"cut short", writes(func(ca *pki) []byte { return ca.fresh(time.Hour)[:150] }), ErrMalformed,
			"FILE is not an identity file: it is cut short",
		},
		{
			"no SSH certificate", without(func(_ *pki, f *identityfile.IdentityFile) { f.Certs.SSH = nil }), ErrMalformed,
			"FILE is not an identity file: it lacks an SSH certificate",
		},
		{
			"no authorities", without(func(_ *pki, f *identityfile.IdentityFile) { f.CACerts.TLS = nil }), ErrMalformed,
			"FILE is not an identity file: it lacks the cluster's certificate authorities",
		},
		{
			"no TLS certificate", without(func(_ *pki, f *identityfile.IdentityFile) { f.Certs.TLS, f.CACerts.TLS = nil, nil }), ErrMalformed,
			"FILE is not an identity file: it lacks a private key or a TLS certificate",
		},
		{"foreign key", without(func(ca *pki, f *identityfile.IdentityFile) {
			f.PrivateKey = ca.issue(time.Now(), time.Now().Add(time.Hour)).PrivateKey
		}), ErrMalformed, "the private key for FILE is damaged or does not belong to its certificate"},
		{
			"expired hours ago", life(-30*time.Hour, -3*time.Hour-time.Minute), ErrExpired,
			"the identity in FILE expired at " + ts + ` \(3 hours ago\); issue a new one with .tctl auth sign. or let tbot renew it`,
		},
		{"expired a second ago", life(-time.Hour, -time.Second), ErrExpired, `the identity in FILE expired at ` + ts + ` \(\d seconds? ago\); .*`},
		{
			"begins tomorrow", life(25*time.Hour, 50*time.Hour), ErrNotYetValid,
			"the identity in FILE is not valid before " + ts + ` \(in 2[45] hours\); check this machine's clock`,
		},
	}
}

func TestLoadSaysInOneSentenceWhatIsWrong(t *testing.T) {
	ca := newPKI(t, "example.com")
	for _, tc := range loadFaults() {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "identity")
			tc.spoil(t, ca, path)
			_, err := Load(Credentials{Identity: path})
			wantFault(t, err, tc.kind, strings.ReplaceAll(tc.want, "FILE", regexp.QuoteMeta(path)))
		})
	}
}

// wantFault checks an error's kind and, as a regular expression, its whole text.
func wantFault(t *testing.T, err, kind error, want string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got error %v, want kind %q", err, kind)
	}
	if !regexp.MustCompile("^" + want + "$").MatchString(err.Error()) {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 {
		t.Errorf("not one sentence: %s", err)
	}
}

func TestLoadNamesAnUnreadableFile(t *testing.T) {
	// Root reads everything, so the system's refusal is made up.
	err := readFault("/etc/identity", &os.PathError{Op: "open", Path: "/etc/identity", Err: os.ErrPermission})
	wantFault(t, err, ErrUnreadable, `the credentials file /etc/identity is not readable for this process; give it to user id \d+ with chown, or run the plugin as its owner`)
}

func TestLoadToleratesASlowClock(t *testing.T) {
	ca := newPKI(t, "example.com")
	path := put(t, filepath.Join(t.TempDir(), "identity"), ca.encode(ca.issue(time.Now().Add(30*time.Second), time.Now().Add(time.Hour))))
	if _, err := Load(Credentials{Identity: path}); err != nil {
		t.Fatal(err)
	}
}

func TestLoadOfKeyPairNamesTheFileAtFault(t *testing.T) {
	ca := newPKI(t, "example.com")
	file := ca.issue(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	old := ca.issue(time.Now().Add(-4*time.Hour), time.Now().Add(-2*time.Hour-time.Minute))
	cases := []struct {
		name           string
		key, cert, cas []byte
		kind           error
		want           string
	}{
		{"key of another", old.PrivateKey, file.Certs.TLS, ca.caPEM(), ErrMalformed, "the private key for CRT is damaged or does not belong to its certificate"},
		{"no certificate", file.PrivateKey, []byte("x"), ca.caPEM(), ErrMalformed, "CRT holds no PEM certificate"},
		{"damaged certificate", file.PrivateKey, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), ca.caPEM(), ErrMalformed, "the certificate in CRT cannot be parsed"},
		{"no authorities", file.PrivateKey, file.Certs.TLS, []byte("x"), ErrMalformed, "CAS holds no PEM certificates"},
		{"expired", old.PrivateKey, old.Certs.TLS, ca.caPEM(), ErrExpired, `the identity in CRT expired at .* \(2 hours ago\); .*`},
		{"absent authorities", file.PrivateKey, file.Certs.TLS, nil, ErrMissing, "the credentials file CAS does not exist"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			c := Credentials{
				ClientKey:  put(t, filepath.Join(dir, "key"), tc.key),
				ClientCert: put(t, filepath.Join(dir, "crt"), tc.cert),
				RootCAs:    filepath.Join(dir, "cas"),
			}
			if tc.cas != nil {
				put(t, c.RootCAs, tc.cas)
			}
			_, err := Load(c)
			want := strings.NewReplacer("CRT", regexp.QuoteMeta(c.ClientCert), "CAS", regexp.QuoteMeta(c.RootCAs)).Replace(tc.want)
			wantFault(t, err, tc.kind, want)
		})
	}
}

func TestLoadWantsAllOrNothing(t *testing.T) {
	for _, c := range []Credentials{{}, {ClientKey: "k"}, {ClientKey: "k", ClientCert: "c"}, {RootCAs: "r"}} {
		_, err := Load(c)
		wantFault(t, err, ErrMissing, "no Teleport credentials: set identity, or all of client_key, client_crt and root_cas")
	}
}

func TestSpanIsSaidAsAPersonWould(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                            "0 seconds",
		time.Second:                  "1 second",
		59 * time.Second:             "59 seconds",
		time.Minute:                  "1 minute",
		119 * time.Minute:            "1 hour",
		47 * time.Hour:               "47 hours",
		48 * time.Hour:               "2 days",
		400*24*time.Hour + time.Hour: "400 days",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
}

// FuzzLoad holds that no content makes Load panic, leak key material into its
// error, or succeed without a whole identity.
func FuzzLoad(f *testing.F) {
	whole := newPKI(f, "example.com").fresh(time.Hour)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(bytes.ReplaceAll(whole, []byte("A"), []byte("B")))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, err := parse(Credentials{Identity: "identity"}, content{raw})
		if err == nil {
			if id.creds == nil || id.NotAfter.IsZero() {
				t.Fatalf("half an identity: %+v", id)
			}
			return
		}
		if !errors.Is(err, ErrMalformed) {
			t.Fatalf("untyped error: %v", err)
		}
		if len(err.Error()) > 200 {
			t.Fatalf("error of %d bytes", len(err.Error()))
		}
	})
}
