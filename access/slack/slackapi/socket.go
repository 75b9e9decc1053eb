package slackapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"teleport-plugins/lib/sandbox/fault"
)

// maxSockets is how many sockets an app may have at the same time.
const maxSockets = 10

// writeLimit is how long a frame may take to be written.
const writeLimit = 5 * time.Second

// socket is one connection of the app; without conn it is the ghost of one.
type socket struct {
	conn *websocket.Conn
	// mute says that it is half-open: nothing is sent, and nothing is heard.
	mute atomic.Bool
	// ending says that the server itself has ended it, and parted that a close
	// frame came.
	ending, parted atomic.Bool

	writing sync.Mutex
}

// write sends a text. What goes wrong shows when the socket is read.
func (k *socket) write(text []byte) {
	if k.mute.Load() {
		return
	}
	k.writing.Lock()
	defer k.writing.Unlock()
	k.put(text)
}

// put is write for whoever holds the lock.
func (k *socket) put(text []byte) {
	_ = k.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	_ = k.conn.WriteMessage(websocket.TextMessage, text)
}

func (k *socket) send(frame object) {
	text, err := json.Marshal(frame)
	if err == nil {
		k.write(text)
	}
}

func (k *socket) control(kind int, text []byte) {
	if !k.mute.Load() {
		_ = k.conn.WriteControl(kind, text, time.Now().Add(writeLimit))
	}
}

func (k *socket) cut() {
	k.ending.Store(true)
	_ = k.conn.NetConn().Close()
}

func (k *socket) bye(code int) {
	k.ending.Store(true)
	k.control(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""))
}

// serveSocket serves a socket until it ends.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	if s.handshakeFails(w, r) {
		return
	}
	if !s.redeem(r) {
		s.logHandshake(http.StatusForbidden, "bad_ticket")
		http.Error(w, "this address is not good, or not any more", http.StatusForbidden)
		return
	}
	s.logHandshake(http.StatusSwitchingProtocols, "")
	upgrader := websocket.Upgrader{HandshakeTimeout: writeLimit}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // The upgrader has answered.
	}
	defer conn.Close()
	sock := &socket{conn: conn}
	if s.greet(sock) {
		s.converse(sock)
		s.leave(sock)
	}
}

// handshakeFails carries out a fault that was set for handshakes.
func (s *Server) handshakeFails(w http.ResponseWriter, r *http.Request) bool {
	f, hit := s.Faults().Take(Socket, "")
	if !hit {
		return false
	}
	s.Wake()
	switch {
	case f.Effect == fault.RateLimit || f.Effect == fault.Refuse:
		status := http.StatusConflict
		if f.Effect == fault.RateLimit {
			status = http.StatusTooManyRequests
			w.Header().Set("Retry-After", f.RetryAfterSeconds())
		}
		http.Error(w, "simulated failure", status)
	case f.Effect == fault.DoneNotAnswered: // the ticket is used up
		s.redeem(r)
		fault.Drop(w)
	default:
		if !fault.Before(w, r, f) {
			return false
		}
	}
	s.logHandshake(0, string(f.Effect))
	return true
}

func (s *Server) logHandshake(status int, code string) {
	s.Add(Socket, Request{Time: s.Now(), Method: Socket, Path: socketPath, HTTPMethod: http.MethodGet, Status: status, Error: code})
	s.Wake()
}

// greet registers a socket and writes the first frame, before any other can be
// written. It reports whether the socket may go on.
func (s *Server) greet(sock *socket) bool {
	sock.writing.Lock()
	defer sock.writing.Unlock()
	first, ok := s.join(sock)
	if !ok {
		return false
	}
	if text, err := json.Marshal(first); err == nil && !sock.mute.Load() {
		sock.put(text)
	}
	return true
}

// join registers a socket and returns the first frame for it. One that comes too
// late is not taken.
func (s *Server) join(sock *socket) (first object, ok bool) {
	s.Change(func() {
		l := &s.state.live
		if l.closed {
			return
		}
		l.connected[sock], ok = struct{}{}, true
		switch {
		case l.silent > 0:
			l.silent--
			sock.mute.Store(true)
		case l.off:
			l.stats.Refused++
			first = disconnectFrame(LinkDisabled)
		case len(l.dealt) >= maxSockets:
			l.stats.Refused++
			first = disconnectFrame(TooManyWebsockets)
		default:
			l.dealt = append(l.dealt, sock)
			l.stats.Greeted++
			first = helloFrame(len(l.dealt), s.state.appID)
		}
	})
	return first, ok
}

// leave forgets a socket that has ended.
func (s *Server) leave(sock *socket) {
	s.Change(func() {
		l := &s.state.live
		delete(l.connected, sock)
		unclean := !sock.parted.Load() && !sock.ending.Load()
		if unclean {
			l.stats.Unclean++
		}
		if unclean && l.lingers {
			sock.mute.Store(true)
			return
		}
		l.forget(func(other *socket) bool { return other == sock })
	})
}

// forget deals no more events to some sockets.
func (l *live) forget(which func(*socket) bool) { l.dealt = slices.DeleteFunc(l.dealt, which) }

// next is the socket whose turn it is; nil if there is none.
func (l *live) next() *socket {
	if len(l.dealt) == 0 {
		return nil
	}
	l.turn++
	return l.dealt[l.turn%len(l.dealt)]
}

// converse pings a socket and reads it, until it ends.
func (s *Server) converse(sock *socket) {
	ended := make(chan struct{})
	var pinging sync.WaitGroup
	pinging.Go(func() { s.ping(sock, ended) })
	s.read(sock)
	close(ended)
	pinging.Wait()
}

func (s *Server) ping(sock *socket, ended <-chan struct{}) {
	ticker := time.NewTicker(s.opts.PingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			sock.control(websocket.PingMessage, []byte("Ping from the simulated Slack"))
		case <-ended:
			return
		}
	}
}

// read takes what the app sends. Slack answers a close frame and leaves it to the
// app to end the connection.
func (s *Server) read(sock *socket) {
	sock.conn.SetReadLimit(1 << 20)
	sock.conn.SetPingHandler(func(text string) error {
		sock.control(websocket.PongMessage, []byte(text))
		return nil
	})
	sock.conn.SetPongHandler(func(string) error {
		s.Change(func() { s.state.live.stats.Pongs++ })
		return nil
	})
	sock.conn.SetCloseHandler(func(code int, _ string) error {
		s.parted(sock, code)
		return nil
	})
	for {
		_, text, err := sock.conn.ReadMessage()
		var over *websocket.CloseError
		if errors.As(err, &over) && over.Code != websocket.CloseAbnormalClosure {
			_, _ = io.Copy(io.Discard, sock.conn.NetConn())
		}
		if err != nil {
			return
		}
		if !sock.mute.Load() {
			s.heard(sock, text)
		}
	}
}

// parted notes a close frame and answers it.
func (s *Server) parted(sock *socket, code int) {
	if sock.mute.Load() {
		return // It never got here, as far as Slack can tell.
	}
	sock.parted.Store(true)
	s.Change(func() {
		s.state.live.stats.CloseFrames++
		s.state.live.forget(func(other *socket) bool { return other == sock })
	})
	if code == websocket.CloseNoStatusReceived {
		code = websocket.CloseNormalClosure
	}
	sock.control(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""))
}

func helloFrame(connections int, app string) object {
	return object{
		"type": "hello", "num_connections": connections, "connection_info": object{"app_id": app},
		"debug_info": object{"host": "applink-sandbox", "build_number": 1, "approximate_connection_time": 18060},
	}
}

func disconnectFrame(reason string) object {
	return object{"type": "disconnect", "reason": reason, "debug_info": object{"host": "applink-sandbox"}}
}
