package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
)

// What every user of the machine can read or write is warned of; what they can write
// is grave.
func TestFilesThatAreOpenToAll(t *testing.T) {
	const (
		read    = "every user of this machine can read the "
		written = "every user of this machine can write the "
		noRead  = "; take the permission away with chmod o-r\n"
		noWrite = "; take the permission away with chmod o-w\n"
	)
	for name, c := range map[string]struct {
		keys       string // FILE stands for a path
		mode       os.FileMode
		warn, also string // of the warnings: begin and, where there are two, the other
		grave      bool
	}{
		"an identity for its owner": {keys: "[teleport]\nidentity = \"FILE\"\n[service]\ntoken = \"t\"\n", mode: 0o640},
		"an identity that all read": {
			"[teleport]\nidentity = \"FILE\"\n[service]\ntoken = \"t\"\n", 0o644,
			"config.toml:2: teleport.identity: " + read + "identity file \"FILE\"" + noRead, "", false,
		},
		"an identity that all write": {
			"[teleport]\nidentity = \"FILE\"\n[service]\ntoken = \"t\"\n", 0o622,
			"config.toml:2: teleport.identity: " + written + "identity file \"FILE\"" + noWrite, "", true,
		},
		"a secret that all read and write": {
			"[teleport]\nidentity = \"/no/where\"\n[service]\ntoken = \"FILE\"\n", 0o666,
			"config.toml:4: service.token: " + written + "secret file \"FILE\"" + noWrite,
			"config.toml:4: service.token: " + read + "secret file \"FILE\"" + noRead, true,
		},
		"a private key that all read": {
			"[teleport]\nclient_key = \"FILE\"\nclient_crt = \"/no/where\"\nroot_cas = \"/no/where\"\n[service]\ntoken = \"t\"\n", 0o644,
			"config.toml:2: teleport.client_key: " + read + "private key \"FILE\"" + noRead, "", false,
		},
		"a certificate that all read": {
			keys: "[teleport]\nclient_key = \"/no/where\"\nclient_crt = \"FILE\"\nroot_cas = \"/no/where\"\n[service]\ntoken = \"t\"\n", mode: 0o644,
		},
		"authorities that all write": {
			"[teleport]\nclient_key = \"/no/where\"\nclient_crt = \"/no/where\"\nroot_cas = \"FILE\"\n[service]\ntoken = \"t\"\n", 0o646,
			"config.toml:4: teleport.root_cas: " + written + "file of certificate authorities \"FILE\"" + noWrite, "", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			write(t, path, planted, 0)
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			_, report := mustLoad(t, strings.ReplaceAll(c.keys, "FILE", path)+"[role_to_recipients]\n\"*\" = \"all\"\n")
			got := strings.ReplaceAll(messages(report.Warnings), path, "FILE")
			if got != c.warn+c.also {
				t.Errorf("got\n%s\nwant\n%s%s", got, c.warn, c.also)
			}
			if err := report.Strict(); (err != nil) != c.grave {
				t.Errorf("a command that checks says %v", err)
			}
		})
	}
}

func TestAConfigThatIsOpenToAll(t *testing.T) {
	t.Setenv("CONFIG_TEST_SECRET", "x")
	const told = "config.toml:5: service.token: every user of this machine can read this file, and with it the secret; " +
		"take the permission away with chmod o-r, or write the secret into a file of its own\n"
	for name, c := range map[string]struct {
		token string
		mode  os.FileMode
		want  string
		grave bool
	}{
		"its owner's":              {"t0ken", 0o640, "", false},
		"read, with a secret":      {"t0ken", 0o644, told, false},
		"read, without secrets":    {"env:CONFIG_TEST_SECRET", 0o644, "", false},
		"written, without secrets": {"env:CONFIG_TEST_SECRET", 0o662, "config.toml: every user of this machine can write this file; take the permission away with chmod o-w\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.toml")
			write(t, path, strings.Replace(minimal, "t0ken", c.token, 1), 0)
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			report, err := config.Load(path, defaults())
			if err != nil || messages(report.Warnings) != c.want || (report.Strict() != nil) != c.grave {
				t.Errorf("got %v and %s (strict: %v), want %s", err, messages(report.Warnings), report.Strict(), c.want)
			}
		})
	}
}

// Whoever may write to a directory can put another file in the place of one in it, unless
// it is sticky.
func TestDirectoriesThatAreOpenToAll(t *testing.T) {
	for mode, warns := range map[os.FileMode]bool{0o755: false, 0o777: true, 0o777 | os.ModeSticky: false} {
		dir := filepath.Join(t.TempDir(), "open")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "file")
		write(t, path, planted, 0)
		if err := errors.Join(os.Chmod(path, 0o600), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
		_, report := mustLoad(t, "[teleport]\nidentity = \""+path+"\"\n[service]\ntoken = \"t\"\n[role_to_recipients]\n\"*\" = \"all\"\n")
		want := "teleport.identity: every user of this machine can replace the identity file"
		if got := messages(report.Warnings); strings.Contains(got, want) != warns || (report.Strict() != nil) != warns {
			t.Errorf("%v: got %q", mode, got)
		}
	}
}

// A proxy that cannot be understood is passed by, which nobody would notice.
func TestProxiesOfTheEnvironment(t *testing.T) {
	const fault = "this is not the address of a proxy, so that calls fail or go past it; write for example http://proxy.example.com:3128, or remove the variable\n"
	for value, wrong := range map[string]bool{
		"":                                false,
		"http://proxy.example.com:3128":   false,
		"https://u:pw@proxy.example.com/": false,
		"socks5://127.0.0.1:1080":         false,
		"proxy.example.com:3128":          false,
		"proxy":                           false,
		"http://":                         true,
		"http://proxy:port":               true,
		"ftp://proxy.example.com":         true,
		"http//proxy:%zz@x":               true,
		"http://a b:3128":                 true,
		"http://user:pass%word@proxy":     true,
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
			t.Run(name+"="+value, func(t *testing.T) {
				for _, other := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
					t.Setenv(other, "")
				}
				t.Setenv(name, value)
				_, report := mustLoad(t, minimal)
				want := ""
				if wrong {
					want = "environment: " + name + ": " + fault
				}
				if got := messages(report.Warnings); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
	}
}

func TestWebAddresses(t *testing.T) {
	const (
		standard = "https://api.example.com/rest/"
		none     = "config.toml: address: this is not a web address; write for example " + standard + "\n"
		site     = "config.toml: address: this leads to the service's web site and not to its API; write " + standard + "\n"
		plain    = "config.toml: address: http:// shows the credentials and every message to all who are on the way; write https://\n"
	)
	for text, want := range map[string]string{
		standard:                          "",
		"https://api.example.com/rest":    "",
		"https://API.example.com/rest/v2": "",
		"https://api.example.com":         site,
		"https://api.example.com/restive": site,
		"http://api.example.com/rest":     plain,
		"http://proxy.example.com/x":      plain,
		"https://proxy.example.com":       "",
		"http://localhost:8080":           "",
		"http://127.0.0.5:8080":           "",
		"http://[::1]:8080":               "",
		"http://127.0.0.1.example.com":    plain,
		"api.example.com/rest":            none,
		"ftp://api.example.com/rest":      none,
		"https://":                        none,
		"http://[":                        none,
	} {
		t.Run(text, func(t *testing.T) {
			if got := checks(t, "", func(f *config.Faults) { f.WebAddress("address", text, standard) }); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// checked is a config whose validation is given.
type checked struct {
	Address string             `toml:"address"`
	CAFile  config.Authorities `toml:"ca_file"`
	with    func(f *config.Faults)
}

func (c *checked) Validate(f *config.Faults) { c.with(f) }

// checks gives what a validation has to say.
func checks(t *testing.T, text string, with func(f *config.Faults)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	write(t, path, text, 0)
	report, err := config.Load(path, &checked{with: with})
	var faults *config.Error
	if errors.As(err, &faults) {
		return messages(faults.Faults) + messages(report.Warnings)
	}
	if err != nil {
		t.Fatal(err)
	}
	return messages(report.Warnings)
}
