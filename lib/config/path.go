package config

import (
	"fmt"
	"strconv"
	"strings"
)

// join appends a key to a dotted path. A key that could not stand bare in TOML
// is quoted, so two different key sequences never give the same path.
func join(path, key string) string {
	if !bare(key) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// element appends the index of an array element to a path.
func element(path string, i int) string {
	return fmt.Sprintf("%s[%d]", path, i)
}

// bare tells whether a key can be written in TOML without quotes.
func bare(key string) bool {
	if key == "" {
		return false
	}
	return strings.IndexFunc(key, func(r rune) bool { return !bareRune(r) }) < 0
}

func bareRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}

// parent cuts the last key or index off a path that join and element built; the
// parent of a top-level key is "".
func parent(path string) string {
	quoted := false
	cut := 0
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '.' || c == '['):
			cut = i
		}
	}
	return path[:cut]
}
