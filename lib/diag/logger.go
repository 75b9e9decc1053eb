package diag

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
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
	l := &Logger{level: zap.NewAtomicLevel()}
	if err := l.SetSeverity(options.Severity, debug); err != nil {
		return nil, err
	}
	out, err := openOutput(options.Output)
	if err != nil {
		return nil, err
	}
	l.out = out
	core, err := newCore(options.Format, out, l.level)
	if err != nil {
		return nil, err
	}
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
// When that fails the logger goes on with the old one. Without a file it does
// nothing.
func (l *Logger) Reopen() error { return l.out.reopen() }

// Close writes out and closes the log file; nothing may be logged afterwards.
func (l *Logger) Close() error { return l.out.close() }

// output is where lines go: a standard stream or a file that can be opened anew.
type output struct {
	path string // empty for a standard stream

	mu   sync.Mutex
	file *os.File
}

func openOutput(name string) (*output, error) {
	switch name {
	case "", "stderr":
		return &output{file: os.Stderr}, nil
	case "stdout":
		return &output{file: os.Stdout}, nil
	}
	o := &output{path: name}
	if err := o.reopen(); err != nil {
		return nil, err
	}
	return o, nil
}

// reopen opens the new file before it lets go of the old one, so that no line is
// lost.
func (o *output) reopen() error {
	if o.path == "" {
		return nil
	}
	file, err := os.OpenFile(o.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("opening the log file: %w", err)
	}
	o.mu.Lock()
	old := o.file
	o.file = file
	o.mu.Unlock()
	if old == nil {
		return nil
	}
	if err := old.Close(); err != nil {
		return fmt.Errorf("closing the former log file: %w", err)
	}
	return nil
}

func (o *output) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.path == "" {
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
	return o.file.Write(line)
}

// Sync writes a file out to disk; the standard streams have nothing to write out.
func (o *output) Sync() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.path == "" {
		return nil
	}
	return o.file.Sync()
}
