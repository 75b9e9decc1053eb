package discordapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// way is what leads back to clients. The server's lock guards it.
type way struct {
	gateway          gateway
	endpoint         string // where interactions go in place of the gateway
	interactions     map[string]*interaction
	interactionOrder []string
}

func newWay(o Options) way {
	return way{
		interactions: make(map[string]*interaction),
		gateway:      gateway{every: cmp.Or(o.Heartbeat, heartbeatEvery), remaining: 1000, links: make(map[*link]bool)},
	}
}

// gateway is the state of the gateway, which the server's lock guards.
type gateway struct {
	every     time.Duration
	closed    bool
	silence   string
	remaining int
	links     map[*link]bool
	sessions  []*session

	identifies, resumes, beats int
	closes                     []int
}

// find is the session with the id, or nil.
func (g *gateway) find(id string) *session {
	if i := slices.IndexFunc(g.sessions, func(x *session) bool { return x.id == id }); i >= 0 {
		return g.sessions[i]
	}
	return nil
}

// end forgets a session.
func (g *gateway) end(x *session) {
	g.sessions = slices.DeleteFunc(g.sessions, func(other *session) bool { return other == x })
}

// ServeHTTP serves the API and the gateway.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path := strings.TrimSuffix(r.URL.Path, "/"); path == gatewayPath || path == resumePath {
		s.serveGateway(w, r)
		return
	}
	s.Server.ServeHTTP(w, r)
}

// Start listens and serves until Close.
func (s *Server) Start() error {
	s.Change(func() { s.state.gateway.closed = false })
	return s.Serve(s)
}

// Close stops listening and cuts all connections. Sessions can be resumed after
// another Start.
func (s *Server) Close() error {
	s.Change(func() {
		s.state.gateway.closed = true
		s.state.gateway.cut()
	})
	return s.Server.Close()
}

// cut ends all connections without a word. The lock is held.
func (g *gateway) cut() {
	for l := range g.links {
		l.drop()
	}
}

func (s *Server) heartbeat() (every time.Duration) {
	s.Look(func() { every = s.state.gateway.every })
	return every
}

func (s *Server) silent(step string) (is bool) {
	s.Look(func() { is = s.state.gateway.silence == step })
	return is
}

// GatewayCounts say what clients have done at the gateway so far.
type GatewayCounts struct {
	// Connected is how many sessions have a connection now.
	Connected int
	// Sessions is how many there are, with or without one.
	Sessions                        int
	Identifies, Resumes, Heartbeats int
	// Closes are the codes with which clients closed their connections.
	Closes []int
}

// Gateway tells what clients have done at the gateway.
func (s *Server) Gateway() (n GatewayCounts) {
	s.Look(func() {
		g := &s.state.gateway
		n = GatewayCounts{
			Sessions: len(g.sessions), Identifies: g.identifies, Resumes: g.resumes, Heartbeats: g.beats,
			Closes: slices.Clone(g.closes),
		}
		for _, x := range g.sessions {
			if x.link != nil && !x.link.gone {
				n.Connected++
			}
		}
	})
	return n
}

// CutGateway cuts all connections to the gateway, as a network does.
func (s *Server) CutGateway() { s.Change(func() { s.state.gateway.cut() }) }

// CloseGateway closes all connections to the gateway with a code.
func (s *Server) CloseGateway(code int) {
	s.Change(func() {
		for l := range s.state.gateway.links {
			l.closeWith(code)
		}
	})
}

// AskReconnect asks all clients for a new connection, as Discord does every day.
func (s *Server) AskReconnect() { s.tellAll(frame{Op: opReconnect}) }

// AskHeartbeat asks all clients for a heartbeat out of turn.
func (s *Server) AskHeartbeat() { s.tellAll(frame{Op: opHeartbeat}) }

// InvalidateSessions tells all clients that their sessions are not valid, and whether
// they may be resumed.
func (s *Server) InvalidateSessions(resumable bool) {
	s.tellAll(frame{Op: opInvalid, Data: encoded(resumable)})
	if !resumable {
		s.Change(func() { s.state.gateway.sessions = nil })
	}
}

func (s *Server) tellAll(f frame) {
	s.Change(func() {
		for l := range s.state.gateway.links {
			l.say(f)
		}
	})
}

// SilenceGateway has the gateway accept clients and then be silent at a step: "dial",
// "hello", "ready" or "acks"; an empty text ends it.
func (s *Server) SilenceGateway(step string) {
	s.Change(func() { s.state.gateway.silence = step })
}

// SetSessionsLeft sets how many sessions may still be begun today.
func (s *Server) SetSessionsLeft(n int) { s.Change(func() { s.state.gateway.remaining = n }) }

// SetHeartbeat sets how often clients are to send heartbeats.
func (s *Server) SetHeartbeat(every time.Duration) {
	s.Change(func() { s.state.gateway.every = every })
}

// SetInteractionsEndpoint sets the address to which interactions go in place of the
// gateway; none when empty.
func (s *Server) SetInteractionsEndpoint(address string) {
	s.Change(func() { s.state.endpoint = address })
}
