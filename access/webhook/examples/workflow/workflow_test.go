package workflow_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/webhook"
	"teleport-plugins/access/webhook/examples/workflow"
	"teleport-plugins/lib/document"
	"teleport-plugins/lib/plugin"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// office is a folder with the programs and the facts.
type office struct {
	*testing.T
	dir string
}

func newOffice(t *testing.T) *office {
	o := &office{t, t.TempDir()}
	for _, name := range []string{"policy.py", "policy.sh", "policy.rego"} {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(o.dir, name), text, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	o.know(workflow.Facts{})
	return o
}

func (o *office) know(f workflow.Facts) {
	o.Helper()
	f.Registered, f.Contractors = append([]string{}, f.Registered...), append([]string{}, f.Contractors...) // not null
	text, err := json.Marshal(f)
	if err == nil {
		err = os.WriteFile(filepath.Join(o.dir, "facts.json"), text, 0o600)
	}
	if err != nil {
		o.Fatal(err)
	}
}

// tool is the path of a program; the test is skipped where there is none.
func (o *office) tool(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		o.Skip("there is no " + name + " here")
	}
	return path
}

// serve starts a program until the end of the test, and waits until ready says where it
// serves.
func (o *office) serve(cmd *exec.Cmd, ready func(line string) (address string, ok bool)) (address string) {
	o.Helper()
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		o.Fatal(err)
	}
	found, over := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if address, ok := ready(lines.Text()); ok && len(found) == 0 {
				found <- address
			}
		}
	}()
	o.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-over
		_ = cmd.Wait()
	})
	select {
	case address = <-found:
	case <-over:
		o.Fatalf("%v ended", cmd)
	case <-time.After(time.Minute):
		o.Fatalf("%v does not serve", cmd)
	}
	return address
}

// goServer builds and starts the server in Go.
func (o *office) goServer() (url string) {
	path := filepath.Join(o.dir, "policy-go")
	if out, err := exec.Command("go", "build", "-o", path, "./policy-go").CombinedOutput(); err != nil {
		o.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(path, filepath.Join(o.dir, "facts.json"), "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
	return o.serve(cmd, func(line string) (string, bool) {
		_, address, ok := strings.Cut(line, "serving ")
		return address, ok
	})
}

// opaServer starts Open Policy Agent with the policy. It says nowhere which port it was
// given, so that one is chosen for it, and another one if somebody else was faster.
func (o *office) opaServer() (url string) {
	path := o.tool("opa")
	for range 5 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			o.Fatal(err)
		}
		address := l.Addr().String()
		_ = l.Close()
		cmd := exec.Command(path, "run", "--server", "--watch", "--addr", address, filepath.Join(o.dir, "policy.rego"), "facts:"+filepath.Join(o.dir, "facts.json"))
		if err := cmd.Start(); err != nil {
			o.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		o.Cleanup(func() { _ = cmd.Process.Kill() })
		for range 600 {
			if resp, err := http.Get("http://" + address + "/health"); err == nil {
				_ = resp.Body.Close()
				return "http://" + address + "/v1/data/teleport/decision"
			}
			select {
			case <-ended:
			case <-time.After(100 * time.Millisecond):
				continue
			}
			break
		}
	}
	o.Fatal("Open Policy Agent does not serve")
	return ""
}

var answered = regexp.MustCompile(`Answer: decision (\w+), reason "(.*)", wait 0s\.`)

// try has the plugin itself send an event to an endpoint.
func (o *office) try(endpoint string, event document.Event) (decision, reason string) {
	o.Helper()
	text, err := json.Marshal(event)
	o.must(err)
	path, config := filepath.Join(o.dir, "event.json"), filepath.Join(o.dir, "webhook.toml")
	o.must(os.WriteFile(path, text, 0o600))
	o.must(os.WriteFile(config, []byte(`[teleport]
addr = "teleport.example.com:443"
identity = "/var/lib/teleport/plugins/webhook/identity"

[role_to_recipients]
"*" = "policy"

[endpoints.policy]
`+endpoint+`

[decide]
enabled = true
roles = ["*"]
`), 0o600))
	var out, errs bytes.Buffer
	if code := plugin.Run(webhook.Integration(), []string{"try", "-c", config, "--endpoint", "policy", "--request", path}, &out, &errs); code != 0 {
		o.Fatalf("exit code %d\n%s%s", code, &out, &errs)
	}
	found := answered.FindStringSubmatch(out.String())
	if found == nil {
		o.Fatal(out.String())
	}
	return found[1], found[2]
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// The programs of the guide decide alike: in every language, under every switch, through
// the plugin itself.
func TestOnePolicyInFourLanguages(t *testing.T) {
	languages := map[string]func(o *office) (endpoint string){
		"python": func(o *office) string {
			return fmt.Sprintf("command = [%q, %q]", o.tool("python3"), filepath.Join(o.dir, "policy.py"))
		},
		"shell": func(o *office) string {
			o.tool("jq")
			return fmt.Sprintf("command = [%q]", filepath.Join(o.dir, "policy.sh"))
		},
		"go":   func(o *office) string { return fmt.Sprintf("url = %q\nsecret = %q", o.goServer(), secret) },
		"rego": func(o *office) string { return fmt.Sprintf("url = %q\nformat = \"opa\"", o.opaServer()) },
	}
	for language, begin := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			endpoint := begin(o)
			for _, c := range cases() {
				t.Run(c.name, func(t *testing.T) {
					o := &office{t, o.dir}
					o.know(c.facts)
					text, err := document.Example("created")
					o.must(err)
					var event document.Event
					o.must(json.Unmarshal(text, &event))
					event.Request.User, event.Request.Roles, event.Request.Reason = "alice", []string{c.role}, c.reason
					decision, reason := o.try(endpoint, event)
					for deadline := time.Now().Add(10 * time.Second); language == "rego" && decision != c.decision && time.Now().Before(deadline); {
						time.Sleep(50 * time.Millisecond) // until the agent has seen that the facts have changed
						decision, reason = o.try(endpoint, event)
					}
					if decision != c.decision || !strings.Contains(reason, c.why) {
						t.Errorf("%s, %q; want %s, %q", decision, reason, c.decision, c.why)
					}
				})
			}
		})
	}
}

type scene struct {
	name, role, reason string
	facts              workflow.Facts
	decision, why      string
}

func cases() []scene {
	alice := []string{"alice"}
	return []scene{
		{"a registered computer", "prod-admin", "", workflow.Facts{Registered: alice, Approve: true}, "approve", "no rule speaks against it"},
		{"no registered computer", "prod-admin", "", workflow.Facts{Approve: true}, "deny", "alice has no registered computer"},
		{"not for other roles", "editor", "", workflow.Facts{Approve: true}, "approve", ""},
		{"a contractor without a ticket", "editor", "it is late", workflow.Facts{Contractors: alice, Approve: true}, "deny", "contractors name a ticket"},
		{"a contractor with a ticket", "editor", "see INC-204", workflow.Facts{Contractors: alice, Approve: true}, "approve", ""},
		{"a contractor who quotes", "editor", "\"$(reboot)\" `x` \\ 'y' INC-7", workflow.Facts{Contractors: alice, Approve: true}, "approve", ""},
		{"left to people", "editor", "", workflow.Facts{}, "none", ""},
		{"denied though the rest is left to people", "prod-admin", "", workflow.Facts{}, "deny", "alice has no registered computer"},
	}
}

// What the product's own page asks for takes no more than a page.
func TestThePolicyIsShort(t *testing.T) {
	text, err := os.ReadFile("policy.py")
	if n := bytes.Count(text, []byte("\n")); err != nil || n > 25 {
		t.Errorf("it has %d lines, %v", n, err)
	}
}
