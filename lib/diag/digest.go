package diag

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"teleport-plugins/lib/message"
)

// Digest logs what concerns many requests or recipients in the same way: each
// subject at most once in a minute, the first few of a minute each in a line of
// its own, and all others by name in one line at its end.
type Digest struct {
	log *zap.Logger

	mu   sync.Mutex
	seen map[string]*minute // by the message
}

// minute is what was logged with one message since the last digest.
type minute struct {
	level    zapcore.Level
	subjects map[string]bool // true for those that have had a line
	lines    int
}

const (
	digestPeriod = time.Minute
	// digestLines is how many lines of a message there are in a minute, and
	// digestNames how many names the line at its end holds.
	digestLines, digestNames = 5, 200
)

// NewDigest returns a Digest; Run ends its minutes.
func NewDigest(log *zap.Logger) *Digest {
	return &Digest{log: log, seen: make(map[string]*minute)}
}

// Info logs at its severity about a subject.
func (d *Digest) Info(msg, subject string, fields ...zap.Field) {
	d.add(zapcore.InfoLevel, msg, subject, fields)
}

// Warn logs at its severity about a subject.
func (d *Digest) Warn(msg, subject string, fields ...zap.Field) {
	d.add(zapcore.WarnLevel, msg, subject, fields)
}

// Debug logs at its severity about a subject.
func (d *Digest) Debug(msg, subject string, fields ...zap.Field) {
	d.add(zapcore.DebugLevel, msg, subject, fields)
}

func (d *Digest) add(level zapcore.Level, msg, subject string, fields []zap.Field) {
	d.mu.Lock()
	m := d.seen[msg]
	if m == nil {
		m = &minute{level: level, subjects: make(map[string]bool)}
		d.seen[msg] = m
	}
	_, known := m.subjects[subject]
	speak := !known && m.lines < digestLines
	if !known {
		m.subjects[subject] = speak
	}
	if speak {
		m.lines++
	}
	d.mu.Unlock()
	if speak {
		d.log.Log(level, msg, fields...)
	}
}

// Run writes the line that names all others, at the end of each minute.
func (d *Digest) Run(ctx context.Context) {
	tick := time.NewTicker(digestPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.flush()
			return
		case <-tick.C:
			d.flush()
		}
	}
}

func (d *Digest) flush() {
	d.mu.Lock()
	seen := d.seen
	d.seen = make(map[string]*minute)
	d.mu.Unlock()
	for _, msg := range slices.Sorted(maps.Keys(seen)) {
		var rest []string
		for _, subject := range slices.Sorted(maps.Keys(seen[msg].subjects)) {
			if !seen[msg].subjects[subject] {
				rest = append(rest, message.Cut(subject, 100))
			}
		}
		if len(rest) > 0 {
			d.log.Log(seen[msg].level, msg+" (others of the last minute)", zap.Int("number", len(rest)),
				zap.Strings("names", rest[:min(len(rest), digestNames)]))
		}
	}
}
