package predicate

import (
	"maps"
	"slices"
)

// functions are the functions and methods of the language.
func functions() map[string]function {
	all := map[string]function{
		"ifelse": {special: ifelse},
		"choose": {special: choose},
		"option": {special: option},
		"set": {overloads: []overload{{
			params: []kind{kindString}, variadic: true, result: kindSet,
			eval: func(a []any) (any, error) { return newSet(texts(a)...), nil },
		}}},
		"union": {overloads: []overload{{
			params: []kind{kindSet}, variadic: true, result: kindSet, eval: union,
		}}},
		"pair": {overloads: []overload{{
			params: []kind{kindString, kindSet}, result: kindPair,
			eval: func(a []any) (any, error) { return pair{a[0].(string), a[1].(set)}, nil },
		}}},
		"dict": {overloads: []overload{{
			params: []kind{kindPair}, variadic: true, result: kindDict, eval: makeDict,
		}}},
	}
	for _, more := range []map[string]function{setFunctions(), dictFunctions(), textFunctions(), clockFunctions(), labelFunctions()} {
		for name, f := range more {
			f.overloads = append(all[name].overloads, f.overloads...)
			all[name] = f
		}
	}
	return all
}

func setFunctions() map[string]function {
	two := []kind{kindSet, kindSet}
	isEmpty := method(overload{
		params: []kind{kindSet}, result: kindBool,
		eval: func(a []any) (any, error) { return len(a[0].(set)) == 0, nil },
	})
	return map[string]function{
		"contains": method(overload{
			params: []kind{kindSet, kindString}, result: kindBool,
			eval: func(a []any) (any, error) { return a[0].(set).has(a[1].(string)), nil },
		}),
		"contains_any": method(overload{
			params: two, result: kindBool,
			eval: func(a []any) (any, error) { return containsAny(a[0].(set), a[1].(set)), nil },
		}),
		"contains_all": method(overload{
			params: two, result: kindBool,
			eval: func(a []any) (any, error) { return containsAll(a[0].(set), a[1].(set)), nil },
		}),
		"is_empty": isEmpty,
		"isempty":  isEmpty,
		"add": method(overload{
			params: []kind{kindSet, kindString}, variadic: true, result: kindSet,
			eval: func(a []any) (any, error) { return a[0].(set).with(texts(a[1:])...), nil },
		}),
		"remove": method(overload{
			params: []kind{kindSet, kindString}, variadic: true, result: kindSet,
			eval: func(a []any) (any, error) { return a[0].(set).without(texts(a[1:])...), nil },
		}),
	}
}

func dictFunctions() map[string]function {
	return map[string]function{
		"put": method(overload{
			params: []kind{kindDict, kindString, kindSet}, result: kindDict,
			eval: func(a []any) (any, error) { return a[0].(dict).put(a[1].(string), a[2].(set)), nil },
		}),
		"add_values": method(overload{
			params: []kind{kindDict, kindString, kindString}, variadic: true, result: kindDict,
			eval: func(a []any) (any, error) {
				d, key := a[0].(dict), a[1].(string)
				return d.put(key, d[key].with(texts(a[2:])...)), nil
			},
		}),
		"remove": method(overload{
			params: []kind{kindDict, kindString}, variadic: true, result: kindDict,
			eval: func(a []any) (any, error) { return a[0].(dict).without(texts(a[1:])...), nil },
		}),
	}
}

// labelFunctions are for conditions written before the dicts of labels were
// there. has_labels holds if there are resources and each carries the label.
func labelFunctions() map[string]function {
	return map[string]function{
		"has_labels": method(overload{
			params: []kind{kindResources, kindString, kindString}, result: kindBool,
			eval: func(a []any) (any, error) {
				return everyHas(a[0].(resources).labels, a[1].(string), a[2].(string)), nil
			},
		}),
	}
}

func method(overloads ...overload) function { return function{method: true, overloads: overloads} }

func texts(args []any) []string {
	out := make([]string, 0, len(args))
	for _, arg := range args {
		out = append(out, arg.(string))
	}
	return out
}

func union(args []any) (any, error) {
	out := make(set)
	for _, arg := range args {
		maps.Copy(out, arg.(set))
	}
	return out, nil
}

func makeDict(args []any) (any, error) {
	out := make(dict)
	for _, arg := range args {
		p := arg.(pair)
		out[p.key] = p.value
	}
	return out, nil
}

func containsAny(a, b set) bool {
	for item := range b {
		if a.has(item) {
			return true
		}
	}
	return false
}

// containsAll reports whether a has all of b. Of an empty b nothing is in a, so
// that a request for resources alone does not match a condition on roles.
func containsAll(a, b set) bool {
	for item := range b {
		if !a.has(item) {
			return false
		}
	}
	return len(b) > 0
}

func (d dict) put(key string, value set) dict {
	out := maps.Clone(d)
	out[key] = value
	return out
}

func (d dict) without(keys ...string) dict {
	out := maps.Clone(d)
	maps.DeleteFunc(out, func(key string, _ set) bool { return slices.Contains(keys, key) })
	return out
}
