package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// exact is implemented by tables in which an unknown key is a fault: those whose
// keys forbid something, where one that is misspelt would allow it.
type exact interface {
	Exact()
}

// unknown warns of a key, perhaps the name of a section, that no field of v takes.
func (l *loader) unknown(v reflect.Value, path, written, key string, section bool) {
	p := Problem{
		File:    l.file,
		Line:    l.lines[written],
		Key:     written,
		What:    "this key is unknown and has no effect",
		Do:      advice(nearest(v, l.root, path, key), path == "" && section),
		Unknown: true,
	}
	if _, strict := v.Addr().Interface().(exact); strict {
		l.faults = append(l.faults, p)
		return
	}
	if !slices.Contains(l.warnings, p) { // of a table that two structs share
		l.warnings = append(l.warnings, p)
	}
}

// keysIn lists the keys that any struct has in the table at a path, without the path.
func keysIn(root reflect.Value, path string) (keys []Key) {
	for _, k := range keysBelow(root, "") {
		if parent(k.Path) == path {
			k.Path = strings.TrimPrefix(k.Path, path+".")
			keys = append(keys, k)
		}
	}
	return keys
}

// declared reports whether any struct has the key in the table at a path, perhaps
// another one than that which is being filled.
func (l *loader) declared(path, key string) bool {
	return slices.ContainsFunc(keysIn(l.root, path), func(k Key) bool {
		return slices.ContainsFunc(append([]string{k.Path}, k.Aliases...), func(name string) bool { return strings.EqualFold(name, key) })
	})
}

func advice(near string, section bool) string {
	switch {
	case near == "" && section:
		return "remove it, or see whether this is the config of another plugin"
	case near == "":
		return "remove it"
	}
	return fmt.Sprintf("did you mean %s", near)
}

// nearest gives the known key that was most likely meant: one of the same table
// that is spelled alike, or else the key of that name in another table, or "".
func nearest(table, root reflect.Value, path, key string) string {
	best, distance := "", len(key)/3+2
	for _, k := range append(keysOf(table, ""), keysIn(root, path)...) {
		if strings.ContainsAny(k.Path, ".[") {
			continue
		}
		for _, name := range append([]string{k.Path}, k.Aliases...) {
			d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(key))
			if d < distance && d < len(name) {
				best, distance = join(path, k.Path), d
			}
		}
	}
	if best != "" {
		return best
	}
	for _, k := range keysOf(root, "") {
		if i := strings.LastIndexByte(k.Path, '.'); i >= 0 && strings.EqualFold(k.Path[i+1:], key) {
			return k.Path
		}
	}
	return ""
}
