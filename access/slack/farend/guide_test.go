package farend_test

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"teleport-plugins/access/slack/farend"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox"
	sim "teleport-plugins/lib/sandbox/farend"
)

var block = regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```")

// guide is the guide for Slack, and blocks are those of one language in it.
func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func blocks(t *testing.T, language string) (found []string) {
	t.Helper()
	for _, m := range block.FindAllStringSubmatch(guide(t), -1) {
		if m[1] == language {
			found = append(found, m[2])
		}
	}
	return found
}

// scopes are those of the manifest.
func scopes(t *testing.T) []string {
	t.Helper()
	for _, text := range blocks(t, "yaml") {
		var manifest struct {
			OAuth struct {
				Scopes struct{ Bot []string }
			} `yaml:"oauth_config"`
		}
		if err := yaml.Unmarshal([]byte(text), &manifest); err == nil && len(manifest.OAuth.Scopes.Bot) > 0 {
			return manifest.OAuth.Scopes.Bot
		}
	}
	t.Fatal("the guide has no manifest")
	return nil
}

// check runs the command check, with a token of these scopes.
func check(t *testing.T, scopes []string) (output string, code int) {
	t.Helper()
	service := farend.Service()
	sb, err := sandbox.Start(sandbox.Options{Services: []sim.Service{service}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	far, err := sb.FarEnd(service.Name)
	if err != nil {
		t.Fatal(err)
	}
	far.(*farend.Workspace).SetScopes(far.Token(), scopes...)
	path, err := sb.WriteConfig(t.TempDir(), service.Name)
	if err != nil {
		t.Fatal(err)
	}
	var out, fault bytes.Buffer
	code = plugin.Run(service.Integration, []string{"check", "--config", path}, &out, &fault)
	return out.String(), code
}

// place is what differs from one machine to the next, and several is what there is more
// or less of.
var (
	place   = regexp.MustCompile(`(config|connection to Teleport at|cluster|recipient|as user) \S.*`)
	several = regexp.MustCompile(`(?m)(^ok    recipient\n)+`)
)

// likened is the output of check without that.
func likened(out string) string {
	return several.ReplaceAllString(place.ReplaceAllString(out, "$1"), "ok    recipient\n")
}

// indent is that of a block in a list.
var indent = regexp.MustCompile(`(?m)^ +`)

func TestGuideShowsWhatCheckPrints(t *testing.T) {
	out, code := check(t, scopes(t))
	if code != 0 {
		t.Errorf("check ends with %d:\n%s", code, out)
	}
	var shown string
	for _, text := range blocks(t, "console") {
		if _, rest, ok := strings.Cut(text, "$ teleport-slack check\n"); ok {
			shown += indent.ReplaceAllString(rest, "")
		}
	}
	if want, got := likened(out), likened(shown); got != want {
		t.Errorf("the guide shows\n%s\nand check prints\n%s", got, want)
	}
}

func TestGuideExplainsTheScopes(t *testing.T) {
	all := scopes(t)
	_, step, _ := strings.Cut(guide(t), "## Step 3: the Slack app")
	step, _, _ = strings.Cut(step, "\n## ")
	_, table, _ := strings.Cut(step, "| Scope |")
	table, _, _ = strings.Cut(table, "\n\n")
	var explained []string
	for line := range strings.Lines(table) {
		if cell, row := strings.CutPrefix(line, "| `"); row {
			cell, _, _ = strings.Cut(cell, " |")
			explained = append(explained, strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune("`, ", r) })...)
		}
	}
	slices.Sort(explained)
	if want := slices.Sorted(slices.Values(all)); !slices.Equal(explained, want) {
		t.Errorf("explained are %q, and the manifest has %q", explained, want)
	}
	for needed, want := range map[string]string{"chat:write": "FAIL", "users:read": "FAIL", "users:read.email": "note"} {
		out, code := check(t, slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == needed }))
		if (code == 1) != (want == "FAIL") || !strings.Contains(out, want+"  scopes of the Slack app: "+needed+" is missing") {
			t.Errorf("without %s: %d\n%s", needed, code, out)
		}
	}
}
