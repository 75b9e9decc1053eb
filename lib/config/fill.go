package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// unmarshaler is implemented by types that take a decoded TOML value as it is:
// string, int64, float64, bool, time.Time, []any, []map[string]any or
// map[string]any. The error says what is wrong and ends in what to do, after a
// semicolon; it never holds the value of a secret.
type unmarshaler interface {
	UnmarshalTOML(any) error
}

// abbreviated is implemented by tables that may also be written as one value, as
// earlier releases did. FromValue gets that value, decoded; its error is of the
// form of unmarshaler's.
type abbreviated interface {
	FromValue(any) error
}

// field is one field of a struct as the file sees it.
type field struct {
	value   reflect.Value
	tag     reflect.StructTag
	name    string   // declared key; "" for an embedded struct, whose keys stand in the outer table
	aliases []string // further keys
}

// path gives the declared path of the field within a struct at the given path.
func (f field) path(outer string) string {
	if f.name == "" {
		return outer
	}
	return join(outer, f.name)
}

// names gives the keys that set the field.
func (f field) names() []string { return append([]string{f.name}, f.aliases...) }

// fieldsOf lists the fields of a struct that a file can set.
func fieldsOf(v reflect.Value) []field {
	var fields []field
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("toml"), ",")
		if !sf.IsExported() || name == "-" {
			continue
		}
		if name == "" && !(sf.Anonymous && sf.Type.Kind() == reflect.Struct) {
			name = sf.Name
		}
		f := field{value: v.Field(i), tag: sf.Tag, name: name}
		if alias := sf.Tag.Get("alias"); alias != "" {
			f.aliases = strings.Split(alias, ",")
		}
		fields = append(fields, f)
	}
	return fields
}

// fillStruct sets the fields of v from a table and warns of the keys that are
// left over. path is declared, written is as in the file. Two structs may share a
// table, each with keys of its own.
func (l *loader) fillStruct(v reflect.Value, table map[string]any, path, written string) {
	used := map[string]bool{}
	l.fillFields(v, table, path, written, used)
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if !used[key] && !l.declared(path, key) {
			_, section := table[key].(map[string]any)
			l.unknown(v, path, join(written, key), key, section)
		}
	}
}

func (l *loader) fillFields(v reflect.Value, table map[string]any, path, written string, used map[string]bool) {
	for _, f := range fieldsOf(v) {
		if f.name == "" {
			l.fillFields(f.value, table, path, written, used)
			continue
		}
		if secret, ok := f.value.Addr().Interface().(*Secret); ok {
			l.fillSecretFile(secret, f, table, path, written, used)
		}
		key := l.find(f.names(), table, path, written, used)
		if key == "" {
			continue
		}
		l.written[f.path(path)] = join(written, key)
		if say := f.tag.Get("deprecated"); say != "" {
			l.warn(f.path(path), "this key is deprecated", say)
		}
		l.fill(f.value, table[key], f.path(path), join(written, key))
	}
}

// find gives the key of the table that has one of the names, or "". More than
// one is a fault.
func (l *loader) find(names []string, table map[string]any, path, written string, used map[string]bool) string {
	var found []string
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, key) }) {
			found = append(found, key)
			used[key] = true
		}
	}
	if len(found) == 0 {
		return ""
	}
	for _, key := range found[1:] {
		l.written[join(path, key)] = join(written, key)
		l.fault(join(path, key), fmt.Sprintf("this is the same setting as %s", join(written, found[0])), "keep one of the two")
	}
	return found[0]
}

// fill sets v from a decoded value, or records the fault.
func (l *loader) fill(v reflect.Value, raw any, path, written string) {
	if u, ok := v.Addr().Interface().(unmarshaler); ok {
		if err := u.UnmarshalTOML(raw); err != nil {
			l.mismatch(path, err.Error(), "")
		}
		l.warnBareDuration(v, raw, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		l.fillTable(v, raw, path, written)
	case reflect.Slice:
		l.fillSlice(v, raw, path, written)
	case reflect.Map:
		l.fillMap(v, raw, path)
	default:
		if !setScalar(v, raw) {
			l.mismatch(path, fmt.Sprintf("this is %s, not %s", Describe(raw), describeType(v.Type())), howTo(v.Type()))
		}
	}
}

func (l *loader) fillTable(v reflect.Value, raw any, path, written string) {
	table, ok := raw.(map[string]any)
	if short, can := v.Addr().Interface().(abbreviated); can && !ok {
		if err := short.FromValue(raw); err != nil {
			l.mismatch(path, err.Error(), "")
		}
		return
	}
	if !ok {
		l.mismatch(path, fmt.Sprintf("this is %s, not a table", Describe(raw)), fmt.Sprintf("write [%s] on a line of its own and the keys below it", written))
		return
	}
	l.fillStruct(v, table, path, written)
}

// fillSlice replaces v, so that a list in the file is not mixed with the default.
func (l *loader) fillSlice(v reflect.Value, raw any, path, written string) {
	items := reflect.ValueOf(raw)
	if items.Kind() != reflect.Slice {
		l.mismatch(path, fmt.Sprintf("this is %s, not a list", Describe(raw)), `write the values in brackets, as in ["a", "b"]`)
		return
	}
	out := reflect.MakeSlice(v.Type(), items.Len(), items.Len())
	for i := range items.Len() {
		l.written[element(path, i)] = element(written, i)
		l.fill(out.Index(i), items.Index(i).Interface(), element(path, i), element(written, i))
	}
	v.Set(out)
}

// fillMap replaces v; its keys are strings.
func (l *loader) fillMap(v reflect.Value, raw any, path string) {
	table, ok := raw.(map[string]any)
	if !ok {
		l.mismatch(path, fmt.Sprintf("this is %s, not a table", Describe(raw)), "write it as a table of keys and values")
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(table))
	for _, key := range slices.Sorted(maps.Keys(table)) {
		l.written[join(path, key)] = join(l.shown(path), key)
		item := reflect.New(v.Type().Elem()).Elem()
		if inner, isTable := table[key].(map[string]any); isTable && !takesTable(v.Type().Elem()) {
			l.mismatch(join(path, key), "this is a table, as a key with a dot makes one", "put the whole key in quotes, as in "+quotedWhole(key, inner))
			continue
		}
		l.fill(item, table[key], join(path, key), join(l.shown(path), key))
		out.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), item)
	}
	v.Set(out)
}

// takesTable tells whether the values of a map may be tables.
func takesTable(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Map
}

// quotedWhole is the key that was meant by one with dots, as far as it has one way
// to go.
func quotedWhole(key string, table map[string]any) string {
	for len(table) == 1 {
		for next, value := range table {
			key += "." + next
			table, _ = value.(map[string]any)
		}
	}
	return strconv.Quote(key)
}

// mismatch records that the value at a path could not be used.
func (l *loader) mismatch(path, what, do string) {
	l.fault(path, what, do)
	l.mistyped[path] = true
}

// setScalar sets v if the value is of its kind and fits.
func setScalar(v reflect.Value, raw any) bool {
	switch raw := raw.(type) {
	case string:
		if v.Kind() == reflect.String {
			v.SetString(raw)
			return true
		}
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(raw)
			return true
		}
	case int64:
		if v.CanInt() && !v.OverflowInt(raw) {
			v.SetInt(raw)
			return true
		}
		if v.CanFloat() {
			v.SetFloat(float64(raw))
			return true
		}
	case float64:
		if v.CanFloat() {
			v.SetFloat(raw)
			return true
		}
	}
	return false
}

// Describe names the kind of a decoded value, never the value.
func Describe(raw any) string {
	switch raw.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case time.Time:
		return "a date or time"
	case map[string]any:
		return "a table"
	}
	return "a list"
}

// describeType names the kind of value that a field takes.
func describeType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Struct, reflect.Map:
		return "a table"
	case reflect.Slice:
		return "a list"
	}
	return "a whole number"
}

// howTo says how a value of the type is written.
func howTo(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return `write the value in quotes, as in "value"`
	case reflect.Bool:
		return "write true or false without quotes"
	case reflect.Float32, reflect.Float64:
		return "write the number without quotes"
	}
	return "write a whole number in range, without quotes"
}
