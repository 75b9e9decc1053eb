package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/agnivade/levenshtein"
)

// exact is implemented by tables in which an unknown key is a fault: those whose
// keys forbid something, where one that is misspelt would allow it.
type exact interface {
	Exact()
}

// unknown warns of a key that no field of v takes.
func (l *loader) unknown(v reflect.Value, path, written, key string) {
	p := Problem{
		File:    l.file,
		Line:    l.lines[written],
		Key:     written,
		What:    "this key is unknown and has no effect",
		Do:      advice(nearest(v, l.root, path, key)),
		Unknown: true,
	}
	if _, strict := v.Addr().Interface().(exact); strict {
		l.faults = append(l.faults, p)
		return
	}
	l.warnings = append(l.warnings, p)
}

func advice(near string) string {
	if near == "" {
		return "remove it"
	}
	return fmt.Sprintf("did you mean %s", near)
}

// nearest gives the known key that was most likely meant: one of the same table
// that is spelled alike, or else the key of that name in another table, or "".
func nearest(table, root reflect.Value, path, key string) string {
	best, distance := "", len(key)/3+2
	for _, k := range keysOf(table, "") {
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
