package config_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

const minimal = `
[teleport]
identity = "/var/lib/id"
[service]
token = "t0ken"
[role_to_recipients]
"*" = "all"
`

// load writes the text to a file named config.toml and loads it.
func load(t testing.TB, text string) (*sample, config.Report, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	into := defaults()
	report, err := config.Load(path, into)
	return into, report, err
}

// mustLoad is load for a text without faults.
func mustLoad(t testing.TB, text string) (*sample, config.Report) {
	t.Helper()
	into, report, err := load(t, text)
	if err != nil {
		t.Fatalf("unexpected faults:\n%v", err)
	}
	return into, report
}

// messages renders problems without the directory of the file.
func messages(problems []config.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		p.File = filepath.Base(p.File)
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

func TestEveryFixtureGivesItsMessages(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/*.toml")
	if err != nil || len(fixtures) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, fixture := range fixtures {
		t.Run(filepath.Base(fixture), func(t *testing.T) {
			text, err := os.ReadFile(fixture)
			if err != nil {
				t.Fatal(err)
			}
			private := filepath.Join(t.TempDir(), filepath.Base(fixture)) // as a config should be
			if err := os.WriteFile(private, text, 0o600); err != nil {
				t.Fatal(err)
			}
			report, err := config.Load(private, defaults())
			got := "warnings:\n" + messages(report.Warnings) + "faults:\n"
			if faults := (*config.Error)(nil); errors.As(err, &faults) {
				got += messages(faults.Faults)
			} else if err != nil {
				t.Fatalf("Load gave %T", err)
			}
			golden(t, strings.TrimSuffix(fixture, ".toml")+".golden", got)
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestWhatTheFileSaysIsLoaded(t *testing.T) {
	got, report := mustLoad(t, `
TeleportUser = "robot"
[teleport]
addr = "proxy.example.com:443"
identity = "/var/lib/id"
refresh_identity = false
refresh_identity_interval = "90s"
[service]
token = "t0ken"
channels = ["a", "b"]
limit = 3
ratio = 2
labels = { team = "infra" }
Deep.on = true
[[service.routes]]
name = "first"
[[service.routes]]
name = "second"
[role_to_recipients]
"*" = "all"
admin = ["x", "y"]
[log]
output = "2"
severity = "WARNING"
format = "JSON"
`)
	if len(report.Warnings) != 0 {
		t.Errorf("warnings:\n%s", messages(report.Warnings))
	}
	checks := map[string]bool{
		"user":      got.TeleportUser == "robot",
		"addr":      got.Teleport.Addr == "proxy.example.com:443",
		"refresh":   !got.Teleport.RefreshIdentity,
		"interval":  got.Teleport.RefreshIdentityInterval == config.Duration(90*time.Second),
		"channels":  len(got.Service.Channels) == 2 && got.Service.Channels[1] == "b",
		"limit":     got.Service.Limit == 3,
		"ratio":     got.Service.Ratio == 2,
		"labels":    got.Service.Labels["team"] == "infra",
		"deep":      got.Service.Deep.On,
		"routes":    len(got.Service.Routes) == 2 && got.Service.Routes[1].Name == "second",
		"default":   got.Service.APIURL == "https://service.example.com/",
		"recipient": len(got.RoleToRecipients["admin"]) == 2,
		"log":       got.Log == config.Log{Output: "stderr", Severity: "warn", Format: "json"},
	}
	for name, ok := range checks {
		if !ok {
			t.Errorf("%s is wrong in %+v", name, got)
		}
	}
}

func TestSpellingsInUseAreAccepted(t *testing.T) {
	for _, key := range []string{"api_url", "API_URL", "Api_url", "apiurl", "APIURL", "apiURL"} {
		t.Run(key, func(t *testing.T) {
			text := strings.Replace(minimal, "[service]", "[Service]\n"+key+` = "https://other.example.com/"`, 1)
			got, report := mustLoad(t, text)
			if got.Service.APIURL != "https://other.example.com/" || len(report.Warnings) != 0 {
				t.Errorf("got %q, warnings %v", got.Service.APIURL, report.Warnings)
			}
		})
	}
}

func TestLeastConfigGetsDefaults(t *testing.T) {
	got, report := mustLoad(t, minimal)
	want := config.Teleport{
		Addr: "localhost:3025", Identity: "/var/lib/id",
		RefreshIdentity: true, RefreshIdentityInterval: config.Duration(time.Minute),
	}
	if got.Teleport != want {
		t.Errorf("got %+v, want %+v", got.Teleport, want)
	}
	if got.Log != config.DefaultLog() {
		t.Errorf("got %+v", got.Log)
	}
	if len(report.Warnings) != 0 {
		t.Errorf("warnings:\n%s", messages(report.Warnings))
	}
}

func TestOldAddressIsUsedOnlyWithoutTheNew(t *testing.T) {
	for name, c := range map[string]struct{ keys, want string }{
		"old alone": {`auth_server = "old:3025"`, "old:3025"},
		"both":      {"auth_server = \"old:3025\"\naddr = \"new:3025\"", "new:3025"},
		"new empty": {"auth_server = \"old:3025\"\naddr = \"\"", "old:3025"},
	} {
		t.Run(name, func(t *testing.T) {
			got, report := mustLoad(t, strings.Replace(minimal, "[teleport]", "[teleport]\n"+c.keys, 1))
			if got.Teleport.Addr != c.want {
				t.Errorf("got %q, want %q", got.Teleport.Addr, c.want)
			}
			if warned := messages(report.Warnings); !strings.Contains(warned, "deprecated; write addr instead") {
				t.Errorf("warnings:\n%s", warned)
			}
		})
	}
}

func TestStrictTurnsUnknownKeysIntoFaults(t *testing.T) {
	_, report := mustLoad(t, minimal+"\n[http]\nport = 1\n")
	if err := report.Strict(); err != nil {
		t.Errorf("a deprecated key is no fault, got %v", err)
	}
	_, report = mustLoad(t, minimal+"\n[htp]\nport = 1\n")
	if err := report.Strict(); err == nil || !strings.Contains(err.Error(), "config.toml:9: htp: this key is unknown") {
		t.Errorf("got %v", err)
	}
}

func TestMissingFileIsOneFault(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "none.toml"), defaults())
	var faults *config.Error
	if !errors.As(err, &faults) || len(faults.Faults) != 1 || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "none.toml: there is no such file; ") {
		t.Errorf("got %v", err)
	}
}

func TestByteOrderMarkAndCRLF(t *testing.T) {
	_, _, err := load(t, "\ufeff"+strings.ReplaceAll(minimal+"[log]\nseverity = \"loud\"\n", "\n", "\r\n"))
	if err == nil || !strings.Contains(err.Error(), "config.toml:9: log.severity: ") {
		t.Errorf("got %v", err)
	}
}
