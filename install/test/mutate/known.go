package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// known maps the key of a survivor to the reason why it may survive.
type known map[string]string

// readKnown reads a list of known survivors: a key on a line of its own, below it
// the reason, indented. Empty lines and those that begin with # are left out.
func readKnown(path string) (known, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, key := make(known), ""
	for i, line := range strings.Split(string(text), "\n") {
		reason := strings.TrimSpace(line)
		switch {
		case reason == "" || strings.HasPrefix(line, "#"):
		case line[0] != '\t' && line[0] != ' ':
			key = line
			if _, twice := list[key]; twice {
				return nil, fmt.Errorf("%s:%d: %q is listed twice", path, i+1, key)
			}
			list[key] = ""
		case key == "":
			return nil, fmt.Errorf("%s:%d: a reason without a survivor above it", path, i+1)
		default:
			list[key] = strings.TrimSpace(list[key] + " " + reason)
		}
	}
	for key, reason := range list {
		if reason == "" {
			return nil, fmt.Errorf("%s: no reason is given for %q", path, key)
		}
	}
	return list, nil
}

// vanished lists what is known and cannot survive any more, since the code that
// it changes is not there.
func (k known) vanished(all []mutant) []string {
	there := make(map[string]bool, len(all))
	for _, m := range all {
		there[m.key()] = true
	}
	var gone []string
	for key := range k {
		if !there[key] {
			gone = append(gone, key)
		}
	}
	slices.Sort(gone)
	return gone
}
