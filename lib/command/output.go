package command

import (
	"errors"
	"strings"

	"go.uber.org/zap"

	"teleport-plugins/lib/message"
)

// maxLogLine bounds a line that a program writes to stderr, in bytes, and maxLogLines how
// many of them are logged.
const maxLogLine, maxLogLines = 1000, 100

var errTooLong = errors.New("more was written than is taken")

// bounded keeps what is written to it, up to a bound. It has no other way in, such as
// that of io.ReaderFrom.
type bounded struct {
	kept []byte
	most int
	over func() // called when more is written
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if len(b.kept)+len(p) > b.most {
		b.over()
		return 0, errTooLong
	}
	b.kept = append(b.kept, p...)
	return len(p), nil
}

// lines logs what is written to it, line by line.
type lines struct {
	log    *zap.Logger
	rest   []byte
	logged int
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b != '\n' && len(l.rest) < maxLogLine:
			l.rest = append(l.rest, b)
			continue
		case b != '\n':
			continue
		}
		l.flush()
	}
	return len(p), nil
}

// flush logs what is there of a line.
func (l *lines) flush() {
	if text := message.Line(strings.ToValidUTF8(string(l.rest), "?")); l.logged < maxLogLines && text != "" {
		l.log.Debug("A program wrote to stderr", zap.String("line", text))
		l.logged++
	}
	l.rest = l.rest[:0]
}
