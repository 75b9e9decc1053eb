package docs_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"teleport-plugins/access/slack"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox"
)

// commands lists the commands that the pages show, as words.
func commands(list []page) (found [][]string) {
	for _, b := range blocks(list, "sh", "console") {
		for line := range strings.Lines(strings.ReplaceAll(b.text, "\\\n", " ")) {
			prompt := strings.HasPrefix(line, "$ ") || strings.HasPrefix(line, "# ")
			if b.language == "console" && !prompt {
				continue
			}
			line, _, _ = strings.Cut(strings.TrimLeft(line, "$# "), " #")
			for command := range strings.SplitSeq(line, "&&") {
				words := strings.Fields(command)
				if len(words) > 0 && words[0] == "sudo" {
					words = words[1:]
				}
				if len(words) > 0 {
					found = append(found, words)
				}
			}
		}
	}
	return found
}

// shows runs a program and gives what it prints.
func shows(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// binary is a plugin as it ships; all have the same command line.
func binary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(os.Getenv("PLUGINS_BIN"), "teleport-slack")
	if os.Getenv("PLUGINS_BIN") == "" {
		path = filepath.Join(t.TempDir(), "teleport-slack")
		shows(t, root, "go", "build", "-o", path, "./access/slack/cmd/teleport-slack")
	}
	return path
}

var (
	flagName = regexp.MustCompile(`(?m)^ +(?:-(\w), )?(?:    )?--(?:\[no-\])?([a-z-]+)`)
	flagUsed = regexp.MustCompile(`^--?([a-z][a-z-]*)`)
)

// flagsOf lists the flags that a help text names, short ones too.
func flagsOf(help string) (list []string) {
	for _, m := range flagName.FindAllStringSubmatch(help, -1) {
		list = append(list, m[1], m[2])
	}
	return list
}

func used(words []string) (flags []string) {
	for _, w := range words {
		if m := flagUsed.FindStringSubmatch(w); m != nil {
			flags = append(flags, m[1])
		}
	}
	return flags
}

func TestCommandsThatAreShownExist(t *testing.T) {
	program := binary(t)
	help := map[string][]string{}
	for _, command := range []string{"start", "check", "configure", "version"} {
		help[command] = flagsOf(shows(t, root, program, command, "--help"))
	}
	usage := flagsOf(shows(t, root, "sh", "install/install", "--help"))
	usage = append(usage, "systemd", "uninstall") // stand in the middle of lines
	targets := makeTargets(t)
	seen := 0
	for _, words := range commands(pages(t)) {
		switch {
		case strings.HasPrefix(words[0], "teleport-") && words[0] != "teleport-sandbox":
			seen++
			flags, ok := help[words[1]]
			if !ok {
				t.Errorf("there is no command %q", words)
			}
			for _, flag := range used(words[2:]) {
				if !slices.Contains(flags, flag) {
					t.Errorf("%q: there is no flag %s", words, flag)
				}
			}
		case words[0] == "./install":
			for _, flag := range used(words[1:]) {
				if !slices.Contains(usage, flag) {
					t.Errorf("%q: there is no flag %s", words, flag)
				}
			}
		case words[0] == "make":
			seen++
			for _, target := range words[1:] {
				if !strings.Contains(target, "=") && !slices.Contains(targets, target) {
					t.Errorf("%q: there is no target %s", words, target)
				}
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d commands were found", seen)
	}
}

func TestReferenceHasTheCommandLine(t *testing.T) {
	program := binary(t)
	text := read(t, "install/REFERENCE.md").section(t, "## Command line")
	var flags []string
	for _, command := range []string{"start", "check"} {
		for _, flag := range flagsOf(shows(t, root, program, command, "--help")) {
			if len(flag) > 1 && !strings.HasPrefix(flag, "help") && !slices.Contains(flags, "--"+flag) {
				flags = append(flags, "--"+flag)
			}
		}
	}
	same(t, "flags", column(rows(text, "Flag"), 0), flags)
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+)(?: \[.*)?$`).FindAllStringSubmatch(shows(t, root, program, "--help"), -1) {
		if m[1] != "help" {
			names = append(names, "teleport-slack "+m[1])
		}
	}
	same(t, "commands", column(rows(text, "Command"), 0), names)
}

// makeTargets lists what make help lists.
func makeTargets(t *testing.T) (list []string) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	for line := range strings.Lines(shows(t, root, "make", "--no-print-directory", "help")) {
		list = append(list, strings.Fields(line)[0])
	}
	return list
}

func TestReadmeHasEveryTarget(t *testing.T) {
	var documented []string
	for _, name := range column(rows(read(t, "README.md").section(t, "## Contributing"), "Command"), 0) {
		documented = append(documented, strings.TrimPrefix(name, "make "))
	}
	same(t, "targets of make", documented, makeTargets(t))
}

// scopes are those of the manifest in the guide for Slack.
func scopes(t *testing.T) []string {
	t.Helper()
	for _, b := range blocks([]page{read(t, "access/slack/README.md")}, "yaml") {
		var manifest struct {
			OAuth struct {
				Scopes struct{ Bot []string }
			} `yaml:"oauth_config"`
		}
		if err := yaml.Unmarshal([]byte(b.text), &manifest); err == nil && len(manifest.OAuth.Scopes.Bot) > 0 {
			return manifest.OAuth.Scopes.Bot
		}
	}
	t.Fatal("the guide for Slack has no manifest")
	return nil
}

// check runs the command check of teleport-slack, with a token of these scopes.
func check(t *testing.T, scopes []string) (output string, code int) {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	sb.Slack().SetScopes(sb.Slack().Token(), scopes...)
	path, err := sb.WriteConfig(t.TempDir(), "slack")
	if err != nil {
		t.Fatal(err)
	}
	var out, fault bytes.Buffer
	code = plugin.Run(slack.Integration(), []string{"check", "--config", path}, &out, &fault)
	return out.String(), code
}

var place = regexp.MustCompile(`(config|connection to Teleport at|cluster) \S.*`)

func TestGuideShowsWhatCheckPrints(t *testing.T) {
	out, code := check(t, scopes(t))
	if code != 0 {
		t.Errorf("check ends with %d:\n%s", code, out)
	}
	var shown string
	for _, b := range blocks([]page{read(t, "access/slack/README.md")}, "console") {
		if _, rest, ok := strings.Cut(b.text, "$ teleport-slack check\n"); ok {
			shown = rest
		}
	}
	if want, got := place.ReplaceAllString(out, "$1"), place.ReplaceAllString(shown, "$1"); got != want {
		t.Errorf("the guide shows\n%s\nand check prints\n%s", got, want)
	}
}

func TestGuideExplainsTheScopes(t *testing.T) {
	all := scopes(t)
	text := read(t, "access/slack/README.md").section(t, "## Step 3: the Slack app")
	same(t, "scopes", column(rows(text, "Scope"), 0), all)
	for _, needed := range []string{"chat:write", "users:read.email"} {
		out, code := check(t, slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == needed }))
		if code != 1 || !strings.Contains(out, "FAIL  recipients: the Slack app lacks the scope "+needed) {
			t.Errorf("without %s: %d\n%s", needed, code, out)
		}
	}
}
