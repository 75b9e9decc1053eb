// Package documented finds the settings that examples and references speak of, for
// the tests that hold these against the config.
package documented

import (
	"regexp"
	"slices"
	"strings"

	"teleport-plugins/lib/config"
)

var (
	keyPattern    = `(?:[A-Za-z0-9_-]+|"[^"]*")(?:\.(?:[A-Za-z0-9_-]+|"[^"]*"))*`
	exampleHeader = regexp.MustCompile(`^\s*#? ?\s*(\[\[?)(` + keyPattern + `)\]\]?\s*(?:#.*)?$`)
	exampleKey    = regexp.MustCompile(`^\s*#? ?\s*(` + keyPattern + `)\s*=\s*\S`)
	tableRow      = regexp.MustCompile("^\\s*\\|\\s*`\\[*(" + keyPattern + "(?:\\[\\]\\." + keyPattern + ")?)\\]*`")
	heading       = regexp.MustCompile("^#+ .*\\[(" + keyPattern + ")\\]")
)

// InExample lists the dotted keys of an example file, each once and in order,
// whether its line is commented out or not. It looks at one line at a time, so it
// is meant for examples, not for any TOML.
func InExample(text string) []string {
	var keys []string
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := exampleHeader.FindStringSubmatch(line); m != nil {
			table = m[2]
			if m[1] == "[[" {
				table += "[]"
			}
		} else if m := exampleKey.FindStringSubmatch(line); m != nil {
			keys = append(keys, dotted(table, m[1]))
		}
	}
	return unique(keys)
}

// InReference lists the dotted keys that a Markdown text documents, each once
// and in order: the code in the first cell of each row of a table, below a
// heading that names a [table] relative to that, and the keys of its fenced toml
// blocks.
func InReference(text string) []string {
	var keys []string
	var block strings.Builder
	table, fenced := "", false
	for line := range strings.Lines(text) {
		switch fence := strings.TrimSpace(line); {
		case fenced && strings.HasPrefix(fence, "```"):
			keys = append(keys, InExample(block.String())...)
			block.Reset()
			fenced = false
		case fenced:
			block.WriteString(line)
		case fence == "```toml":
			fenced = true
		default:
			keys, table = referenceLine(line, keys, table)
		}
	}
	return unique(keys)
}

// referenceLine takes one line of Markdown outside of the fenced blocks.
func referenceLine(line string, keys []string, table string) ([]string, string) {
	if m := heading.FindStringSubmatch(line); m != nil {
		return keys, m[1]
	}
	if strings.HasPrefix(line, "#") {
		return keys, ""
	}
	if m := tableRow.FindStringSubmatch(line); m != nil {
		keys = append(keys, dotted(table, m[1]))
	}
	return keys, table
}

// Compare sets the settings that exist against those that are documented.
// missing are current settings that are not documented, stale are documented keys
// that no setting has. A deprecated setting may be documented but need not be.
func Compare(keys []config.Key, documented []string) (missing, stale []string) {
	for _, k := range keys {
		if k.Deprecated == "" && !slices.ContainsFunc(documented, func(name string) bool { return covers(k, name) }) {
			missing = append(missing, k.Path)
		}
	}
	for _, name := range documented {
		if !slices.ContainsFunc(keys, func(k config.Key) bool { return covers(k, name) }) {
			stale = append(stale, name)
		}
	}
	return missing, stale
}

// covers tells whether a documented name is this key, or one in its open table.
func covers(k config.Key, name string) bool {
	return strings.EqualFold(k.Path, name) || named(k.Path).MatchString(name) ||
		k.Open && len(name) > len(k.Path) && strings.EqualFold(k.Path+".", name[:len(k.Path)+1])
}

// named matches the names of a key in a table that the operator names.
func named(path string) *regexp.Regexp {
	return regexp.MustCompile("(?i)^" + strings.ReplaceAll(regexp.QuoteMeta(path), config.AnyName, `(?:[A-Za-z0-9_-]+|"[^"]*")`) + "$")
}

// dotted puts a key behind its table unless it already begins with it.
func dotted(table, key string) string {
	if table == "" || strings.HasPrefix(key, table+".") {
		return key
	}
	return table + "." + key
}

func unique(keys []string) []string {
	var out []string
	for _, key := range keys {
		if !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out
}
