package helm_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"

	"teleport-plugins/install/helm"
	"teleport-plugins/lib/config"
)

// The values of each chart, and their schema, are those that go run ./install/helm/write
// makes.
func TestValuesAreCurrent(t *testing.T) {
	for _, c := range charts() {
		values, schema := c.read(t, "values.yaml"), c.read(t, "values.schema.json")
		want, err := helm.Values(values, c.Name)
		if err != nil || want != values {
			t.Errorf("%s: the values are not as they should be (%v); run go run ./install/helm/write", c.Name, err)
		}
		if want, err := helm.Schema([]byte(schema), config.Keys(c.New())); err != nil || string(want) != schema {
			t.Errorf("%s: the schema is not as it should be (%v); run go run ./install/helm/write", c.Name, err)
		}
	}
}

func (c chart) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// decode reads a file of the chart that is YAML.
func (c chart) decode(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(c.read(t, name)), into); err != nil {
		t.Fatal(err)
	}
}

// sample is a value of a type, as the reference names it.
func sample(kind string) any {
	switch {
	case strings.HasPrefix(kind, "list of "):
		return []any{sample(strings.TrimPrefix(kind, "list of ")), sample(strings.TrimPrefix(kind, "list of "))}
	case strings.HasPrefix(kind, "table of "):
		return map[string]any{"a key": sample(strings.TrimPrefix(kind, "table of "))}
	case strings.Contains(kind, " or list of "), kind == "recipients":
		return []any{"one", "two"}
	case kind == "true or false":
		return false // as a value that says something
	case kind == "whole number":
		return int64(1000000)
	}
	return "\"quoted\" <&> \\ \u00e9 \u2028"
}

// put sets the value at a path.
func put(table map[string]any, path []string, value any) {
	if len(path) == 1 {
		table[path[0]] = value
		return
	}
	inner, ok := table[path[0]].(map[string]any)
	if !ok {
		inner = make(map[string]any)
		table[path[0]] = inner
	}
	put(inner, path[1:], value)
}

// Whatever the reference has can be set, and stands in the config as it was set.
func TestEveryKeyCanBeSet(t *testing.T) {
	for _, c := range charts() {
		want := make(map[string]any)
		for _, k := range config.Keys(c.New()) {
			put(want, strings.Split(strings.ReplaceAll(k.Path, config.AnyName, "a name"), "."), sample(k.Type))
		}
		for _, path := range differences(c.configured(t, want), want) {
			t.Errorf("%s: what is set for %s is not in the config", c.Name, path)
		}
	}
}

// differences are the paths of what a table lacks of another one, or has with other values.
func differences(is, want map[string]any) (paths []string) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		inner, isTable := want[key].(map[string]any)
		switch has, _ := is[key].(map[string]any); {
		case isTable:
			for _, path := range differences(has, inner) {
				paths = append(paths, key+"."+path)
			}
		case !reflect.DeepEqual(is[key], want[key]):
			paths = append(paths, key)
		}
	}
	return paths
}

// configured is the config that is rendered with a value for config.
func (c chart) configured(t *testing.T, value map[string]any) (got map[string]any) {
	t.Helper()
	text, err := yaml.Marshal(map[string]any{"config": value})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	write(t, file, string(text))
	out, err := runHelm(t, c, false, required, "template", "rel", "--values", file)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	rendered, _ := parse(t, out)["ConfigMap"].at("data", "teleport-"+c.Name+".toml").(string)
	if _, err := toml.Decode(rendered, &got); err != nil {
		t.Fatalf("%s: %v in:\n%s", c.Name, err, rendered)
	}
	return got
}

// The example that a plugin prints is a value of its chart.
func TestTheExampleIsAValue(t *testing.T) {
	for _, c := range charts() {
		var example map[string]any
		if _, err := toml.Decode(c.Example, &example); err != nil {
			t.Fatal(err)
		}
		for _, path := range differences(c.configured(t, example), example) {
			t.Errorf("%s: what the example has for %s is not in the config", c.Name, path)
		}
	}
}

var valuesBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// The values in the guide are taken: each of its blocks, beside the first, which is whole.
func TestTheValuesOfTheGuideAreTaken(t *testing.T) {
	guide, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, below, _ := strings.Cut(string(guide), "\n## The charts\n")
	c := charts()[0]
	var files []string
	blocks := 0
	t.Setenv(strings.ToUpper(c.Name)+"_TOKEN", "secret-token")
	for _, block := range valuesBlock.FindAllStringSubmatch(below, -1) {
		if strings.Contains(block[1], "kind: token") {
			continue
		}
		file := filepath.Join(t.TempDir(), "values.yaml")
		write(t, file, block[1])
		if files = append(files, file); len(files) > 2 {
			files = []string{files[0], file}
		}
		args := []string{"template", "rel"}
		for _, f := range files {
			args = append(args, "--values", f)
		}
		blocks++
		out, err := runHelm(t, c, true, nil, args...)
		if err != nil {
			t.Errorf("%v with:\n%s", err, block[1])
			continue
		}
		if objects := parse(t, out); blocks == 1 {
			c.readsConfig(t, objects, "teleport-identity/auth_id", c.ways(t)[0].File)
		}
	}
	if blocks < 3 {
		t.Errorf("the guide has %d blocks of values", blocks)
	}
}

// The values in the guide of a service, if it has any, are taken by its chart.
func TestTheValuesOfEachServicesGuideAreTaken(t *testing.T) {
	for _, c := range charts() {
		guide, err := os.ReadFile(filepath.Join("../../access", c.Name, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range valuesBlock.FindAllStringSubmatch(string(guide), -1) {
			if !strings.Contains(block[1], "\nroleToRecipients:") {
				continue
			}
			file := filepath.Join(t.TempDir(), "values.yaml")
			write(t, file, block[1])
			if _, err := runHelm(t, c, true, nil, "template", "rel", "--values", file); err != nil {
				t.Errorf("%s: %v with:\n%s", c.Name, err, block[1])
			}
		}
	}
}
