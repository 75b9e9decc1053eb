package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"teleport-plugins/lib/document"
	"teleport-plugins/lib/plugin"
)

// run runs a command of the program.
func run(args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	code = plugin.Run(Integration(), args, &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

func TestSchemaIsPrinted(t *testing.T) {
	for _, args := range [][]string{{"schema"}, {"schema", "--answer"}} {
		out, errs, code := run(args...)
		if !json.Valid([]byte(out)) || errs != "" || code != 0 {
			t.Errorf("%q: exit code %d, %s%s", args, code, out, errs)
		}
	}
}

func TestTry(t *testing.T) {
	answer := ""
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		witness, _ := standard.NewWebhook(secret)
		if err := witness.Verify(body, r.Header); err != nil {
			t.Error(err)
		}
		if answer == "fail" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, answer)
	})
	event := filepath.Join(t.TempDir(), "event.json")
	text, _ := document.Example("created")
	if err := os.WriteFile(event, bytes.Replace(text, []byte("prod-admin"), []byte("dev-db"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	const all = "enabled = true\nroles = [\"*\"]\n"
	for name, tc := range map[string]struct {
		answer, decide string
		args           []string
		want           string
		code           int
	}{
		"off":              {yes, "", nil, "Decided would be: nothing, since decide.enabled is not true.", 0},
		"approval":         {yes, all, nil, "Decided would be: approval, if every other required endpoint", 0},
		"denial":           {no, all, nil, "Decided would be: denial, whatever other endpoints say.", 0},
		"none":             {"", all, nil, "Decided would be: nothing; it is left to people.", 0},
		"not understood":   {"approve", all, nil, "Decided would be: nothing: the answer is not JSON", 0},
		"not allowed":      {yes, all + "allow = [\"deny\"]\n", nil, "nothing, since decide.allow does not list approve.", 0},
		"a role outside":   {yes, enabled, nil, "asks for a role that decide.roles does not list", 0},
		"a file":           {yes, enabled, []string{"--request", event}, "Decided would be: approval", 0},
		"after the end":    {yes, all, []string{"--example", "approved"}, "only the answers to created and reviewed count", 0},
		"failure":          {"fail", all, nil, "Outcome: not told, and tried again later.", 1},
		"unknown endpoint": {yes, all, []string{"--endpoint", "gate"}, "", 1},
		"missing file":     {yes, all, []string{"--request", "/nowhere"}, "", 1},
		"no end":           {yes, all, []string{"--request", "/dev/zero"}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "webhook.toml")
			sections := at(url, fmt.Sprintf("secret = %q\nheaders = { X-Key = \"hunter2\" }", secret)) + "[decide]\n" + tc.decide
			if err := os.WriteFile(path, []byte(least+sections), 0o600); err != nil {
				t.Fatal(err)
			}
			answer = tc.answer
			args := append([]string{"try", "-c", path}, tc.args...)
			if !strings.Contains(strings.Join(args, " "), "--endpoint") {
				args = append(args, "--endpoint", "portal")
			}
			out, errs, code := run(args...)
			if code != tc.code || !strings.Contains(out, tc.want) || (errs == "") != (code == 0) {
				t.Errorf("exit code %d\n%s\n%s", code, out, errs)
			}
			if strings.Contains(out+errs, "hunter2") || strings.Contains(out+errs, secret) {
				t.Errorf("a secret is shown:\n%s%s", out, errs)
			}
		})
	}
}
