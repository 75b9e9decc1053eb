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

	all "teleport-plugins/access/services"
	"teleport-plugins/lib/sandbox/farend"
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
		{"make test", c.test},
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
		// What an outer make or CI has set is not theirs. GOFLAGS and CGO_ENABLED stay, so
		// that what it has compiled is used again.
		if !slices.Contains([]string{
			"VERSION", "GITREF", "EPOCH", "REVISION", "SERVICES", "IMAGE_TAG", "PLUGINS_BIN", "NEWCOMER", "CI",
			"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "TELEPORT_PLUGINS_API_SPECS",
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

// test runs all tests, unless they have just run on another clean clone.
func (c checkout) test(t *testing.T) {
	if os.Getenv("TESTED") != "" {
		t.Skip("they have run already")
	}
	c.run(t, "make test")
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
	shown := func(words ...string) {
		for _, service := range all.All() {
			if service.Annotation == "" { // where annotations of roles say whom to tell, this role does not
				eventually(t, fmt.Sprintf("%s shows %q", service.Title, words), func() bool { return page.says(t, service.Name, append(words, id)...) })
			}
		}
	}
	shown("PENDING")
	page.post(t, "requests/"+id+"/reviews", `{"author":"bob@example.com","state":"APPROVED","reason":"go ahead"}`, nil)
	shown("APPROVED")

	page.post(t, "switches", onCall(t), nil)
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
	for _, service := range all.All() {
		contains(t, said.String(), "["+service.Name+"] stopped")
	}
}

// onCall is what puts alice on call for Payments, by a switch of the panel of a
// service that has such a one.
func onCall(t *testing.T) string {
	t.Helper()
	for _, service := range all.All() {
		if far := service.Simulate(farend.Options{}); len(far.Panel(1).Switches) > 0 {
			return fmt.Sprintf(`{"service":%q,"switch":"Payments/alice@example.com","on":true}`, service.Name)
		}
	}
	t.Fatal("nobody can be put on call")
	return ""
}

// names are those of the services.
func names() (list []string) {
	for _, s := range all.All() {
		list = append(list, s.Name)
	}
	return list
}

// release builds the archives, unless other clones have just done so, and looks at them
// as who downloads them does.
func (c checkout) release(t *testing.T) {
	if os.Getenv("TESTED") != "" {
		t.Skip("they have been built and tried already")
	}
	c.run(t, "make release VERSION=1.2.3")
	sums := c.run(t, "cd build/release && sha256sum -c SHA256SUMS")
	for _, service := range names() {
		for _, arch := range []string{"amd64", "arm64"} {
			contains(t, sums, fmt.Sprintf("teleport-access-%s-v1.2.3-linux-%s-bin.tar.gz: OK", service, arch))
		}
		version := c.run(t, fmt.Sprintf("cd build/release && tar xzf teleport-access-%s-v1.2.3-linux-amd64-bin.tar.gz && teleport-access-%s/teleport-%s version", service, service, service))
		contains(t, version, "teleport-"+service+" v1.2.3 git:teleport-"+service+"-v1.2.3-")
	}
}

// contribute adds a service as access/README.md says. It shows up wherever there
// are services, and three lines are all that is changed outside its folder.
func (c checkout) contribute(t *testing.T) {
	name := c.own(t)
	for _, line := range c.commands(t, "access/README.md", "Begin with a copy") {
		said := c.run(t, line)
		switch {
		case strings.HasSuffix(line, " version"):
			contains(t, said, "teleport-"+name+" v0.0.0-dev git:")
		case strings.HasSuffix(line, " configure"):
			contains(t, said, "["+name+"]")
		case strings.HasPrefix(line, "make test"):
			contains(t, said, "ok  \tteleport-plugins/access/"+name+"/farend\t")
		}
	}
	addsThreeLines(t, c)
	for _, tried := range []struct{ line, says string }{
		{"go test ./install/docs ./install/roles ./install/helm ./access/services/... && go test -run Compose ./install/test", "ok"},
		{"PLUGINS_BIN=$PWD/build go run ./access/e2e/faults -quick -service " + name + " -row 'decided before|promoted|removed'", name},
		{"PLUGINS_BIN=$PWD/build go run ./access/e2e/chaos -service " + name + " -seed 1 -for 5s -rest 60s || true", name},
		{"make release VERSION=1.2.3 ARCHES=amd64 SERVICES=" + name + " && tar tzf build/release/teleport-access-" + name + "-v1.2.3-linux-amd64-bin.tar.gz", "teleport-access-" + name + "/roles/access-plugin.yaml"},
	} {
		contains(t, c.run(t, tried.line), tried.says)
	}
}

// own is how the document calls the service that it adds.
func (c checkout) own(t *testing.T) string {
	t.Helper()
	first := c.commands(t, "access/README.md", "Begin with a copy")[0]
	_, name, ok := strings.Cut(first, "make new-service NAME=")
	if !ok {
		t.Fatalf("the document begins with %q", first)
	}
	return name
}

// addsThreeLines looks at what a new service has changed beside its own folder.
func addsThreeLines(t *testing.T, c checkout) {
	t.Helper()
	added := 0
	for line := range strings.Lines(c.run(t, "git diff --numstat")) {
		var plus, minus int
		var file string
		if _, err := fmt.Sscan(line, &plus, &minus, &file); err != nil {
			t.Fatal(err)
		}
		added += plus
	}
	if added > 3 {
		t.Errorf("a new service changes %d lines outside its folder:\n%s", added, c.run(t, "git diff"))
	}
	if made := c.run(t, "git status --porcelain | grep '^??'"); strings.TrimSpace(made) != "?? access/"+c.own(t)+"/" {
		t.Errorf("a new service makes\n%s", made)
	}
}

// A new service costs a folder and three lines, and compiles at once.
func TestNewServiceCostsAFolderAndThreeLines(t *testing.T) {
	if os.Getenv("NEWCOMER") != "" || testing.Short() {
		t.Skip("the newcomer sees it, or there is no time")
	}
	if err := exec.Command("git", "rev-parse").Run(); err != nil {
		t.Skip("this is no checkout that could be cloned")
	}
	c := clone(t, "HEAD")
	if out, err := exec.Command("sh", "-c", "cd ../.. && { git diff -z --name-only --diff-filter=d HEAD; git ls-files -z -o --exclude-standard; } | xargs -0 -r cp --parents -t "+c.dir+" && git diff -z --name-only --no-renames --diff-filter=D HEAD | (cd "+c.dir+" && xargs -0 -r rm -f)").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out) // what is not committed yet belongs to it
	}
	c.run(t, "git add -A && git -c user.name=t -c user.email=t@example.com commit -q --allow-empty -m t")
	c.run(t, "make -s new-service NAME="+c.own(t))
	addsThreeLines(t, c)
	c.run(t, "test -z \"$(gofmt -l access)\" && go vet ./access/"+c.own(t)+"/... ./access/services")
}
