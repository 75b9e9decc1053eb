package shiptest

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	all "teleport-plugins/access/services"
	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/cluster"
)

// patience is how long a program has for anything; it only has to be more than
// the slowest machine needs.
const patience = time.Minute

// need gives an environment variable that make sets, or skips the test.
func need(t *testing.T, name, target string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Skipf("nothing to test was built; run make %s", target)
	}
	return value
}

// services are the plugins under test.
func services() []string { return strings.Fields(os.Getenv("SERVICES")) }

// output runs a command that must succeed, and returns what it says.
func output(t *testing.T, command string, args ...string) string {
	t.Helper()
	out, err := exec.Command(command, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", command, args, err, out)
	}
	return string(out)
}

func startSandbox(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{Services: all.All(), Cluster: cluster.Options{AdvancedWorkflows: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

// deliver makes a request and waits until the service shows it.
func deliver(t *testing.T, sb *sandbox.Sandbox, service string) {
	t.Helper()
	id, err := sb.Cluster().CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"demo-role"}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, service+" shows the request", func() bool {
		seen, err := json.Marshal(sb.State(0).Services[service])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(seen), id)
	})
}

// eventually asks again and again whether something holds that another process
// brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("after %v it is not so that %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// sandboxPage is the API of the page of a sandbox in another process, at a host
// and port.
type sandboxPage struct{ address string }

type sandboxState struct {
	Requests []struct{ ID, State string }
	Services map[string]any
}

// answers reports whether the page is there.
func (p sandboxPage) answers() bool {
	resp, err := http.Get("http://" + p.address + "/")
	if err == nil {
		_ = resp.Body.Close()
	}
	return err == nil
}

func (p sandboxPage) state(t *testing.T) (s sandboxState) {
	t.Helper()
	resp, err := http.Get("http://" + p.address + "/api/state")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// says reports whether one message in a service holds all of the words.
func (p sandboxPage) says(t *testing.T, service string, words ...string) bool {
	t.Helper()
	return anyText(p.state(t).Services[service], func(text string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
	})
}

// anyText reports whether a text somewhere in a JSON value passes.
func anyText(v any, pass func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return pass(v)
	case []any:
		return slices.ContainsFunc(v, func(v any) bool { return anyText(v, pass) })
	case map[string]any:
		for _, v := range v {
			if anyText(v, pass) {
				return true
			}
		}
	}
	return false
}

// request makes a request.
func (p sandboxPage) request(t *testing.T, body string) (id string) {
	t.Helper()
	var created struct{ ID string }
	if p.post(t, "requests", body, &created); created.ID == "" {
		t.Fatal("the request that was made has no id")
	}
	return created.ID
}

// post sends what the page's own script would.
func (p sandboxPage) post(t *testing.T, path, body string, answer any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+p.address+"/api/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", "http://"+p.address)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("%s was answered with %s", path, resp.Status)
	}
	if answer != nil {
		if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
			t.Fatal(err)
		}
	}
}
