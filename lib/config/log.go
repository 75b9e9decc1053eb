package config

import (
	"fmt"
	"slices"
	"strings"
)

// Log is the section [log].
type Log struct {
	// Output is "stderr", "stdout" or the path of a file.
	Output string `toml:"output" doc:"stderr (error, 2), stdout (out, 1) or the path of a file, which is appended to"`
	// Severity is the least severity that is logged: "trace", "debug",
	// "info", "warn" or "error".
	Severity string `toml:"severity" doc:"least severity to log: trace, debug, info, warn (warning) or error (err)"`
	// Format is "text" or "json".
	Format string `toml:"format" doc:"text or json"`
}

// DefaultLog gives the section as it is when the file sets nothing.
func DefaultLog() Log {
	return Log{Output: "stderr", Severity: "info", Format: "text"}
}

// Validate brings the values into the forms that the fields document.
func (l *Log) Validate(f *Faults) {
	defaults := DefaultLog()
	l.Output = logOutput(l.Output, defaults.Output)
	l.Severity = choose(f, "severity", l.Severity, defaults.Severity,
		map[string]string{"err": "error", "warning": "warn"}, "trace", "debug", "info", "warn", "error")
	l.Format = choose(f, "format", l.Format, defaults.Format, nil, "text", "json")
}

func logOutput(value, fallback string) string {
	switch value {
	case "":
		return fallback
	case "error", "2":
		return "stderr"
	case "out", "1":
		return "stdout"
	}
	return value
}

// choose gives the one of the choices that the value names, without regard to
// case; none is a fault, an empty value gives the fallback.
func choose(f *Faults, key, value, fallback string, synonyms map[string]string, choices ...string) string {
	name := strings.ToLower(value)
	if name == "" {
		return fallback
	}
	if synonym := synonyms[name]; synonym != "" {
		name = synonym
	}
	if !slices.Contains(choices, name) {
		f.Add(key, fmt.Sprintf("%q is not a known %s", value, key), "write one of "+strings.Join(choices, ", "))
		return fallback
	}
	return name
}
