package shiptest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The way of somebody who has just found the project, by nothing but the commands
// that the documents give: clone, demo, test, release, and a service of their own.
func TestNewcomer(t *testing.T) {
	commit := need(t, "NEWCOMER", "newcomer-test")
	c := clone(t, commit)
	if got, want := c.commands(t, "README.md", "Quick start"), []string{"make demo", "make test"}; !slices.Equal(got, want) {
		t.Fatalf("the quick start says %q; what is walked here is %q", got, want)
	}
	for _, step := range []struct {
		name string
		walk func(*testing.T)
	}{
		{"make demo", c.demo},
		{"make test", func(t *testing.T) { c.run(t, "make test") }},
		{"release", c.release},
		{"a service of one's own", c.contribute},
	} {
		if !t.Run(step.name, step.walk) {
			return // each step stands on the one before
		}
	}
}

// checkout is a clone, and the environment of somebody who has set nothing.
type checkout struct {
	dir string
	env []string
}

func clone(t *testing.T, commit string) checkout {
	t.Helper()
	c := checkout{dir: filepath.Join(t.TempDir(), "clone")}
	output(t, "git", "clone", "-q", "../..", c.dir)
	output(t, "git", "-C", c.dir, "checkout", "-q", commit)
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		// What an outer make or CI has set is not theirs.
		if !slices.Contains([]string{
			"GOFLAGS", "VERSION", "GITREF", "EPOCH", "REVISION", "SERVICES", "IMAGE_TAG", "PLUGINS_BIN", "NEWCOMER", "CI",
			"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "CGO_ENABLED", "TELEPORT_PLUGINS_API_SPECS",
		}, name) {
			c.env = append(c.env, v)
		}
	}
	return c
}

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// commands are those of the first shell block below a heading, without remarks.
func (c checkout) commands(t *testing.T, file, heading string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	_, below, ok := strings.Cut(string(text), "# "+heading+"\n")
	block := shellBlock.FindStringSubmatch(below)
	if !ok || block == nil {
		t.Fatalf("%s has no commands below %q", file, heading)
	}
	for line := range strings.Lines(block[1]) {
		command, _, _ := strings.Cut(line, "#")
		if command = strings.TrimSpace(command); command != "" {
			lines = append(lines, command)
		}
	}
	return lines
}

func (c checkout) command(line string) *exec.Cmd {
	cmd := exec.Command("sh", "-ec", line)
	cmd.Dir, cmd.Env = c.dir, c.env
	return cmd
}

// run runs a command line that must succeed, and returns what it says.
func (c checkout) run(t *testing.T, line string) string {
	t.Helper()
	out, err := c.command(line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// demo lets a request be made, reviewed and shown on the page's API, and one be
// approved because its requester is on call; Ctrl-C ends it all.
func (c checkout) demo(t *testing.T) {
	address := "127.0.0.1:" + freePort(t)
	cmd := c.command("make demo")
	cmd.Env = append(cmd.Env, "DEMO_ADDR="+address)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a terminal does
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }()

	page := sandboxPage{address}
	eventually(t, "the page of the demo answers", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("make demo ended: %v\n%s", err, said.String())
		default:
		}
		return page.answers()
	})
	id := page.request(t, `{"user":"alice@example.com","roles":["editor"],"reason":"my first request"}`)
	eventually(t, "Slack shows the request", func() bool { return page.says(t, "slack", id, "my first request", "PENDING") })
	eventually(t, "Discord shows the request", func() bool { return page.says(t, "discord", id, "PENDING") })
	page.post(t, "requests/"+id+"/reviews", `{"author":"bob@example.com","state":"APPROVED","reason":"go ahead"}`, nil)
	eventually(t, "the message in Slack says that it is approved", func() bool { return page.says(t, "slack", id, "APPROVED") })
	eventually(t, "the message in Discord says that it is approved", func() bool { return page.says(t, "discord", id, "APPROVED") })

	page.post(t, "oncall", `{"user":"alice@example.com","service":"Payments","on":true}`, nil)
	id = page.request(t, `{"user":"alice@example.com","roles":["demo-role"],"reason":"an incident"}`)
	eventually(t, "whoever is on call is approved", func() bool {
		for _, r := range page.state(t).Requests {
			if r.ID == id {
				return r.State == "APPROVED"
			}
		}
		return false
	})

	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-ended
	if err := syscall.Kill(-cmd.Process.Pid, 0); err == nil {
		t.Error("Ctrl-C leaves processes behind")
	}
	for _, service := range []string{"slack", "discord", "pagerduty"} {
		contains(t, said.String(), "["+service+"] stopped")
	}
}

// release builds the archives, and looks at them as who downloads them does.
func (c checkout) release(t *testing.T) {
	c.run(t, "make release VERSION=1.2.3")
	sums := c.run(t, "cd build/release && sha256sum -c SHA256SUMS")
	for _, service := range []string{"slack", "discord", "pagerduty"} {
		for _, arch := range []string{"amd64", "arm64"} {
			contains(t, sums, fmt.Sprintf("teleport-access-%s-v1.2.3-linux-%s-bin.tar.gz: OK", service, arch))
		}
		version := c.run(t, fmt.Sprintf("cd build/release && tar xzf teleport-access-%s-v1.2.3-linux-amd64-bin.tar.gz && teleport-access-%s/teleport-%s version", service, service, service))
		contains(t, version, "teleport-"+service+" v1.2.3 git:")
	}
}

// contribute adds a service as access/README.md says.
func (c checkout) contribute(t *testing.T) {
	for _, line := range c.commands(t, "access/README.md", "Begin with a copy") {
		said := c.run(t, line)
		switch {
		case strings.HasSuffix(line, " version"):
			contains(t, said, "teleport-board v0.0.0-dev git:")
		case strings.HasSuffix(line, " configure"):
			contains(t, said, "[board]")
		case strings.HasPrefix(line, "make test"):
			contains(t, said, "ok  \tteleport-plugins/access/board\t")
		}
	}
	// Only the folder was added; nothing else had to be changed.
	if changed := c.run(t, "git status --porcelain"); strings.TrimSpace(changed) != "?? access/board/" {
		t.Errorf("adding a service changed:\n%s", changed)
	}
}
