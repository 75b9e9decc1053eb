package discordapi

import (
	"time"

	"github.com/gorilla/websocket"
)

// session is a session of the gateway, with or without a connection.
type session struct {
	id     string
	seq    int64
	events []frame // all of them, to be replayed
	link   *link
}

// tell sends an event, which is kept for a client that is away. The lock is held.
func (x *session) tell(kind string, data any) {
	x.seq++
	seq := x.seq
	f := frame{Op: opEvent, Data: encoded(data), Seq: &seq, Type: &kind}
	x.events = append(x.events, f)
	if x.link != nil {
		x.link.say(f)
	}
}

// link is a connection to the gateway. Its out is written to under the server's lock.
type link struct {
	conn    *websocket.Conn
	out     chan any
	resumes bool // it came to the address for that
	gone    bool
	session *session
	sent    []time.Time // when frames of the last minute came
	beat    time.Time
}

// say sends a frame; a client that takes none is cut. The lock is held.
func (l *link) say(f frame) {
	if l.gone {
		return
	}
	select {
	case l.out <- f:
	default:
		l.drop()
	}
}

// closeWith ends the connection with a code, once all before is sent. The lock is held.
func (l *link) closeWith(code int) {
	if l.gone {
		return
	}
	l.gone = true
	select {
	case l.out <- code:
	default:
	}
	close(l.out)
}

// drop ends the connection without a word. The lock is held.
func (l *link) drop() {
	if !l.gone {
		l.gone = true
		close(l.out)
	}
	_ = l.conn.Close()
}

// write sends what there is to send, until the connection ends.
func (l *link) write() {
	for what := range l.out {
		_ = l.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		switch v := what.(type) {
		case int:
			_ = l.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(v, ""), time.Now().Add(time.Second))
			_ = l.conn.Close()
		default:
			_ = l.conn.WriteJSON(v)
		}
	}
}
