package config

import "reflect"

// Secrets lists the files from which the struct that into points to takes secrets, and
// reports whether the config itself holds one. Nothing is read.
func Secrets(into any) (files []string, inline bool) {
	return secretsBelow(reflect.ValueOf(into).Elem())
}

func secretsBelow(v reflect.Value) (files []string, inline bool) {
	for _, f := range fieldsOf(v) {
		secret, ok := f.value.Interface().(Secret)
		switch {
		case ok && secret.source != nil:
			inline = inline || secret.source.literal != nil
			if secret.source.file != "" {
				files = append(files, secret.source.file)
			}
		case tableLike(f.value.Type()):
			below, within := secretsBelow(f.value)
			files, inline = append(files, below...), inline || within
		}
	}
	return files, inline
}
