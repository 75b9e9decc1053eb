package diag

import (
	"context"
	"log/slog"
	"runtime"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// slogHandler hands what libraries log through log/slog on to a zap core.
type slogHandler struct {
	core  zapcore.Core
	group string // prefix of the keys, with a dot at its end
}

// NewSlogHandler gives a handler for log/slog that writes to the given logger, for
// libraries that log that way.
func NewSlogHandler(log *zap.Logger) slog.Handler {
	return &slogHandler{core: log.Core()}
}

// Enabled tells whether the logger takes the level.
func (h *slogHandler) Enabled(_ context.Context, level slog.Level) bool {
	return h.core.Enabled(zapLevel(level))
}

// Handle writes one record.
func (h *slogHandler) Handle(_ context.Context, r slog.Record) error {
	entry := zapcore.Entry{Level: zapLevel(r.Level), Time: r.Time, Message: r.Message}
	if r.PC != 0 {
		frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		entry.Caller = zapcore.NewEntryCaller(r.PC, frame.File, frame.Line, frame.File != "")
	}
	if !h.core.Enabled(entry.Level) {
		return nil
	}
	var fields []zapcore.Field
	r.Attrs(func(a slog.Attr) bool {
		fields = appendAttr(fields, h.group, a)
		return true
	})
	return h.core.Write(entry, fields)
}

// WithAttrs adds attributes to every record.
func (h *slogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var fields []zapcore.Field
	for _, a := range attrs {
		fields = appendAttr(fields, h.group, a)
	}
	return &slogHandler{core: h.core.With(fields), group: h.group}
}

// WithGroup puts a name before the keys of what follows.
func (h *slogHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &slogHandler{core: h.core, group: h.group + name + "."}
}

// appendAttr turns an attribute into fields, a group into one for each member.
func appendAttr(fields []zapcore.Field, group string, a slog.Attr) []zapcore.Field {
	value := a.Value.Resolve()
	switch {
	case a.Equal(slog.Attr{}):
		return fields
	case value.Kind() != slog.KindGroup:
		return append(fields, zap.Any(group+a.Key, value.Any()))
	}
	if a.Key != "" {
		group += a.Key + "."
	}
	for _, member := range value.Group() {
		fields = appendAttr(fields, group, member)
	}
	return fields
}

func zapLevel(level slog.Level) zapcore.Level {
	switch {
	case level >= slog.LevelError:
		return zap.ErrorLevel
	case level >= slog.LevelWarn:
		return zap.WarnLevel
	case level >= slog.LevelInfo:
		return zap.InfoLevel
	}
	return zap.DebugLevel
}
