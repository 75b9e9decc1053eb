package e2e_test

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"teleport-plugins/access/e2e/harness"
)

// run runs the binary to its end.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary(t), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestVersionLine(t *testing.T) {
	info, err := buildinfo.ReadFile(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := run(t, "version")
	// A build that knows no reference of its source leaves out the middle.
	want := regexp.MustCompile(`^teleport-` + service() + ` v[0-9]\S* (git:\S+ )?` + regexp.QuoteMeta(info.GoVersion) + "\n$")
	if code != 0 || stderr != "" || !want.MatchString(stdout) {
		t.Errorf("exit code %d, %q, errors %q", code, stdout, stderr)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string // on standard error
	}{
		{nil, 0, "usage: teleport-" + service()},
		{[]string{"help"}, 0, "usage: teleport-" + service()},
		{[]string{"--help"}, 0, "usage: teleport-" + service()},
		{[]string{"start", "--nonsense"}, 1, "nonsense"},
		{[]string{"nonsense"}, 1, "nonsense"},
		{[]string{"version", "nonsense"}, 1, "nonsense"},
		{[]string{"version", "@nonsense"}, 1, "unexpected @nonsense"},
		{[]string{"explain", "--user", "@bob", "--role", "@admin", "-c", "/nonexistent.toml"}, 1, "/nonexistent.toml"},
		{[]string{"start", "-c", "/nonexistent.toml"}, 1, "/nonexistent.toml"},
		{[]string{"start", "--pid-file=/run/x.pid", "-c", "/nonexistent.toml"}, 1, "/nonexistent.toml"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			stdout, stderr, code := run(t, c.args...)
			if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d, output %q, errors %q", code, stdout, stderr)
			}
		})
	}
}

// The example is a config once its credentials and recipients are filled in, in
// the first lines where it shows them.
func TestExampleConfigWorks(t *testing.T) {
	w := start(t, harness.Options{Halted: true, Args: []string{"--pid-file=/nonexistent/never-written.pid"}})
	text, _, code := run(t, "configure")
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	identity := regexp.MustCompile(`identity = "(.*)"`).FindStringSubmatch(read(t, w.ConfigPath))[1]
	values := map[string]any{"addr": w.Cluster.Addr(), "identity": identity, `"\*"`: w.channel()}
	maps.Copy(values, w.Service().Config()[service()].(map[string]any))
	for key, value := range values {
		if value, ok := value.(string); ok {
			text = fill(t, text, key, value)
		}
	}
	w.must(os.WriteFile(w.ConfigPath, []byte(text), 0o600))
	w.must(w.StartReplicas())
	w.untilPosted(w.request())
	if stdout, stderr, code := run(t, "check", "-c", w.ConfigPath); code != 0 {
		t.Errorf("check finds fault with it: exit code %d, %s%s", code, stdout, stderr)
	}
}

// What an app may do without is no fault.
func TestCheckTellsWhatIsMissingWithoutHarm(t *testing.T) {
	o := harness.Options{Service: service(), Halted: true}
	if !o.Blind() {
		t.Skip("nothing can be missing without harm")
	}
	w := start(t, o)
	stdout, stderr, code := run(t, "check", "-c", w.ConfigPath)
	if want := "note  looking messages up: off"; code != 0 || !strings.Contains(stdout, want) {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fill sets a key in the line that shows it, be it a comment or not.
func fill(t *testing.T, text, key, value string) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^(?:# )?(` + key + `) = ".*"$`)
	at := line.FindStringIndex(text)
	if at == nil {
		t.Fatalf("the example does not show %s", key)
	}
	return text[:at[0]] + line.ReplaceAllString(text[at[0]:at[1]], fmt.Sprintf("$1 = %q", value)) + text[at[1]:]
}

// Credentials that the service refuses end the start, since only a person can
// correct that.
func TestRefusedToken(t *testing.T) {
	w := start(t, harness.Options{Halted: true})
	w.RefuseToken()
	stdout, stderr, code := run(t, "start", "-c", w.ConfigPath)
	if code != 1 || !strings.Contains(stderr, "credentials") || strings.Contains(stdout+stderr, w.Service().Token()) {
		t.Errorf("exit code %d, output %q, errors %q", code, stdout, stderr)
	}
}
