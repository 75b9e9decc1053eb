package predicate

import (
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"regexp"
	"slices"
	"strings"
)

const (
	// maxText bounds in bytes what one call may make out of texts: replacements
	// within replacements grow exponentially.
	maxText = 64 << 10
	// maxPattern bounds in bytes a regular expression, which may be a text of
	// the requester; the time of a match grows with its length.
	maxPattern = 1 << 10
)

var errTooLong = fmt.Errorf("the result is longer than %d bytes", maxText)

// textFunctions work on each text of a set. On a single string they give a
// string where the result is one, and a set otherwise.
func textFunctions() map[string]function {
	return map[string]function{
		"strings.upper": {overloads: each(nil, func(s string, _ []string) (string, error) { return strings.ToUpper(s), nil })},
		"strings.lower": {overloads: each(nil, func(s string, _ []string) (string, error) { return strings.ToLower(s), nil })},
		"strings.replaceall": {overloads: each([]kind{kindString, kindString}, func(s string, args []string) (string, error) {
			return replaceAll(s, args[0], args[1])
		})},
		"strings.split":  {overloads: either([]kind{kindString}, nil, split)},
		"email.local":    {overloads: either(nil, nil, emailLocal)},
		"regexp.replace": {overloads: either([]kind{kindString, kindString}, checkPattern, regexpReplace)},
		"regexp.match":   {overloads: []overload{matches(kindSet), matches(kindString)}},
	}
}

// each makes the two forms of a function that turns one text into another.
func each(more []kind, f func(s string, args []string) (string, error)) []overload {
	forms := either(more, nil, func(in []string, args []string) ([]string, error) {
		out := make([]string, 0, len(in))
		size := 0
		for _, s := range in {
			t, err := f(s, args)
			if err != nil {
				return nil, err
			}
			if size += len(t); size > maxText {
				return nil, errTooLong
			}
			out = append(out, t)
		}
		return out, nil
	})
	inner := forms[1].eval
	forms[1].result = kindString
	forms[1].eval = func(a []any) (any, error) {
		v, err := inner(a)
		if err != nil {
			return nil, err
		}
		return v.(set).sorted()[0], nil
	}
	return forms
}

// either makes the two forms of a function whose first argument is a set or,
// for short, a single string, and whose result is a set.
func either(more []kind, literal func(int, string) error, f func(in []string, args []string) ([]string, error)) []overload {
	eval := func(in []string, args []any) (any, error) {
		out, err := f(in, texts(args))
		if err != nil {
			return nil, err
		}
		return newSet(out...), nil
	}
	return []overload{
		{
			params: append([]kind{kindSet}, more...), result: kindSet, literal: literal,
			eval: func(a []any) (any, error) { return eval(a[0].(set).sorted(), a[1:]) },
		}, {
			params: append([]kind{kindString}, more...), result: kindSet, literal: literal,
			eval: func(a []any) (any, error) { return eval([]string{a[0].(string)}, a[1:]) },
		},
	}
}

func replaceAll(s, match, replacement string) (string, error) {
	if len(s)+strings.Count(s, match)*len(replacement) > maxText {
		return "", errTooLong
	}
	return strings.ReplaceAll(s, match, replacement), nil
}

func split(in, args []string) ([]string, error) {
	var out []string
	for _, s := range in {
		out = append(out, strings.Split(s, args[0])...)
	}
	return out, nil
}

func emailLocal(in, _ []string) ([]string, error) {
	var out []string
	for _, s := range in {
		a, err := mail.ParseAddress(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not an e-mail address", s)
		}
		out = append(out, a.Address[:strings.LastIndexByte(a.Address, '@')])
	}
	return out, nil
}

// matches is the form of regexp.match that takes a set, of which one text has to match,
// or a single string.
func matches(of kind) overload {
	return overload{
		params: []kind{of, kindString}, result: kindBool, literal: checkWildcard,
		eval: func(a []any) (any, error) {
			re, err := wildcard(a[1].(string))
			if err != nil {
				return nil, err
			}
			if text, single := a[0].(string); single {
				return re.MatchString(text), nil
			}
			return slices.ContainsFunc(slices.Collect(maps.Keys(a[0].(set))), re.MatchString), nil
		},
	}
}

// checkWildcard looks at the pattern of regexp.match.
func checkWildcard(arg int, text string) error {
	if arg != 1 {
		return nil
	}
	_, err := wildcard(text)
	return err
}

// wildcard compiles what Teleport takes for a pattern wherever it takes one, as in the
// names of roles and the values of labels: a regular expression between ^ and $, or
// else a text that has to match as a whole and in which * stands for any other.
func wildcard(text string) (*regexp.Regexp, error) {
	if !strings.HasPrefix(text, "^") || !strings.HasSuffix(text, "$") {
		text = "^(?s:" + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*") + ")$"
	}
	return pattern(text)
}

// checkPattern looks at the regular expression of regexp.replace.
func checkPattern(arg int, text string) error {
	if arg != 1 {
		return nil
	}
	_, err := pattern(text)
	return err
}

// pattern compiles a regular expression of the syntax of RE2, which matches in
// time linear in the text.
func pattern(text string) (*regexp.Regexp, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("the regular expression is longer than %d bytes", maxPattern)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re, nil
}

// regexpReplace replaces all matches; texts without one are left out.
func regexpReplace(in, args []string) ([]string, error) {
	re, err := pattern(args[0])
	if err != nil {
		return nil, err
	}
	var out []string
	size := 0
	for _, s := range in {
		matches := re.FindAllStringIndex(s, -1)
		if len(matches) == 0 {
			continue
		}
		// A reference to a group stands for no more than its match.
		size += len(s)*(1+strings.Count(args[1], "$")) + len(matches)*len(args[1])
		if size > maxText {
			return nil, errTooLong
		}
		out = append(out, re.ReplaceAllString(s, args[1]))
	}
	return out, nil
}
