package recipient

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/message"
)

// Anyone is the key in a Table that holds for every role without recipients
// of its own.
const Anyone = "*"

// Table is the table [role_to_recipients]: whom to tell when a role is
// requested. A key is the exact name of a role or a pattern in which "*" stands
// for any run of characters; a value is one recipient or a list of them.
type Table map[string]Names

// Names is one recipient or a list of them; empty names are left out. A list that is
// empty stands for nobody, and nil for what says nothing.
type Names []string

// TypeName is what the reference calls the values of a [Table].
func (Names) TypeName() string { return "recipients" }

// UnmarshalTOML takes a string or a list of strings.
func (n *Names) UnmarshalTOML(raw any) error {
	const do = `; write a string or a list of strings, as in ["a", "b"]`
	items, ok := raw.([]any)
	if !ok {
		items = []any{raw}
	}
	var names Names
	if ok && len(items) == 0 {
		names = Names{}
	}
	for _, item := range items {
		switch name, isString := item.(string); {
		case message.IsWebAddress(name):
			return errors.New("a recipient is a web address, which may hold a secret; name a channel or a person")
		case !isString && ok:
			return errors.New("this list holds " + config.Describe(item) + do)
		case !isString:
			return errors.New("this is " + config.Describe(item) + ", not a recipient" + do)
		case strings.TrimSpace(name) != "":
			names = append(names, strings.TrimSpace(name))
		}
	}
	*n = names
	return nil
}

// Require records the faults of a table without which the plugin cannot tell
// anyone. A plugin that routes by this table calls it from the Validate of its
// whole config; f is the collector at the key of the table.
func (t Table) Require(f *config.Faults) {
	for role := range t {
		WarnOfPattern(f, role, role)
	}
	switch {
	case len(t) == 0:
		f.Add("", "the table is missing or empty", `add it with at least "*" = ["recipient"]`)
	case !f.Has(Anyone) && len(t[Anyone]) == 0:
		f.Add("", `there is no entry for "*"`, `add "*" = ["recipient"], which holds for every role without an entry of its own`)
	case t[Anyone] == nil:
		f.Add(Anyone, `the entry for "*" is empty`, "name at least one recipient, or write [] for nobody")
	case len(t[Anyone]) == 0:
		f.Warn(Anyone, "nobody is notified of requests for roles that have no entry of their own", "name at least one recipient, unless that is meant")
	}
}

// expression finds what no name of a role has. A dot before the star may belong to
// the name, as in "db.*".
var expression = regexp.MustCompile(`^\^|\$$|\\|(^|[-_])\.\*`)

// WarnOfPattern warns, at a key, of a role or pattern that is written as a regular
// expression and would match nothing.
func WarnOfPattern(f *config.Faults, key, pattern string) {
	if expression.MatchString(pattern) {
		f.Warn(key, "this looks like a regular expression, and is none: only * has a meaning, that of any text", `write for example "dev-*"`)
	}
}

// For gives the recipients for the requested roles, each once, in the order in
// which they are first named. For each role the entry of exactly that name
// counts, else that of the longest pattern that matches, else that of "*". The
// entry [] is for nobody; one that names only blanks is as if it were not there. A
// request for no roles is for those of "*".
func (t Table) For(roles []string) []string {
	var all []string
	seen := map[string]bool{}
	for _, role := range orAnyone(roles) {
		for _, recipient := range t[t.keyOf(role)] {
			if !seen[recipient] {
				seen[recipient] = true
				all = append(all, recipient)
			}
		}
	}
	return all
}

// orAnyone are the roles whose entries count.
func orAnyone(roles []string) []string {
	if len(roles) == 0 {
		return []string{Anyone}
	}
	return roles
}

// keyOf is the key whose entry counts for a role.
func (t Table) keyOf(role string) string {
	if t[role] != nil {
		return role
	}
	best := Anyone
	for pattern, list := range t {
		if list != nil && moreSpecific(pattern, best) && Matches(pattern, role) {
			best = pattern
		}
	}
	return best
}

// moreSpecific orders patterns: the longer first, those of one length by their
// text, so that the choice never depends on the order of a map.
func moreSpecific(a, b string) bool {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(b, a)) > 0
}

// Covers reports whether each of the roles, of which there is at least one, fits one of the
// patterns.
func Covers(patterns, roles []string) bool {
	return len(roles) > 0 && !slices.ContainsFunc(roles, func(role string) bool {
		return !slices.ContainsFunc(patterns, func(pattern string) bool { return Matches(pattern, role) })
	})
}

// Matches reports whether the whole name fits a pattern, in which "*" stands for any
// run of characters.
func Matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return true
}
