package config

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"teleport-plugins/lib/file"
)

// Load reads the file at path into the struct that into points to. What the
// file does not set keeps the value it had before. The Report holds the
// warnings, also when there is an error.
//
// The error is an *Error with every fault of the file, or, where the text is not
// TOML, with the first one. After an error the struct is not fit for use.
func Load(path string, into any) (Report, error) {
	text, err := file.Read(path)
	if err != nil {
		return Report{}, unreadable(path, err)
	}
	return decode(path, string(text), into)
}

// decode is Load for a text already read.
func decode(name, text string, into any) (Report, error) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return Report{}, fmt.Errorf("loading %s: want a pointer to a struct, got %T", name, into)
	}
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		return Report{}, syntaxError(name, err)
	}
	l := &loader{
		file:     name,
		lines:    keyLines(text),
		written:  map[string]string{},
		mistyped: map[string]bool{},
		root:     v.Elem(),
	}
	l.fillStruct(v.Elem(), tree, "", "")
	l.flat(v.Elem(), tree)
	l.validate(v.Elem(), "")
	if verb, do := open(name); verb != "" {
		(&Faults{l: l}).grave("", "every user of this machine can "+verb+" this file", do)
	}
	report := Report{Warnings: append(sorted(l.warnings), environmentWarnings()...)}
	if len(l.faults) > 0 {
		return report, &Error{Faults: sorted(l.faults)}
	}
	return report, nil
}

// loader is the state of one Load. Paths come in two forms: declared, spelled as
// in the struct, and as written in the file.
type loader struct {
	file     string
	lines    map[string]int    // written path → line
	written  map[string]string // declared path → written path, for keys that are set
	mistyped map[string]bool   // declared paths that could not be filled
	root     reflect.Value

	faults   []Problem
	warnings []Problem
}

// fault records a fault at a declared path.
func (l *loader) fault(path, what, do string) {
	l.faults = append(l.faults, Problem{File: l.file, Line: l.line(path), Key: l.shown(path), What: what, Do: do})
}

// warn records a warning at a declared path.
func (l *loader) warn(path, what, do string) {
	l.warnings = append(l.warnings, Problem{File: l.file, Line: l.line(path), Key: l.shown(path), What: what, Do: do})
}

// shown gives the path as the operator wrote it, so that it can be searched for.
func (l *loader) shown(path string) string {
	if written := l.written[path]; written != "" {
		return written
	}
	return path
}

// line gives the line of a declared path, or that of the nearest table around it
// when the key is not set, or 0.
func (l *loader) line(path string) int {
	for ; path != ""; path = parent(path) {
		if line := l.lines[l.shown(path)]; line > 0 {
			return line
		}
	}
	return 0
}

// broken tells whether the value at a path, or a table around it, had the wrong
// type.
func (l *loader) broken(path string) bool {
	for ; path != ""; path = parent(path) {
		if l.mistyped[path] {
			return true
		}
	}
	return false
}

// validate calls the Validators at and below v, the innermost first.
func (l *loader) validate(v reflect.Value, path string) {
	switch {
	case v.Kind() == reflect.Struct:
		for _, f := range fieldsOf(v) {
			l.validate(f.value, f.path(path))
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		for i := range v.Len() {
			l.validate(v.Index(i), element(path, i))
		}
	case v.Kind() == reflect.Map && v.Type().Elem().Kind() == reflect.Struct:
		l.validateMap(v, path)
	}
	if !v.CanAddr() {
		return
	}
	if validator, ok := v.Addr().Interface().(Validator); ok {
		validator.Validate(&Faults{l: l, path: path})
	}
}

// validateMap validates copies, since the values of a map cannot be changed in
// place.
func (l *loader) validateMap(v reflect.Value, path string) {
	for _, key := range v.MapKeys() {
		item := reflect.New(v.Type().Elem()).Elem()
		item.Set(v.MapIndex(key))
		l.validate(item, join(path, key.String()))
		v.SetMapIndex(key, item)
	}
}

func unreadable(path string, err error) *Error {
	p := Problem{File: path, What: "the file cannot be read", Do: "check the path and its permissions"}
	fault, unfit := errors.AsType[file.Fault](err)
	switch {
	case unfit:
		p.What, p.Do = "this "+fault.Error(), "give the path of a file with --config"
	case errors.Is(err, fs.ErrNotExist):
		p.What, p.Do = "there is no such file", "write one with the configure command or give its path with --config"
	case errors.Is(err, fs.ErrPermission):
		p.What, p.Do = "permission to read the file is denied", "let the user that runs the plugin read it"
	}
	return &Error{Faults: []Problem{p}, cause: err}
}

func syntaxError(name string, err error) *Error {
	p := Problem{File: name, What: "this is not TOML", Do: "correct the line; strings need quotes, and so do keys with anything but letters, digits, - and _"}
	if parse := (toml.ParseError{}); errors.As(err, &parse) {
		p.Line = parse.Position.Line
		p.Key = oneLine(parse.LastKey)
		p.What += ": " + strings.TrimSuffix(withoutValues(parse.Message), ".")
	}
	return &Error{Faults: []Problem{p}, syntax: true}
}

var (
	quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'|[0-9A-Za-z+/_-]{20,}|[0-9]{5,}`)
	keyClause  = regexp.MustCompile(`^Key '[^']*' (has already|was already)`)
)

// withoutValues removes from a message of the TOML decoder what may be part of a
// value, since the value may be a secret. Quoted text of one or two characters
// stays: it is punctuation.
func withoutValues(message string) string {
	message = oneLine(message)
	if keyClause.MatchString(message) {
		return message
	}
	return quotedText.ReplaceAllStringFunc(message, func(s string) string {
		if utf8.RuneCountInString(s) <= 4 {
			return s
		}
		return "…"
	})
}

// oneLine makes line ends and other control characters visible.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '·'
		}
		return r
	}, s)
}
