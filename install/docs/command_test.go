package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
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

// first is the service whose plugin the documents show commands of.
func first() string { return integrations()[0].Name }

// binary is a plugin as it ships; all have the same command line.
func binary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(os.Getenv("PLUGINS_BIN"), "teleport-"+first())
	if os.Getenv("PLUGINS_BIN") == "" {
		path = filepath.Join(t.TempDir(), "teleport-"+first())
		shows(t, root, "go", "build", "-o", path, "./access/"+first()+"/cmd/teleport-"+first())
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
	for _, command := range []string{"start", "check", "explain", "preview", "configure", "version"} {
		help[command] = flagsOf(shows(t, root, program, command, "--help"))
	}
	for _, i := range integrations() {
		for _, c := range i.Commands {
			clause := kingpin.New("", "").Command(c.Name, c.Help)
			c.Declare(clause)
			help[c.Name] = []string{"c", "config", "d", "debug"}
			for _, f := range clause.Model().Flags {
				help[c.Name] = append(help[c.Name], f.Name)
			}
		}
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
	for _, command := range []string{"start", "check", "explain", "preview"} {
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
			names = append(names, "teleport-"+first()+" "+m[1])
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
