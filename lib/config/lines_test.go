package config

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestKeyLines(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want map[string]int
	}{
		"empty":        {"", map[string]int{}},
		"comment only": {"# a = 1\n  # b = 2", map[string]int{}},
		"pairs":        {"a = 1\n\nb = 2 # c = 3\n", map[string]int{"a": 1, "b": 3}},
		"dotted":       {"\na . b.c = 1", map[string]int{"a": 2, "a.b": 2, "a.b.c": 2}},
		"quoted": {
			"'a.b' = 1\n\"c\\\"d\" = 2\n\"\\u0065\".'' = 3\n\"\\x41\" = 4",
			map[string]int{`"a.b"`: 1, `"c\"d"`: 2, "e": 3, `e.""`: 3, "A": 4},
		},
		"table":              {"[a]\nb=1\n[ c . d ] # x\ne=1", map[string]int{"a": 1, "a.b": 2, "c": 3, "c.d": 3, "c.d.e": 4}},
		"header after child": {"[a.b]\n[a]\nc=1", map[string]int{"a.b": 1, "a": 2, "a.c": 3}},
		"multi-line basic":   {"a = \"\"\"\n[x]\ny = \\\"\\\"\\\"\n\"\"\"\"\"\nb = 1", map[string]int{"a": 1, "b": 5}},
		"multi-line literal": {"a = '''\n\\'''\nb = 1", map[string]int{"a": 1, "b": 3}},
		"hash in a string":   {"a = '# [b]'\nc = \"# \\\" d\"\ne = 1", map[string]int{"a": 1, "c": 2, "e": 3}},
		"array over lines": {
			"a = [\n 1, # b = 2\n [ ']', \"]\" ],\n]\nc = 3",
			map[string]int{"a": 1, "a[0]": 2, "a[1]": 3, "a[1][0]": 3, "a[1][1]": 3, "c": 5},
		},
		"inline table": {"a = { b = 1, c.d = [ { e = 2 } ] }\nf = 1", map[string]int{
			"a": 1, "a.b": 1, "a.c": 1, "a.c.d": 1, "a.c.d[0]": 1, "a.c.d[0].e": 1, "f": 2,
		}},
		"array of tables": {"[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 1\n[[a.e]]\n[[a.e]]", map[string]int{
			"a": 1, "a[0]": 1, "a[0].b": 2, "a[1]": 3, "a[1].c": 4, "a[1].c.d": 5,
			"a[1].e": 6, "a[1].e[0]": 6, "a[1].e[1]": 7,
		}},
		"dates and numbers": {"a = 1979-05-27 07:32:00\r\nb = -1.5e3\r\n", map[string]int{"a": 1, "b": 2}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := keyLines(c.text); !maps.Equal(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestParent(t *testing.T) {
	for path, want := range map[string]string{
		"":            "",
		"a":           "",
		"a.b":         "a",
		"a[3]":        "a",
		"a[3].b":      "a[3]",
		`a."b.c[1]"`:  "a",
		`a."b\".c".d`: `a."b\".c"`,
	} {
		if got := parent(path); got != want {
			t.Errorf("parent(%s) = %s, want %s", path, got, want)
		}
	}
}

// FuzzKeyLines holds the scanner against the decoder: for text that is accepted
// both know the same keys, and a bare key stands on the line it is said to.
func FuzzKeyLines(f *testing.F) {
	for _, seed := range []string{
		"", "a=1", "[a]\nb.c=\"\"\"\n\"\"\"", "[[a]]\n[[a]]\nb=[{c=1},{c=[2]}]", "'a b' = '''\n'''\n\"\\u00e4\"=1",
		"a = \"\"\"x\"\"\"\"\"\nb=1", "a=[1,\n#]\n2]\n", "\ufeffa=1\r\nb={c=1\n,d=2,}", "a.b=1\n[a.c]\nd=1\n[c.d]\n[c]\n",
		"\"\\\"\" = 1\n\"\\x41\\e\" = 2", "a = 07:32:00\nb = 0x1F\nc = [[1],[]]", "[[a]]\nb.c=1\n[a.d]\n[[a.e]]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var tree map[string]any
		if _, err := toml.Decode(text, &tree); err != nil {
			return
		}
		got := keyLines(text)
		want := map[string]bool{}
		paths(tree, "", want)
		rows := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
		for path := range want {
			line, ok := got[path]
			if !ok || line < 1 || line > len(rows) {
				t.Fatalf("%s has line %d of %d in %q, got %v", path, line, len(rows), text, got)
			}
			if key := strings.TrimPrefix(strings.TrimPrefix(path, parent(path)), "."); bare(key) && !strings.ContainsAny(rows[line-1], `\`) && !strings.Contains(rows[line-1], key) {
				t.Fatalf("%s is not on line %d of %q", path, line, text)
			}
		}
		for _, path := range slices.Sorted(maps.Keys(got)) {
			if !want[path] {
				t.Fatalf("%s is not in %q", path, text)
			}
		}
	})
}

// paths collects the path of each table, key and array element in a value.
func paths(value any, path string, into map[string]bool) {
	if path != "" {
		into[path] = true
	}
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			paths(item, join(path, key), into)
		}
	case []map[string]any:
		for i, item := range value {
			paths(item, element(path, i), into)
		}
	case []any:
		for i, item := range value {
			paths(item, element(path, i), into)
		}
	}
}
