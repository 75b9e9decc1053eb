package diag

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"teleport-plugins/lib/file"
)

// LogOptions says where to log, from which severity on and in which form. It has
// the fields of the log section of the configuration.
type LogOptions struct {
	Output   string // "stderr" (or empty), "stdout", or the path of a file
	Severity string // "trace", "debug", "info" (or empty), "warn" or "error"
	Format   string // "text" (or empty) or "json"
}

// Logger is a zap logger whose level can be changed and whose file can be opened
// again while it is in use.
type Logger struct {
	*zap.Logger
	level zap.AtomicLevel
	out   *output
}

// NewLogger makes a logger; debug lowers the severity to debug. Text lines read
//
//	INFO   Message key:value other:"quoted value" package/file.go:12
//
// and JSON lines have the keys timestamp, level, message and caller beside the
// fields. Neither holds a stack trace, and no value can break a line in two. A
// file is created with mode 0640 and appended to.
func NewLogger(options LogOptions, debug bool) (*Logger, error) {
	l, err := NewLoggerAnyway(options, debug)
	if err == nil {
		err = l.Refused()
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// NewLoggerAnyway is NewLogger where a file that cannot be opened is no error: the
// lines go to stderr until Reopen can open it, and Refused says why.
func NewLoggerAnyway(options LogOptions, debug bool) (*Logger, error) {
	l := &Logger{level: zap.NewAtomicLevel(), out: newOutput(options.Output)}
	if err := l.SetSeverity(options.Severity, debug); err != nil {
		return nil, err
	}
	core, err := newCore(options.Format, l.out, l.level)
	if err != nil {
		return nil, err
	}
	_ = l.out.reopen() // is kept
	l.Logger = zap.New(core, zap.AddCaller(), zap.AddStacktrace(zapcore.FatalLevel+1))
	return l, nil
}

// SetSeverity changes from which severity on is logged, for this logger and all
// made from it; debug lowers it to debug. The error names an unknown severity.
func (l *Logger) SetSeverity(severity string, debug bool) error {
	level, ok := map[string]zapcore.Level{
		"": zap.InfoLevel, "trace": zap.DebugLevel, "debug": zap.DebugLevel,
		"info": zap.InfoLevel, "warn": zap.WarnLevel, "error": zap.ErrorLevel,
	}[strings.ToLower(severity)]
	if !ok {
		return fmt.Errorf("setting up the log: %q is not a severity", severity)
	}
	if debug {
		level = zap.DebugLevel
	}
	l.level.SetLevel(level)
	return nil
}

// Reopen opens the log file again by its name, so that a rotated file is let go.
// When that fails the logger goes on with the old one, if there is one, and says
// everything on stderr too: the old file may be one that nobody looks at any more.
// Without a file it does nothing.
func (l *Logger) Reopen() error { return l.out.reopen() }

// Refused says why the log file could not be opened the last time, or is nil.
func (l *Logger) Refused() error {
	if l.out == nil {
		return nil
	}
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	return l.out.refused
}

// Close writes out and closes the log file; nothing may be logged afterwards.
func (l *Logger) Close() error { return l.out.close() }

// output is where lines go: a standard stream or a file that can be opened anew.
type output struct {
	path string // empty for a standard stream

	mu      sync.Mutex
	file    *os.File // nil as long as it could not be opened
	refused error    // why it could not be opened the last time
}

func newOutput(name string) *output {
	switch name {
	case "", "stderr":
		return &output{file: os.Stderr}
	case "stdout":
		return &output{file: os.Stdout}
	}
	return &output{path: name}
}

// reopen opens the new file before it lets go of the old one, so that no line is
// lost.
func (o *output) reopen() error {
	if o.path == "" {
		return nil
	}
	opened, err := file.Append(o.path, 0o640)
	if err != nil {
		err = fmt.Errorf("the log file %w", file.Words(err))
	}
	o.mu.Lock()
	old := o.file
	if o.refused = err; err == nil {
		o.file = opened
	}
	o.mu.Unlock()
	if old == nil || err != nil {
		return err
	}
	if err := old.Close(); err != nil {
		return fmt.Errorf("closing the former log file: %w", err)
	}
	return nil
}

func (o *output) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.path == "" || o.file == nil {
		return nil
	}
	if err := o.file.Close(); err != nil {
		return fmt.Errorf("closing the log file: %w", err)
	}
	return nil
}

// Write writes one line.
func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refused != nil {
		if n, err := os.Stderr.Write(line); o.file == nil {
			return n, err //nolint:wrapcheck // for the logger
		}
	}
	_ = o.file.SetWriteDeadline(time.Now().Add(writeTime)) // a file that has none never waits
	n, err := o.file.Write(line)
	if errors.Is(err, os.ErrDeadlineExceeded) { // a pipe that nobody reads
		return os.Stderr.Write(line) //nolint:wrapcheck // for the logger
	}
	return n, err //nolint:wrapcheck // the same
}

// writeTime is how long a line may take to be written.
const writeTime = time.Second

// Sync writes a file out to disk; the standard streams have nothing to write out.
func (o *output) Sync() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.path == "" || o.file == nil {
		return nil
	}
	return o.file.Sync()
}
