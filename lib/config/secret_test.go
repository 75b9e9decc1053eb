package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"teleport-plugins/lib/config"
)

const planted = "xoxb-PLANTED-9f8e7d"

// write replaces a file as a careful tool does, by renaming, and gives it a time
// of its own so that no two versions look alike.
func write(t *testing.T, path, content string, version int) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(int64(1_700_000_000+version), 0)
	if err := os.Chtimes(path+".new", at, at); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, s config.Secret, want string) {
	t.Helper()
	if got, err := s.Read(); err != nil || got != want {
		t.Fatalf("got %q and %v, want %q", got, err, want)
	}
}

func TestSecretSources(t *testing.T) {
	t.Setenv("CONFIG_TEST_SECRET", "from-env")
	t.Setenv("CONFIG_TEST_NEWLINE", "\t from-env \r\n")
	path := filepath.Join(t.TempDir(), "secret")
	long := strings.Repeat("long", 2000)
	write(t, path, " \n"+long+"\r\n", 0)
	bom := filepath.Join(t.TempDir(), "secret")
	write(t, bom, "\ufeffmarked\r\n", 0)
	for text, want := range map[string]string{
		"plain":                  "plain",
		"\n plain\n":             "plain",
		"env:CONFIG_TEST_SECRET": "from-env",
		// As `export NAME="$(…)\n"` or a secret of a cluster made with echo gives it.
		"env:CONFIG_TEST_NEWLINE": "from-env",
		path:                      long,
		bom:                       "marked",
	} {
		mustRead(t, config.NewSecret(text), want)
	}
	if s := config.NewSecret(""); s.IsSet() {
		t.Error("the empty secret counts as set")
	} else if _, err := s.Read(); err == nil {
		t.Error("the empty secret can be read")
	}
}

func TestASecretOfWhichNothingIsLeftIsNamed(t *testing.T) {
	t.Setenv("CONFIG_TEST_EMPTY", " \n")
	path := filepath.Join(t.TempDir(), "secret")
	write(t, path, "\ufeff \n", 0)
	for text, want := range map[string]string{
		"env:CONFIG_TEST_EMPTY":  `the environment variable "CONFIG_TEST_EMPTY" is empty`,
		"env:CONFIG_TEST_ABSENT": `the environment variable "CONFIG_TEST_ABSENT" is not set`,
		" \n":                    "the secret is not set",
		path:                     fmt.Sprintf("the secret file %q is empty", path),
	} {
		if _, err := config.NewSecret(text).Read(); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestSecretFileFollowsItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	write(t, path, "first", 1)
	secret := config.NewSecret(path)
	copied := secret
	mustRead(t, secret, "first")

	write(t, path, "other", 2)
	mustRead(t, secret, "other")
	mustRead(t, copied, "other")

	t.Run("an emptied file does not take the value away", func(t *testing.T) {
		write(t, path, " \n", 3)
		mustRead(t, secret, "other")
		if err := secret.Problem(); err == nil || !strings.Contains(err.Error(), "is empty") {
			t.Errorf("got problem %v", err)
		}
	})
	t.Run("nor does a removed one", func(t *testing.T) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		mustRead(t, secret, "other")
		if secret.Problem() == nil {
			t.Error("no problem is told")
		}
	})
	t.Run("a mended one is taken up", func(t *testing.T) {
		write(t, path, "last", 4)
		mustRead(t, secret, "last")
		if err := secret.Problem(); err != nil {
			t.Errorf("got problem %v", err)
		}
	})
}

func TestSecretFollowsSymlinkSwap(t *testing.T) {
	dir := t.TempDir()
	for version, content := range []string{"one", "two"} {
		versioned := filepath.Join(dir, content)
		if err := os.Mkdir(versioned, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(versioned, "token"), content, 0*version) // same time, same size
	}
	link := func(target string) {
		if err := os.Symlink(target, filepath.Join(dir, "tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	link("one")
	secret := config.NewSecret(filepath.Join(dir, "..data", "token"))
	mustRead(t, secret, "one")
	link("two")
	mustRead(t, secret, "two")
}

func TestSecretFileThatIsNoFile(t *testing.T) {
	for path, want := range map[string]string{t.TempDir(): "is a folder, not a file", os.DevNull: "is a pipe or a device"} {
		if _, err := config.NewSecret(path).Read(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v", err)
		}
	}
	path := filepath.Join(t.TempDir(), "huge")
	write(t, path, strings.Repeat("x", 1<<20+1), 0)
	if _, err := config.NewSecret(path).Read(); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestSecretIsReadByMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	write(t, path, "value", 0)
	secret := config.NewSecret(path)
	done := make(chan error)
	for range 8 {
		go func() {
			got, err := secret.Read()
			if err == nil && got != "value" {
				err = fmt.Errorf("got %q", got)
			}
			done <- err
		}()
	}
	write(t, path, "value", 1)
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestSecretNeverShows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	write(t, path, planted, 0)
	fromFile := config.NewSecret(path)
	mustRead(t, fromFile, planted)
	for _, secret := range []config.Secret{config.NewSecret(planted), fromFile} {
		nested := struct {
			Public config.Secret
			hidden config.Secret
			List   []config.Secret
		}{secret, secret, []config.Secret{secret}}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			for _, value := range []any{secret, &secret, nested, &nested} {
				if out := fmt.Sprintf(format, value); strings.Contains(out, planted) || strings.Contains(out, fmt.Sprintf("%x", planted)) {
					t.Errorf("%s of %T shows the secret: %s", format, value, out)
				}
			}
		}
		if out := encodings(t, secret); strings.Contains(out, planted) || strings.Count(out, "[redacted]") != 6 {
			t.Errorf("got %s", out)
		}
	}
}

// encodings gives the secret in JSON, TOML and the forms of the logger.
func encodings(t *testing.T, secret config.Secret) string {
	t.Helper()
	holder := map[string]config.Secret{"token": secret}
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(holder); err != nil {
		t.Fatal(err)
	}
	if err := toml.NewEncoder(&out).Encode(holder); err != nil {
		t.Fatal(err)
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out), zap.DebugLevel)
	zap.New(core).Info("", zap.Any("any", secret), zap.Stringer("stringer", secret), zap.Reflect("reflect", holder))
	fmt.Fprint(&out, secret)
	return out.String()
}

func TestSecretGivenByFileKey(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token.txt"), planted, 0)
	path := filepath.Join(dir, "config.toml")
	write(t, path, strings.Replace(minimal, `token = "t0ken"`, `Token_File = "token.txt"`, 1), 0)
	into := defaults()
	report, err := config.Load(path, into)
	if err != nil || len(report.Warnings) != 0 {
		t.Fatalf("got %v and %v", report, err)
	}
	mustRead(t, into.Service.Token, planted)
}

func TestSecretFileThatAllMayReadIsAWarning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	write(t, path, planted, 0)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, report := mustLoad(t, strings.Replace(minimal, "t0ken", path, 1))
	if got := messages(report.Warnings); !strings.HasPrefix(got, "config.toml:5: service.token: every user of this machine can read the secret file") {
		t.Errorf("got %q", got)
	}
}

// FuzzLoad feeds text to Load with a secret planted as the token. It must not
// panic and no message may show the secret.
func FuzzLoad(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""},
		{"a=1", "[log]\nseverity='x'"},
		{"[service]", "limit = 'x'\n[service.deep]\nON=3"},
		{"[service]\ntoken_file=3", ""},
		{"service = [", "]"},
		{"[[service]]", ""},
		{"[service]\nroutes=[{name=1},2]", ""},
		{"[role_to_recipients]\n'*'=[[]]\n[teleport]\nrefresh_identity_interval='x'\n[service]", "http={}"},
		{"[service]\nx = {", "}"},
		{"[service]\nlabels = [\"", "\"]"},
		{"teleportuser=", ""},
	} {
		for _, value := range []string{`"` + planted + `"`, planted, `"` + planted, `'` + planted + `'`, `["` + planted + `"]`, `{a="` + planted + `"}`} {
			f.Add(seed[0], value, seed[1])
		}
	}
	f.Fuzz(func(t *testing.T, before, value, after string) {
		if strings.Contains(before+after, "PLANTED") || !strings.Contains(value, planted) {
			t.Skip("the secret must stand in the value")
		}
		if strings.Contains(value, "\n") || strings.Contains(before, `'''`) || strings.Contains(before, `"""`) {
			t.Skip("the secret might stand in a key, or in the value of another key, which may be shown")
		}
		into, report, err := load(t, before+"\ntoken = "+value+"\n"+after)
		if shown := fmt.Sprintf("%v %v %+v", report, err, into.Service.Token); strings.Contains(shown, "PLANTED") {
			t.Errorf("the secret shows: %s", shown)
		}
	})
}
