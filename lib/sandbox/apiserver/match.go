package apiserver

import (
	"net/http"
	"strings"
)

// Match finds the pattern that fits a call's verb and path, and sets what its
// wildcards stand for as the path values of the request. A pattern is written
// "VERB /a/{b}"; of several that fit, the one with the fewest wildcards holds.
func Match[T any](patterns map[string]T, r *http.Request, path string) (pattern string, what T, ok bool) {
	parts, fewest := strings.Split(r.Method+" "+path, "/"), -1
	for p, t := range patterns {
		if n, fits := wildcards(strings.Split(p, "/"), parts); fits && (fewest < 0 || n < fewest) {
			pattern, what, ok, fewest = p, t, true, n
		}
	}
	if !ok {
		return r.Method + " " + path, what, false
	}
	for i, part := range strings.Split(pattern, "/") {
		if name, wild := strings.CutPrefix(part, "{"); wild {
			r.SetPathValue(strings.TrimSuffix(name, "}"), parts[i])
		}
	}
	return pattern, what, true
}

// wildcards counts the parts that are wildcards, if all parts fit.
func wildcards(pattern, parts []string) (n int, fits bool) {
	if len(pattern) != len(parts) {
		return 0, false
	}
	for i, part := range pattern {
		switch {
		case strings.HasPrefix(part, "{") && parts[i] != "":
			n++
		case part != parts[i]:
			return 0, false
		}
	}
	return n, true
}
