package diag

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newCore makes the core for a format.
func newCore(format string, out zapcore.WriteSyncer, level zapcore.LevelEnabler) (zapcore.Core, error) {
	switch strings.ToLower(format) {
	case "", "text":
		return &textCore{LevelEnabler: level, out: out}, nil
	case "json":
		return plainErrors{zapcore.NewCore(jsonEncoder(), out, level)}, nil
	}
	return nil, fmt.Errorf("setting up the log: %q is not a format", format)
}

func jsonEncoder() zapcore.Encoder {
	return zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey: "timestamp", LevelKey: "level", MessageKey: "message", CallerKey: "caller",
		EncodeTime:     zapcore.RFC3339NanoTimeEncoder,
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeCaller:   zapcore.ShortCallerEncoder,
		EncodeDuration: zapcore.StringDurationEncoder,
	})
}

// plainErrors hands errors on as their message alone. By itself zap adds the
// long form of errors that have one, which here would be a stack trace.
type plainErrors struct{ zapcore.Core }

// With adds fields to every line.
func (c plainErrors) With(fields []zapcore.Field) zapcore.Core {
	return plainErrors{c.Core.With(plain(fields))}
}

// Check puts this core in charge of an entry that it is to write.
func (c plainErrors) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write writes one line.
func (c plainErrors) Write(e zapcore.Entry, fields []zapcore.Field) error {
	return c.Core.Write(e, plain(fields))
}

func plain(fields []zapcore.Field) []zapcore.Field {
	out := slices.Clone(fields)
	for i, f := range out {
		if f.Type == zapcore.ErrorType {
			out[i] = zap.String(f.Key, errorText(f.Interface))
		}
	}
	return out
}

// messageOnly hides every method of an error but Error.
type messageOnly struct{ error }

// errorText gives the message of an error; fmt survives an Error method that
// panics, as that of a nil pointer may.
func errorText(err any) string {
	if err, ok := err.(error); ok {
		return fmt.Sprint(messageOnly{err})
	}
	return fmt.Sprint(err)
}

// textCore writes lines for people. It is a core and not an encoder because an
// encoder that keeps the order of fields would have to spell out every kind of
// field.
type textCore struct {
	zapcore.LevelEnabler
	out    zapcore.WriteSyncer
	prefix string // of the keys, from namespaces
	fields string // rendered, each with a space before it
}

// With adds fields to every line.
func (c *textCore) With(fields []zapcore.Field) zapcore.Core {
	clone := *c
	var b strings.Builder
	b.WriteString(c.fields)
	clone.prefix = writeFields(&b, c.prefix, fields)
	clone.fields = b.String()
	return &clone
}

// Check puts this core in charge of an entry that it is to write.
func (c *textCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write writes one line.
func (c *textCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-6s %s%s", e.Level.CapitalString(), visible(e.Message), c.fields)
	writeFields(&b, c.prefix, fields)
	if e.Caller.Defined {
		b.WriteString(" " + e.Caller.TrimmedPath())
	}
	b.WriteByte('\n')
	if _, err := c.out.Write([]byte(b.String())); err != nil {
		return err
	}
	if e.Level > zapcore.ErrorLevel {
		return c.Sync() // the process may be about to end
	}
	return nil
}

// Sync writes out what is buffered.
func (c *textCore) Sync() error { return c.out.Sync() }

// writeFields appends " key:value" for each field and gives the prefix that holds
// for the fields after them.
func writeFields(b *strings.Builder, prefix string, fields []zapcore.Field) string {
	for _, f := range fields {
		switch f.Type {
		case zapcore.SkipType:
		case zapcore.NamespaceType:
			prefix += f.Key + "."
		case zapcore.ErrorType:
			writePair(b, prefix+f.Key, errorText(f.Interface))
		case zapcore.StringType:
			writePair(b, prefix+f.Key, f.String)
		default:
			values := zapcore.NewMapObjectEncoder()
			f.AddTo(values)
			for _, key := range slices.Sorted(maps.Keys(values.Fields)) {
				writePair(b, prefix+key, fmt.Sprint(values.Fields[key]))
			}
		}
	}
	return prefix
}

func writePair(b *strings.Builder, key, value string) {
	b.WriteString(" " + quoted(key) + ":" + quoted(value))
}

// quoted puts a text in quotes unless it is plainly one word.
func quoted(s string) string {
	odd := func(r rune) bool {
		return r == '"' || r == ' ' || r == '\\' || r == utf8.RuneError || !unicode.IsPrint(r)
	}
	if s == "" || strings.ContainsFunc(s, odd) {
		return strconv.Quote(s)
	}
	return s
}

// visible escapes what could break a line or hide in it.
func visible(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
