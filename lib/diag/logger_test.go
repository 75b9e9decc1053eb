package diag_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/diag"
)

// traced is an error that prints a stack trace when it is asked for all it knows.
type traced struct{ msg string }

func (e *traced) Error() string                 { return e.msg }
func (e *traced) Format(f fmt.State, verb rune) { fmt.Fprint(f, e.msg, "\nSTACK TRACE") }

// newLog gives a logger that writes to a file, and a func that reads the file.
func newLog(t testing.TB, format string) (*diag.Logger, func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	log, err := diag.NewLogger(diag.LogOptions{Output: path, Severity: "info", Format: format}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log, func() string {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
}

var caller = regexp.MustCompile(` diag/logger_test\.go:\d+\n`)

func TestTextLines(t *testing.T) {
	log, read := newLog(t, "text")
	log.Info("Plugin is ready")
	log.With(zap.String("request_id", "abc"), zap.Int("attempt", 2)).Warn("Posting failed",
		zap.String("channel_id", "C1"), zap.Error(&traced{"it broke"}), zap.Duration("delay", time.Second))
	log.Error("Hostile text", zap.String("reason", "x\nINFO   Forged key:value"), zap.String("quote", `a"b`),
		zap.String("empty", ""), zap.String("bidi", "a\u202eb"), zap.String("umlaut", "ä"), zap.Strings("list", []string{"a", "b"}))
	log.Info("Message\nwith lines\x1b[31m")
	log.Info("Named", zap.Namespace("outer"), zap.Bool("ok", true), zap.Skip())
	log.Debug("Not shown")
	want := `INFO   Plugin is ready
WARN   Posting failed request_id:abc attempt:2 channel_id:C1 error:"it broke" delay:1s
ERROR  Hostile text reason:"x\nINFO   Forged key:value" quote:"a\"b" empty:"" bidi:"a\u202eb" umlaut:ä list:"[a b]"
INFO   Message\nwith lines\x1b[31m
INFO   Named outer.ok:true
`
	got := read()
	if n := len(caller.FindAllString(got, -1)); n != 5 {
		t.Errorf("%d of 5 lines end in their caller:\n%s", n, got)
	}
	if got = caller.ReplaceAllString(got, "\n"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestJSONLines(t *testing.T) {
	log, read := newLog(t, "json")
	log.With(zap.Error(&traced{"first"})).Info("A\nB", zap.String("reason", "x\ny"), zap.NamedError("cause", &traced{"second"}))
	out := read()
	if strings.Count(out, "\n") != 1 {
		t.Fatalf("not one line: %q", out)
	}
	var line map[string]string
	if err := json.Unmarshal([]byte(out), &line); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.RFC3339Nano, line["timestamp"]); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(line["caller"], "diag/logger_test.go:") {
		t.Errorf("got caller %q", line["caller"])
	}
	for key, want := range map[string]string{"level": "info", "message": "A\nB", "reason": "x\ny", "error": "first", "cause": "second"} {
		if line[key] != want {
			t.Errorf("%s is %q, want %q", key, line[key], want)
		}
	}
	if len(line) != 7 {
		t.Errorf("got %v", line)
	}
}

func TestSeverityChangesWhileInUse(t *testing.T) {
	log, read := newLog(t, "text")
	child := log.With(zap.String("k", "v"))
	set := func(severity string, debug bool) {
		if err := log.SetSeverity(severity, debug); err != nil {
			t.Fatal(err)
		}
	}
	set("error", false)
	child.Warn("hidden")
	set("error", true)
	child.Debug("by flag")
	set("trace", false)
	child.Debug("by severity")
	if got := read(); strings.Contains(got, "hidden") || !strings.Contains(got, "by flag") || !strings.Contains(got, "by severity") {
		t.Errorf("got:\n%s", got)
	}
	if err := log.SetSeverity("loud", false); err == nil {
		t.Error("an unknown severity is taken")
	}
}

func TestLoggerRefusesWhatItCannotDo(t *testing.T) {
	for name, o := range map[string]diag.LogOptions{
		"severity":  {Severity: "loud"},
		"format":    {Format: "xml"},
		"directory": {Output: filepath.Join(t.TempDir(), "none", "log")},
	} {
		if log, err := diag.NewLogger(o, false); err == nil || log != nil {
			t.Errorf("%s: got %v and %v", name, log, err)
		}
	}
}

func TestLogFileIsAppendedToAndReopened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	open := func() *diag.Logger {
		log, err := diag.NewLogger(diag.LogOptions{Output: path}, false)
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	contains := func(file string, want ...string) {
		t.Helper()
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if rows := strings.Count(string(content), "\n"); rows != len(want) {
			t.Errorf("%s has %d lines, want %q", file, rows, want)
		}
		for _, w := range want {
			if !strings.Contains(string(content), w) {
				t.Errorf("%s lacks %q", file, w)
			}
		}
	}
	first := open()
	first.Info("one")
	if err := errors.Join(first.Sync(), first.Close()); err != nil {
		t.Fatal(err)
	}
	log := open()
	log.Info("two")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	log.Info("three")
	if err := log.Reopen(); err != nil {
		t.Fatal(err)
	}
	log.Info("four")
	contains(path+".1", "one", "two", "three")
	contains(path, "four")

	t.Run("a failed reopen keeps the file", func(t *testing.T) {
		dir := filepath.Dir(path)
		if err := os.Rename(dir, dir+".moved"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Rename(dir+".moved", dir) }()
		if err := log.Reopen(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
		log.Info("five")
		contains(filepath.Join(dir+".moved", "log"), "four", "five")
	})
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

func TestStandardStreamsCannotBeReopenedOrClosed(t *testing.T) {
	for _, name := range []string{"", "stderr", "stdout"} {
		log, err := diag.NewLogger(diag.LogOptions{Output: name}, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(log.Reopen(), log.Sync(), log.Close(), log.Reopen()); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestReopenWhileManyLog(t *testing.T) {
	log, read := newLog(t, "text")
	done := make(chan struct{})
	for range 4 {
		go func() {
			for range 100 {
				log.Info("line")
			}
			done <- struct{}{}
		}()
	}
	for range 20 {
		if err := log.Reopen(); err != nil {
			t.Error(err)
		}
	}
	for range 4 {
		<-done
	}
	if n := strings.Count(read(), "INFO   line diag/"); n != 400 {
		t.Errorf("got %d lines", n)
	}
}

func TestSlogGoesToTheSameLog(t *testing.T) {
	log, read := newLog(t, "text")
	std := slog.New(diag.NewSlogHandler(log.Logger))
	std.Debug("hidden")
	std.With("component", "client").WithGroup("conn").With("addr", "a b").Warn("Slow",
		"tries", 3, slog.Group("peer", "id", "x"), slog.Group("", "flat", true), "error", &traced{"it broke"}, slog.Attr{})
	std.Error("Line\nbreak")
	want := "WARN   Slow component:client conn.addr:\"a b\" conn.tries:3 conn.peer.id:x conn.flat:true conn.error:\"it broke\"\n" +
		"ERROR  Line\\nbreak\n"
	got := read()
	if n := len(caller.FindAllString(got, -1)); n != 2 {
		t.Errorf("%d of 2 lines end in their caller:\n%s", n, got)
	}
	if got = caller.ReplaceAllString(got, "\n"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// FuzzTextLine feeds hostile text in every place: it stays on one line and the
// value can be read back, being either one bare word or quoted as Go quotes.
func FuzzTextLine(f *testing.F) {
	f.Add("message", "value")
	f.Add("a\nb", "x\nINFO   y k:v")
	f.Add("\xff\u2028", "\x00\"'\\ ")
	log, read := newLog(f, "text")
	before := 0
	f.Fuzz(func(t *testing.T, message, value string) {
		log.Info(message, zap.String("key", value))
		line := read()[before:]
		before += len(line)
		if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\r\x1b\u2028\u2029") {
			t.Fatalf("not one plain line: %q", line)
		}
		line = line[:strings.LastIndexByte(line, ' ')]
		bare := value != "" && !strings.ContainsAny(value, " \t\"\\") && strings.HasSuffix(line, " key:"+value)
		if !bare && !strings.HasSuffix(line, " key:"+strconv.Quote(value)) {
			t.Fatalf("%q shows as %q", value, line)
		}
	})
}

// Lines are not lost while the file cannot be opened, and go to it once it can.
func TestALogThatCannotBeOpenedGoesToStderrUntilItCan(t *testing.T) {
	dir := t.TempDir()
	before := os.Stderr
	defer func() { os.Stderr = before }()
	stderr, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	os.Stderr = stderr
	path := filepath.Join(dir, "none", "log")
	log, err := diag.NewLoggerAnyway(diag.LogOptions{Output: path}, false)
	if err != nil || log.Refused() == nil {
		t.Fatalf("%v, %v", log, err)
	}
	log.Info("first")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(log.Reopen(), log.Refused()); err != nil {
		t.Fatal(err)
	}
	log.Info("second")
	if err := errors.Join(log.Close(), log.Close()); err == nil {
		t.Error("it was closed twice")
	}
	for file, want := range map[string]string{stderr.Name(): "first", path: "second"} {
		text, err := os.ReadFile(file)
		if err != nil || strings.Count(string(text), "INFO") != 1 || !strings.Contains(string(text), want) {
			t.Errorf("%s says %s, %v", file, text, err)
		}
	}
}
