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
	"testing"

	all "teleport-plugins/access/services"
	"teleport-plugins/install/markdown"
	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

// Each guide is followed to the letter on a bare Debian: its commands are run in their
// order, its files are written where it says, and its configs are loaded, with nothing
// changed but the addresses, which lead to the simulated cluster and service. In the
// end the first request has arrived, and all but config and credentials is removed.
func TestShipGuides(t *testing.T) {
	need(t, "SHIP_DIR", "ship-test")
	pages := make(chan []fate, len(all.All())+1)
	t.Run("walk", func(t *testing.T) {
		t.Run("install", func(t *testing.T) {
			t.Parallel()
			pages <- walkInstalling(t)
		})
		for _, service := range all.All() {
			t.Run(service.Name, func(t *testing.T) {
				t.Parallel()
				w := newWalk(t, service, "access/"+service.Name+"/README.md")
				w.page()
				w.delivers()
				w.isRemoved()
				pages <- w.fates
			})
		}
	})
	close(pages)
	var fates []fate
	for list := range pages {
		fates = append(fates, list...)
	}
	if !t.Failed() && len(fates) > 0 {
		tally(t, fates)
	}
}

// walkInstalling goes through the pages that are for all services, whose example is one
// of them, on one machine.
func walkInstalling(t *testing.T) []fate {
	w := newWalk(t, all.All()[0], "install/README.md")
	beside := "/root/teleport-access-" + w.service.Name // where one is after the archive
	w.run("mkdir " + beside)
	output(t, "cp", filepath.Join(os.Getenv("SHIP_DIR"), "new", "SHA256SUMS"), w.path("/root"))
	output(t, "cp", packagePath(t, "new", w.service.Name, newVersion, "_amd64.deb"), w.path(beside))
	w.page()
	w.delivers()
	for _, name := range []string{"install/OPERATIONS.md", "README.md", "access/README.md"} {
		w.open(name)
		w.page()
	}
	return w.fates
}

// walk is somebody who follows the guide of a service.
type walk struct {
	*debian
	service farend.Service
	sb      *sandbox.Sandbox
	far     farend.FarEnd
	name    string // of the page, from the top of the repository
	text    string

	programs *programs
	config   map[string]any
	request  string // the newest one
	fates    []fate
}

func newWalk(t *testing.T, service farend.Service, page string) *walk {
	t.Helper()
	d := newDebian(t)
	sb, err := sandbox.Start(sandbox.Options{Services: []farend.Service{service}, Cluster: cluster.Options{Name: "teleport.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	far, err := sb.FarEnd(service.Name)
	if err != nil {
		t.Fatal(err)
	}
	w := &walk{debian: d, service: service, sb: sb, far: far}
	w.open(page)
	w.programs = w.bringPrograms()
	archive := fmt.Sprintf("teleport-access-%s-v1.2.3-linux-amd64-bin.tar.gz", service.Name)
	output(t, "cp", archivePath(t, "new", service.Name, newVersion, "amd64"), w.path("/root/"+archive))
	return w
}

// open takes a page of the repository at hand.
func (w *walk) open(page string) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", page))
	if err != nil {
		w.t.Fatal(err)
	}
	w.name, w.text = page, string(text)
}

// page walks through all blocks.
func (w *walk) page() {
	for _, b := range markdown.Blocks(w.text) {
		w.block(b)
		if w.t.Failed() {
			w.t.Fatalf("%s breaks at line %d:\n%s", w.name, b.Line, b.Text)
		}
	}
}

func (w *walk) block(b markdown.Block) {
	if why := w.cannot(b); why != "" {
		w.fates = append(w.fates, fate{w.name, b, why})
		return
	}
	w.fates = append(w.fates, fate{page: w.name, block: b})
	switch b.Language {
	case "sh":
		if !byNewcomer.MatchString(b.Text) {
			w.shell(b.Text)
		}
	case "console":
		w.console(b.Text)
	case "toml":
		w.writeConfig(b)
	case "yaml":
		if !values.MatchString(b.Text) { // which make helm-test renders
			w.resources(b.Text)
		}
	case "ini":
		w.dropIn(b.Text)
	case "json", "":
		w.shows(b.Text)
	case "python", "go":
		w.stands(b.Text)
	default:
		w.t.Errorf("nothing is known of the language %q", b.Language)
	}
}

// at is the directory in which commands run; it is kept from block to block.
const at = "/run/walk/at"

// shell runs commands as somebody does who pastes the block into a terminal. What the
// block asks to be pasted itself is pasted.
func (w *walk) shell(text string) string {
	w.t.Helper()
	if err := os.WriteFile(w.path("/run/walk/block"), []byte(text+"\npwd >"+at+"\n"), 0o644); err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command("chroot", w.root, "/bin/bash", "-c", "cd \"$(cat "+at+")\" && exec bash -eo pipefail /run/walk/block")
	cmd.Env = []string{"HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	cmd.Stdin = strings.NewReader(w.pasted(text))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		w.t.Errorf("%v\n%s%s", err, out.String(), w.programs.log())
	}
	return out.String()
}

// console runs the commands after the prompts, and expects what stands below them.
func (w *walk) console(text string) {
	var command, shown string
	try := func() {
		if command != "" {
			w.expect(shown, w.shell(command))
		} else if shown != "" {
			w.expect(shown, w.shell("teleport-"+w.service.Name+" check"))
		}
		command, shown = "", ""
	}
	for line := range strings.Lines(text) {
		prompt := strings.HasPrefix(line, "$ ") || strings.HasPrefix(line, "# ")
		switch {
		case strings.HasSuffix(command, "\\\n"):
			command += line
		case prompt:
			try()
			command = line[2:]
		default:
			shown += line
		}
	}
	try()
}

// expect holds what a page shows against what was said: each line was said, in this
// order. What differs from one cluster to the next is told by the config.
func (w *walk) expect(shown, said string) {
	w.t.Helper()
	said = likened(strings.ReplaceAll(said, w.sb.Cluster().Addr(), exampleCluster))
	rest := said
	for line := range strings.Lines(likened(shown)) {
		_, after, ok := strings.Cut(rest, strings.TrimSpace(line))
		if !ok {
			w.t.Errorf("the page shows %q, and what is said is\n%s", line, said)
			return
		}
		rest = after
	}
}

// exampleCluster is where the cluster is in the documents.
const exampleCluster = "teleport.example.com:443"

var requestID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// likened is a text without what is different each time.
func likened(text string) string { return requestID.ReplaceAllString(text, "ID") }

// shows expects a message that the page shows to have arrived in these words.
func (w *walk) shows(shown string) {
	w.arrives()
	var seen strings.Builder
	for _, ch := range w.far.Panel(0).Channels {
		for _, m := range ch.Messages {
			if strings.Contains(m.Text, w.request) {
				seen.WriteString(m.Text + "\n")
			}
		}
	}
	plain := strings.NewReplacer("*", "", "`", "")
	flat := func(text string) string { return strings.Join(strings.Fields(plain.Replace(likened(text))), " ") }
	said := flat(seen.String())
	for line := range strings.Lines(shown) {
		if line = flat(line); !strings.Contains(said, line) {
			w.t.Errorf("the page shows %q, and what arrived is\n%s", line, said)
		}
	}
}

// arrives waits until the service shows the newest request.
func (w *walk) arrives() {
	w.t.Helper()
	if w.request == "" {
		w.t.Fatal("nobody has made a request yet")
	}
	eventually(w.t, "the first request is shown", func() bool {
		return slices.ContainsFunc(w.far.Panel(0).Sights(), func(s panel.Sight) bool { return s.Request == w.request })
	})
}

// stands expects a piece of a program to stand in a file of the repository.
func (w *walk) stands(text string) {
	first, _, _ := strings.Cut(text, "\n")
	files, _ := exec.Command("git", "-C", "../..", "grep", "-lF", "--", first, ":!*.md").Output()
	for file := range strings.FieldsSeq(string(files)) {
		whole, err := os.ReadFile(filepath.Join("../..", file))
		if err == nil && strings.Contains(string(whole), text) {
			return
		}
	}
	w.t.Errorf("this is in no program:\n%s", text)
}

// dropIn lets systemd judge what is to be added to the unit.
func (w *walk) dropIn(text string) {
	dir := w.t.TempDir()
	unit := "teleport-" + w.service.Name + ".service"
	shipped := w.run("cat /usr/local/lib/systemd/system/" + unit)
	binary := w.path("/usr/local/bin/teleport-" + w.service.Name)
	here := strings.NewReplacer("/usr/local/bin/teleport-"+w.service.Name, binary)
	if err := os.MkdirAll(filepath.Join(dir, unit+".d"), 0o755); err != nil {
		w.t.Fatal(err)
	}
	for path, text := range map[string]string{unit: shipped, unit + ".d/override.conf": text} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(here.Replace(text)), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	if out := output(w.t, "systemd-analyze", "verify", filepath.Join(dir, unit)); out != "" {
		w.t.Errorf("systemd says of the drop-in: %s", out)
	}
}

// delivers expects that the request of the guide has come, by the unit of the guide.
func (w *walk) delivers() {
	w.t.Helper()
	w.arrives()
	if w.programs.running() == 0 {
		w.t.Error("no unit is running")
	}
}

// isRemoved follows the sentence about the end of it all.
func (w *walk) isRemoved() {
	w.t.Helper()
	const last = "sudo ./install --uninstall"
	if !strings.Contains(w.text, "`"+last+"`") {
		w.t.Fatalf("the guide does not say %s", last)
	}
	w.shell(last)
	service := "teleport-" + w.service.Name
	if left := w.run("ls /usr/local/bin /usr/local/lib/systemd/system"); strings.Contains(left, service) {
		w.t.Errorf("this is left:\n%s", left)
	}
	if w.programs.running() > 0 {
		w.t.Error("the plugin is still running")
	}
	for _, kept := range []string{"/etc/" + service + ".toml", "/var/lib/teleport/plugins/" + w.service.Name + "/identity"} {
		if !w.exists(kept) {
			w.t.Errorf("%s is gone", kept)
		}
	}
}
