package config

import (
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Duration is a span of time, written as a string with a unit ("90s", "1h30m").
// A bare integer is taken as nanoseconds, as existing files expect.
type Duration time.Duration

// TypeName is what the reference calls it.
func (Duration) TypeName() string { return "duration" }

// UnmarshalTOML takes a string with units or an integer of nanoseconds.
func (d *Duration) UnmarshalTOML(raw any) error {
	switch raw := raw.(type) {
	case string:
		parsed, err := time.ParseDuration(raw)
		if err != nil {
			return fmt.Errorf("%q is not a duration; write a number with its unit, as in %q", raw, "90s")
		}
		*d = Duration(parsed)
		return nil
	case int64:
		*d = Duration(raw)
		return nil
	}
	return errors.New("this is " + Describe(raw) + `, not a duration; write a string with a unit, as in "90s"`)
}

// MarshalText gives the form that UnmarshalTOML takes.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String gives the duration with its units, as in "1m30s".
func (d Duration) String() string { return time.Duration(d).String() }

// warnBareDuration warns of an integer so small that seconds were surely meant.
func (l *loader) warnBareDuration(v reflect.Value, raw any, path string) {
	n, ok := raw.(int64)
	if v.Type() == reflect.TypeFor[Duration]() && ok && n > 0 && n < int64(time.Second) {
		l.warn(path, fmt.Sprintf("a number without a unit means nanoseconds, here %s", time.Duration(n)), `write a string with a unit, as in "90s"`)
	}
}
