package config

import "path/filepath"

// Validator is implemented by a section, or by any type within one, that has
// rules of its own. Load calls it after the whole file has been read, for inner
// values before the outer ones, also when the section is absent from the file.
// The method may also fill in what follows from other keys.
type Validator interface {
	Validate(f *Faults)
}

// Faults collects what validation finds. Keys are relative to the value that is
// being validated; the key "" is that value itself.
type Faults struct {
	l    *loader
	path string
}

// Add records a fault: what is wrong with the key and what to do about it, both
// without a full stop and without the value of a secret. A key whose value had
// the wrong type has its fault already and gets no second one.
func (f *Faults) Add(key, what, do string) {
	if !f.broken(key) {
		f.l.fault(f.join(key), what, do)
	}
}

// Warn records a warning, in the same form as Add.
func (f *Faults) Warn(key, what, do string) {
	if !f.broken(key) {
		f.l.warn(f.join(key), what, do)
	}
}

// Has tells whether the file sets the key, whatever to.
func (f *Faults) Has(key string) bool {
	return f.l.written[f.join(key)] != "" || f.broken(key)
}

// In gives a collector for the keys below the given key.
func (f *Faults) In(key string) *Faults {
	return &Faults{l: f.l, path: f.join(key)}
}

// resolve gives the path of a file that is named relative to the config file.
func (f *Faults) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(f.l.file), path)
}

// broken tells whether the value of a key has a fault of type already.
func (f *Faults) broken(key string) bool { return f.l.broken(f.join(key)) }

func (f *Faults) join(key string) string {
	if key == "" {
		return f.path
	}
	return join(f.path, key)
}
