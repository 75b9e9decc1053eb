package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// leastFlat is how many keys without their section make a file flat. A single one is
// a slip, and has a warning of its own.
const leastFlat = 2

// flat puts one warning in the place of those about top-level keys that belong into
// sections which the file does not have: its headings were lost, as when a page is
// copied as plain text.
func (l *loader) flat(root reflect.Value, tree map[string]any) {
	lost := map[string][]string{} // section to keys
	var all []string
	for _, key := range slices.SortedFunc(maps.Keys(tree), func(a, b string) int { return l.lines[join("", a)] - l.lines[join("", b)] }) {
		section := sectionOf(root, key)
		if section == "" || l.written[section] != "" || !l.unknownAtTop(key) {
			continue
		}
		lost[section] = append(lost[section], join("", key))
		all = append(all, join("", key))
	}
	if len(all) < leastFlat {
		return
	}
	l.warnings = slices.DeleteFunc(l.warnings, func(p Problem) bool { return p.Unknown && slices.Contains(all, p.Key) })
	var advice []string
	for _, section := range slices.Sorted(maps.Keys(lost)) {
		advice = append(advice, fmt.Sprintf("[%s] with %s", section, strings.Join(lost[section], ", ")))
	}
	l.warnings = append(l.warnings, Problem{
		File: l.file, Line: l.lines[all[0]], What: "the headings of the sections are missing, so that these keys have no effect",
		Do: "write each on a line of its own before its keys: " + strings.Join(advice, "; "), Unknown: true,
	})
}

// unknownAtTop tells whether a key at the top was called unknown.
func (l *loader) unknownAtTop(key string) bool {
	return slices.ContainsFunc(l.warnings, func(p Problem) bool { return p.Unknown && p.Key == join("", key) })
}

// sectionOf gives the one section that a key can belong to, or "". A table whose keys
// the operator chooses takes what can be the name of no key.
func sectionOf(root reflect.Value, key string) string {
	found := map[string]bool{}
	for _, k := range keysOf(root, "") {
		section, name, inside := strings.Cut(k.Path, ".")
		switch {
		case inside && !strings.Contains(name, "."):
			for _, name := range append([]string{name}, k.Aliases...) {
				if strings.EqualFold(name, key) {
					found[section] = true
				}
			}
		case !inside && k.Open && !bare(key):
			found[section] = true
		}
	}
	if len(found) != 1 {
		return ""
	}
	return slices.Collect(maps.Keys(found))[0]
}
