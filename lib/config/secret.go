package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"sync"

	"teleport-plugins/lib/file"
)

// redacted is what a Secret prints as.
const redacted = "[redacted]"

// maxSecret bounds how much of a secret file is read, in bytes.
const maxSecret = 1 << 20

// Secret is a value that must not be shown: a token or a key. In the file it is
// written as the value itself, as the path of a file that holds it (a value that
// begins with "/"), or as "env:NAME". For a key "token" the sibling key
// "token_file" names a file too; exactly one of the two may be set.
//
// A secret that comes from a file is read again when the file changes, so a
// rotated secret is taken up without a restart. Copies of a Secret share what
// was read. However it is printed or encoded, it comes out as "[redacted]".
type Secret struct {
	source *secretSource
}

// TypeName is what the reference calls it.
func (Secret) TypeName() string { return "secret" }

// secretSource is where a secret comes from. The texts that must not be shown
// are behind pointers, which package fmt never follows to a string: it does print
// the fields of a struct by itself where a Secret is in an unexported field.
type secretSource struct {
	literal *string // the secret itself; nil when it comes from elsewhere
	env     string  // name of the variable
	file    string  // path

	mu    sync.Mutex
	value *string     // last good content of the file; nil before there is one
	seen  fs.FileInfo // of the file when it was last looked at
	err   error       // why the last look failed
}

// NewSecret makes a Secret from text in the form that a config file holds; the
// empty text gives a Secret that is not set.
func NewSecret(text string) Secret {
	text = trimmed(text)
	switch name, env := strings.CutPrefix(text, "env:"); {
	case text == "":
		return Secret{}
	case env:
		return Secret{&secretSource{env: name}}
	case strings.HasPrefix(text, "/"):
		return secretFile(text)
	}
	return Secret{&secretSource{literal: &text}}
}

func secretFile(path string) Secret { return Secret{&secretSource{file: path}} }

// IsSet tells whether the file gives the secret in any form.
func (s Secret) IsSet() bool { return s.source != nil }

// Read gives the secret, without the white space around it: of a file, its present
// content. A file that can no longer be read, or is empty, yields its last
// good content; Problem then says why. The error names the source and never
// holds the secret. A Secret that is not set gives an error.
func (s Secret) Read() (string, error) {
	switch {
	case s.source == nil:
		return "", errors.New("the secret is not set")
	case s.source.literal != nil:
		return *s.source.literal, nil
	case s.source.file != "":
		return s.source.readFile()
	}
	return s.source.readEnv()
}

// Problem says why the last Read of a file could not take up a change and gave
// the earlier content, or is nil.
func (s Secret) Problem() error {
	if s.source == nil {
		return nil
	}
	s.source.mu.Lock()
	defer s.source.mu.Unlock()
	return s.source.err
}

func (s *secretSource) readEnv() (string, error) {
	value, set := os.LookupEnv(s.env)
	switch text := trimmed(value); {
	case text != "":
		return text, nil
	case set:
		return "", fmt.Errorf("the environment variable %q is empty", s.env)
	}
	return "", fmt.Errorf("the environment variable %q is not set", s.env)
}

func (s *secretSource) readFile() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = s.refresh()
	if s.value == nil {
		return "", s.err
	}
	return *s.value, nil
}

// refresh reads the file if it is not the one that was seen before.
func (s *secretSource) refresh() error {
	info, err := os.Stat(s.file)
	if err != nil {
		return s.failure(err)
	}
	if s.value != nil && sameFile(s.seen, info) {
		return nil
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return fmt.Errorf("the secret file %q is a pipe or a device, which cannot be read again when the secret changes", s.file)
	}
	content, err := file.Read(s.file)
	if err != nil {
		return s.failure(err)
	}
	if len(content) > maxSecret {
		return fmt.Errorf("the secret file %q is larger than 1 MiB", s.file)
	}
	value := trimmed(string(content))
	if value == "" {
		return fmt.Errorf("the secret file %q is empty", s.file)
	}
	// The state from before the read is kept: a change during the read then
	// shows at the next look.
	s.value, s.seen = &value, info
	return nil
}

func (s *secretSource) failure(err error) error {
	return fmt.Errorf("the secret file %q %w", s.file, file.Words(err))
}

func sameFile(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// trimmed cuts off what editors and shells leave around a secret: white space, and
// the byte order mark of files written on Windows.
func trimmed(text string) string {
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "\ufeff"))
}

// UnmarshalTOML takes the string forms described at Secret.
func (s *Secret) UnmarshalTOML(raw any) error {
	text, ok := raw.(string)
	if !ok {
		return errors.New("this is " + Describe(raw) + `, not a string; write the value in quotes`)
	}
	*s = NewSecret(text)
	return nil
}

// Validate reads the secret once, so that a missing file or variable shows when
// the config is loaded.
func (s *Secret) Validate(f *Faults) {
	if !s.IsSet() {
		return
	}
	if _, err := s.Read(); err != nil {
		f.Add("", err.Error(), s.source.advice())
		return
	}
	f.Guarded("", s.source.file, "secret file", true)
	if s.source.literal != nil && modeOf(f.l.file)&othersRead != 0 {
		f.Warn("", "every user of this machine can read this file, and with it the secret", "take the permission away with chmod o-r, or write the secret into a file of its own")
	}
}

func (s *secretSource) advice() string {
	if s.env != "" || s.file == "" {
		return "set it in the environment of the plugin"
	}
	return "name a file that holds the secret, readable for the user that runs the plugin"
}

// String gives a placeholder.
func (Secret) String() string { return redacted }

// GoString gives a placeholder.
func (Secret) GoString() string { return redacted }

// Format writes a placeholder whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText gives a placeholder.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON gives a placeholder.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// fillSecretFile sets a Secret from the sibling key that names its file.
func (l *loader) fillSecretFile(secret *Secret, f field, table map[string]any, path, written string, used map[string]bool) {
	names := f.names()
	for i := range names {
		names[i] += "_file"
	}
	key := l.find(names, table, path, written, used)
	if key == "" {
		return
	}
	declared := join(path, names[0])
	l.written[declared] = join(written, key)
	name, ok := table[key].(string)
	switch {
	case !ok:
		l.mismatch(declared, fmt.Sprintf("this is %s, not a path", Describe(table[key])), howTo(reflect.TypeFor[string]()))
	case name == "":
		l.mismatch(declared, "the path is empty", "give the path of the file that holds the secret")
	case l.find(f.names(), table, path, written, map[string]bool{}) != "":
		l.fault(declared, fmt.Sprintf("both this and %s are set", join(written, f.name)), "keep one of the two")
	default:
		*secret = secretFile((&Faults{l: l}).resolve(name))
		l.written[f.path(path)] = join(written, key)
		return
	}
	// The secret itself counts as set and faulty, so that it is not called missing too.
	l.mistyped[f.path(path)] = true
}
