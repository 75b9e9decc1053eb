package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Key describes one setting, for a reference and for the tests that compare it
// with the code.
type Key struct {
	Path       string   // as declared, dotted; "name[]" stands for each table of an array, "name.NAME" for each that the operator names
	Type       string   // "string", "true or false", "duration" …, in words
	Default    string   // as it would be written in TOML; empty when there is none
	Doc        string   // from the doc tag
	Deprecated string   // what to do instead; empty for a current key
	Aliases    []string // further names of the last key of Path
	// Open is set for a table whose keys the operator chooses.
	Open bool
}

// Keys lists every setting of the struct that into points to, in the order of
// its declaration; the values in the struct are the defaults. A Secret gives two
// keys, its own and the one that names a file. Settings of type Ignored are left
// out.
func Keys(into any) []Key {
	return keysBelow(reflect.ValueOf(into).Elem(), "")
}

// keysBelow lists the settings of a struct and of the tables in it.
func keysBelow(v reflect.Value, path string) []Key {
	var keys []Key
	for _, f := range fieldsOf(v) {
		at := f.path(path)
		switch {
		case f.value.Type() == reflect.TypeFor[Ignored]():
		case tableLike(f.value.Type()):
			keys = append(keys, keysBelow(f.value, at)...)
		case f.value.Kind() == reflect.Slice && tableLike(f.value.Type().Elem()):
			keys = append(keys, keysBelow(reflect.Zero(f.value.Type().Elem()), at+"[]")...)
		case mapOfTables(f.value.Type()):
			keys = append(keys, keysBelow(reflect.Zero(f.value.Type().Elem()), join(at, AnyName))...)
		default:
			keys = append(keys, describeField(f, at)...)
		}
	}
	return keys
}

// AnyName stands, in the path of a [Key], for a name that the operator chooses.
const AnyName = "NAME"

// keysOf lists what may stand in a table: the settings as Keys gives them, and
// the tables and the ignored settings as well.
func keysOf(v reflect.Value, path string) []Key {
	keys := keysBelow(v, path)
	for _, f := range fieldsOf(v) {
		if f.name == "" {
			keys = append(keys, keysOf(f.value, path)...)
		} else if tableLike(f.value.Type()) || f.value.Kind() == reflect.Slice || mapOfTables(f.value.Type()) {
			keys = append(keys, Key{Path: f.path(path), Aliases: f.aliases})
		}
	}
	return keys
}

// tableLike tells whether a type is a table with keys of its own.
func tableLike(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[unmarshaler]())
}

// mapOfTables tells whether a type is a table of tables that the operator names.
func mapOfTables(t reflect.Type) bool { return t.Kind() == reflect.Map && tableLike(t.Elem()) }

func describeField(f field, path string) []Key {
	k := Key{
		Path:       path,
		Type:       typeName(f.value.Type()),
		Default:    f.tag.Get("default"),
		Doc:        f.tag.Get("doc"),
		Deprecated: f.tag.Get("deprecated"),
		Aliases:    f.aliases,
		Open:       f.value.Kind() == reflect.Map,
	}
	if k.Default == "" {
		k.Default = defaultText(f.value)
	}
	if f.value.Type() != reflect.TypeFor[Secret]() {
		return []Key{k}
	}
	file := Key{Path: path + "_file", Type: "path", Doc: "path of a file that holds " + path, Deprecated: k.Deprecated}
	for _, alias := range f.aliases {
		file.Aliases = append(file.Aliases, alias+"_file")
	}
	return []Key{k, file}
}

func typeName(t reflect.Type) string {
	if named, ok := reflect.Zero(t).Interface().(interface{ TypeName() string }); ok {
		return named.TypeName()
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.Map:
		return "table of " + typeName(t.Elem())
	}
	return strings.TrimPrefix(describeType(t), "a ")
}

// defaultText writes a default as TOML; the zero value of a type in which it
// means "not set" gives "".
func defaultText(v reflect.Value) string {
	switch {
	case v.Type() == reflect.TypeFor[Secret]():
		return ""
	case v.Kind() == reflect.Bool:
		return fmt.Sprint(v.Bool())
	case v.IsZero():
		return ""
	case v.Kind() == reflect.String:
		return fmt.Sprintf("%q", v.String())
	case v.Type() == reflect.TypeFor[Duration]():
		return fmt.Sprintf("%q", v.Interface())
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		return strings.ReplaceAll(fmt.Sprintf("%q", v.Interface()), `" "`, `", "`)
	case v.Kind() == reflect.Slice, v.Kind() == reflect.Map, v.Kind() == reflect.Struct:
		return ""
	}
	return fmt.Sprint(v.Interface())
}
