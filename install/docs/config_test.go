package docs_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/config/documented"
	"teleport-plugins/lib/sandbox/farend"
)

func integrations() []farend.Service { return services.All() }

// about lists the integrations that a block is for: those whose section it has,
// else the one whose folder the page is in, else all.
func about(b block, tree map[string]any) (list []farend.Service) {
	for _, i := range integrations() {
		if _, ok := tree[i.Name]; ok {
			return []farend.Service{i}
		}
		if strings.HasPrefix(b.page, "access/"+i.Name+"/") {
			list = append(list, i)
		}
	}
	if list == nil {
		return integrations()
	}
	return list
}

// put lays a tree over another.
func put(below, above map[string]any) {
	for key, value := range above {
		inner, ok := value.(map[string]any)
		if into, both := below[key].(map[string]any); ok && both {
			put(into, inner)
			continue
		}
		below[key] = value
	}
}

// provide makes the secrets that a config names.
func provide(t *testing.T, tree map[string]any) {
	for key, value := range tree {
		switch value := value.(type) {
		case map[string]any:
			provide(t, value)
		case []any:
			if key == "command" {
				value[0] = "/bin/sh" // in place of a program of the operator's
			}
		case string:
			name, env := strings.CutPrefix(value, "env:")
			switch {
			case env:
				t.Setenv(name, secretFor(key))
			case strings.HasPrefix(value, "/") || strings.HasSuffix(key, "_file"):
				path := filepath.Join(t.TempDir(), "secret")
				if err := os.WriteFile(path, []byte(secretFor(key)+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				tree[key] = path
			}
		}
	}
}

// secretFor is a secret of the kind that a key takes.
func secretFor(key string) string {
	switch {
	case strings.HasPrefix(key, "app_token"):
		return "xapp-1"
	case key == "secret":
		return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	}
	return "xoxb-1"
}

func loads(t *testing.T, i farend.Service, tree map[string]any) {
	t.Helper()
	if _, whole := tree["teleport"]; !whole {
		fragment := maps.Clone(tree)
		tree = i.Least()
		put(tree, fragment)
	}
	provide(t, tree)
	var text strings.Builder
	if err := toml.NewEncoder(&text).Encode(tree); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := config.Load(path, i.New())
	if err != nil {
		t.Errorf("teleport-%s does not take it: %v", i.Name, err)
	}
	for _, w := range report.Warnings {
		t.Errorf("teleport-%s warns: %s", i.Name, w)
	}
}

func TestEveryConfigLoads(t *testing.T) {
	list := blocks(pages(t), "toml")
	if len(list) < 6 {
		t.Errorf("only %d configs were found", len(list))
	}
	for n, b := range list {
		var tree map[string]any
		if _, err := toml.Decode(b.text, &tree); err != nil {
			t.Errorf("%s: %v\n%s", b.page, err, b.text)
			continue
		}
		for _, i := range about(b, tree) {
			t.Run(fmt.Sprintf("%s %d %s", b.page, n, i.Name), func(t *testing.T) {
				loads(t, i, maps.Clone(tree))
			})
		}
	}
}

// configOf is the section of a plugin in the reference, or in its own guide.
func configOf(t *testing.T, name string) string {
	t.Helper()
	heading := "## Config of teleport-" + name
	if ref := read(t, "install/REFERENCE.md"); strings.Contains(ref.text, heading+"\n") {
		return ref.section(t, heading)
	}
	return read(t, "access/"+name+"/README.md").section(t, heading)
}

func TestReferenceHasEveryKey(t *testing.T) {
	ref := read(t, "install/REFERENCE.md")
	common := "\n" + ref.section(t, "## Config of every plugin")
	for _, i := range integrations() {
		text := common + "\n" + configOf(t, i.Name)
		keys := config.Keys(i.New())
		missing, stale := documented.Compare(keys, documented.InReference(text))
		if len(missing)+len(stale) > 0 {
			t.Errorf("teleport-%s: missing %q, stale %q", i.Name, missing, stale)
		}
		described := map[string][]string{}
		table := ""
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "### ") {
				table = strings.Trim(strings.TrimSpace(strings.TrimPrefix(line, "### ")), "[]")
			}
			for _, row := range rows("| Key |\n"+line, "Key") {
				described[strings.TrimPrefix(table+"."+strings.Trim(row[0], "`"), "At the top level.")] = row
			}
		}
		for _, k := range keys {
			row := described[k.Path]
			if len(row) != 4 {
				t.Errorf("teleport-%s: the row of %s has %d cells", i.Name, k.Path, len(row))
				continue
			}
			if row[1] != k.Type || strings.Trim(row[2], "`") != k.Default || row[3] == "" {
				t.Errorf("teleport-%s: %s is a %s with the default %s, not %q", i.Name, k.Path, k.Type, k.Default, row)
			}
			if (k.Deprecated != "") != strings.HasPrefix(row[3], "**Old.**") {
				t.Errorf("teleport-%s: %s is said to be old, or is not: %q", i.Name, k.Path, row[3])
			}
			for _, alias := range k.Aliases {
				if !strings.Contains(row[3], "`"+alias+"`") && !strings.HasSuffix(k.Path, "_file") {
					t.Errorf("teleport-%s: %s has the other name %s", i.Name, k.Path, alias)
				}
			}
		}
	}
}

func TestExampleHasEveryKey(t *testing.T) {
	for _, i := range integrations() {
		for _, k := range config.Keys(i.New()) {
			if missing, _ := documented.Compare([]config.Key{k}, documented.InExample(i.Example)); len(missing) > 0 && k.Path != "TeleportUser" {
				t.Errorf("the example of teleport-%s lacks %s", i.Name, k.Path)
			}
		}
		if _, stale := documented.Compare(config.Keys(i.New()), documented.InExample(i.Example)); len(stale) > 0 {
			t.Errorf("the example of teleport-%s has %q, which do not exist", i.Name, stale)
		}
	}
}
