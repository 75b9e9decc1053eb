package predicate

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// kind is the type of an expression.
type kind string

const (
	kindBool      kind = "bool"
	kindString    kind = "string"
	kindInt       kind = "int"
	kindTime      kind = "time"
	kindSet       kind = "set"
	kindDict      kind = "dict"
	kindPair      kind = "pair"
	kindOption    kind = "option"
	kindResources kind = "list of resources"
)

// set and dict are values of the language: once made they are not changed.
type (
	set  map[string]struct{}
	dict map[string]set
)

// pair is an entry of a dict.
type pair struct {
	key   string
	value set
}

// resources are the requested resources: how many, and the labels of each that
// is known.
type resources struct {
	count  int
	labels []map[string]string
}

func newSet(items ...string) set {
	s := make(set, len(items))
	for _, item := range items {
		s[item] = struct{}{}
	}
	return s
}

func newDict(m map[string][]string) dict {
	d := make(dict, len(m))
	for key, values := range m {
		d[key] = newSet(values...)
	}
	return d
}

func (s set) has(item string) bool {
	_, ok := s[item]
	return ok
}

func (s set) with(items ...string) set {
	out := make(set, len(s)+len(items))
	maps.Copy(out, s)
	for _, item := range items {
		out[item] = struct{}{}
	}
	return out
}

func (s set) without(items ...string) set {
	out := maps.Clone(s)
	for _, item := range items {
		delete(out, item)
	}
	return out
}

// sorted gives the items in a fixed order, so that the same condition fails on
// the same item each time.
func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// equal compares two values of one kind.
func equal(a, b any) bool {
	switch a := a.(type) {
	case set:
		return maps.Equal(a, b.(set))
	case dict:
		return maps.EqualFunc(a, b.(dict), maps.Equal[set, set])
	case time.Time:
		return a.Equal(b.(time.Time))
	}
	return a == b
}

// comparable reports whether the operators == and != take values of the kind.
func (k kind) comparable() bool {
	return k != kindPair && k != kindOption && k != kindResources
}

// one writes the kind with its article.
func (k kind) one() string {
	if k == kindInt || k == kindOption {
		return "an " + string(k)
	}
	return "a " + string(k)
}

// list writes kinds as the arguments of a call.
func list(kinds []kind) string {
	var out []string
	for _, k := range kinds {
		out = append(out, string(k))
	}
	return "(" + strings.Join(out, ", ") + ")"
}
