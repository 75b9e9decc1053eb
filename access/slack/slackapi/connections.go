package slackapi

import (
	"net/http"
	"time"
)

// socketPath is where sockets are served. Socket is what their handshakes are
// called in faults and in the log of calls.
const (
	socketPath = "/link/"
	Socket     = "socket"
)

// ticketLife is how long the address of a socket is good. Slack does not say;
// here it is short.
const ticketLife = 30 * time.Second

// openConnection gives out the address of a socket, which is good for one use.
func (s *Server) openConnection(c call) (any, error) {
	if err := c.scopes.need("connections:write"); err != nil {
		return nil, err
	}
	ticket := s.state.live.unique("ticket-")
	s.state.live.tickets[ticket] = s.Now()
	secure := ""
	if c.r.TLS != nil {
		secure = "s"
	}
	s.state.live.site = "http" + secure + "://" + c.r.Host
	return done(object{"url": "ws" + secure + "://" + c.r.Host + socketPath + "?ticket=" + ticket + "&app_id=" + s.state.appID}), nil
}

// redeem uses a ticket up. The answer to one that is no good is not documented.
func (s *Server) redeem(r *http.Request) (ok bool) {
	ticket := r.URL.Query().Get("ticket")
	s.Look(func() {
		given, known := s.state.live.tickets[ticket]
		ok = known && s.Now().Sub(given) <= ticketLife
		delete(s.state.live.tickets, ticket)
	})
	return ok
}

// Sockets count what happened to the sockets.
type Sockets struct {
	// Open is how many there are now that events are dealt to, and Ghosts how many
	// of those are half-open.
	Open, Ghosts int
	// Greeted is how many got a hello, Refused how many a disconnect in its place.
	Greeted, Refused int
	// CloseFrames is how many close frames came, and Unclean how many sockets ended
	// without one and not by the server's doing.
	CloseFrames, Unclean int
	// Acks came in time, LateAcks did not, and StrayAcks are about nothing that the
	// socket was sent. Missed is how often Slack waited in vain.
	Acks, LateAcks, StrayAcks, Missed int
	// Pongs are answers to pings, and Garbled frames that are no acknowledgement.
	Pongs, Garbled int
}

// Sockets tells what happened to the sockets so far.
func (s *Server) Sockets() (out Sockets) {
	s.Look(func() {
		l := &s.state.live
		out = l.stats
		out.Open = len(l.dealt)
		for _, sock := range l.dealt {
			if sock.mute.Load() {
				out.Ghosts++
			}
		}
	})
	return out
}

// Haunt registers half-open sockets, as those of a process that died: events are
// dealt to them as to any other, and are lost. None are left when n is zero.
func (s *Server) Haunt(n int) {
	s.Change(func() {
		l := &s.state.live
		if n == 0 {
			l.forget(func(sock *socket) bool {
				_, there := l.connected[sock]
				return !there
			})
		}
		for range n {
			ghost := &socket{}
			ghost.mute.Store(true)
			l.dealt = append(l.dealt, ghost)
		}
	})
}

// Freeze makes the open sockets half-open: they stay, events are dealt to them, and
// nothing comes or is read any more.
func (s *Server) Freeze() {
	s.Change(func() {
		for sock := range s.state.live.connected {
			sock.mute.Store(true)
		}
	})
}

// SilenceNext lets the next n sockets be accepted and then left without a hello, a
// ping or an event.
func (s *Server) SilenceNext(n int) { s.Change(func() { s.state.live.silent = n }) }

// Linger says whether sockets that end without a close frame stay registered as if
// they were open.
func (s *Server) Linger(on bool) { s.Change(func() { s.state.live.lingers = on }) }

// Reasons of disconnect frames.
const (
	// Warning comes some seconds before Slack ends a socket, to which events are
	// dealt until then.
	Warning = "warning"
	// RefreshRequested asks for a new socket; no events are dealt to the old one.
	RefreshRequested = "refresh_requested"
	// LinkDisabled says that Socket Mode was switched off.
	LinkDisabled = "link_disabled"
	// TooManyWebsockets is for the one too many.
	TooManyWebsockets = "too_many_websockets"
)

// Disconnect sends a disconnect frame to the open sockets. Slack leaves it to the
// app to close them.
func (s *Server) Disconnect(reason string) {
	for _, sock := range s.listening() {
		if reason != Warning {
			s.Change(func() { s.state.live.forget(func(other *socket) bool { return other == sock }) })
		}
		sock.send(disconnectFrame(reason))
	}
}

// SwitchSocketMode switches Socket Mode off, which open sockets hear, or on again.
// While it is off each new socket is told so in place of a hello.
func (s *Server) SwitchSocketMode(on bool) {
	s.Change(func() { s.state.live.off = !on })
	if !on {
		s.Disconnect(LinkDisabled)
	}
}

// SendFrame sends a text to the open sockets as it is.
func (s *Server) SendFrame(text string) {
	for _, sock := range s.listening() {
		sock.write([]byte(text))
	}
}

// CutSockets ends the open sockets without a close frame.
func (s *Server) CutSockets() {
	for _, sock := range s.listening() {
		sock.cut()
	}
}

// CloseSockets sends the open sockets a close frame with a code.
func (s *Server) CloseSockets(code int) {
	for _, sock := range s.listening() {
		sock.bye(code)
	}
}

// listening are the sockets that are open in truth.
func (s *Server) listening() (list []*socket) {
	s.Look(func() {
		for sock := range s.state.live.connected {
			list = append(list, sock)
		}
	})
	return list
}

// cutAll ends every socket, and lets none be opened any more.
func (s *Server) cutAll() {
	s.Look(func() { s.state.live.closed = true })
	s.CutSockets()
}
