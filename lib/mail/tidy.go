package mail

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
)

// tidy is a connection on which each reply has the form that the library reads, whatever
// else RFC 5321 allows: a code has a blank after it where it has no text (4.2), and
// extensions are named in capital letters (4.1.1.1).
type tidy struct {
	net.Conn
	in   *bufio.Reader
	rest []byte // of the line that is being read
	amid bool   // the line has begun, and is tidy
}

// newTidy is one on which something was said before.
func newTidy(conn net.Conn, said []byte) *tidy {
	return &tidy{Conn: conn, in: bufio.NewReader(io.MultiReader(bytes.NewReader(said), conn))}
}

// Read implements net.Conn.
func (t *tidy) Read(p []byte) (int, error) {
	if len(t.rest) == 0 {
		part, err := t.in.ReadSlice('\n')
		if len(part) == 0 && err != nil || err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return 0, err //nolint:wrapcheck // that of the connection
		}
		if !t.amid {
			part = tidied(part)
		}
		t.rest, t.amid = part, !bytes.HasSuffix(part, []byte("\n"))
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// tidied is a line of a reply, or the beginning of a long one, in that form.
func tidied(line []byte) []byte {
	const ok = "250" // the code of the replies that name extensions
	text := bytes.TrimRight(line, "\r\n")
	if len(text) == len(ok) {
		return append(append(bytes.Clone(text), ' '), line[len(text):]...)
	}
	if !bytes.HasPrefix(text, []byte(ok)) {
		return line
	}
	for i := len(ok) + 1; i < len(text) && text[i] != ' '; i++ {
		if 'a' <= text[i] && text[i] <= 'z' {
			text[i] -= 'a' - 'A'
		}
	}
	return line
}
