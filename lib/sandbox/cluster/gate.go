package cluster

import (
	"net"
	"sync"
	"sync/atomic"
)

// gate stands between the TCP port and the gRPC server. The port stays open
// for the life of the cluster while servers come and go behind it, and this is
// where connections are refused, cut, or fall silent.
type gate struct {
	tcp     net.Listener
	silent  atomic.Bool
	refuses atomic.Bool

	mu      sync.Mutex
	backend *backend
	conns   map[*gateConn]struct{}
	audible chan struct{} // closed when packets flow
}

func newGate(tcp net.Listener) *gate {
	g := &gate{tcp: tcp, conns: make(map[*gateConn]struct{}), audible: make(chan struct{})}
	close(g.audible)
	return g
}

// acceptAll runs until the port is closed.
func (g *gate) acceptAll() {
	for {
		conn, err := g.tcp.Accept()
		if err != nil {
			return
		}
		g.admit(conn)
	}
}

func (g *gate) admit(conn net.Conn) {
	g.mu.Lock()
	b := g.backend
	wrapped := &gateConn{Conn: conn, gate: g, closed: make(chan struct{})}
	if b == nil || g.refuses.Load() {
		g.mu.Unlock()
		wrapped.reset()
		return
	}
	g.conns[wrapped] = struct{}{}
	g.mu.Unlock()
	if !b.offer(wrapped) {
		wrapped.reset()
	}
}

func (g *gate) setBackend(b *backend) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.backend = b
}

// cut resets every open connection.
func (g *gate) cut() {
	g.mu.Lock()
	conns := make([]*gateConn, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	g.mu.Unlock()
	for _, c := range conns {
		c.reset()
	}
}

// setSilent makes packets vanish, or flow again: what was held back is then
// delivered, as TCP does after a short outage of the network.
func (g *gate) setSilent(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if on == g.silent.Load() {
		return
	}
	if on {
		g.audible = make(chan struct{})
	} else {
		close(g.audible)
	}
	g.silent.Store(on)
}

func (g *gate) flow() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.audible
}

func (g *gate) close() error {
	err := g.tcp.Close()
	g.cut()
	return err
}

// gateConn is a connection that can fall silent.
type gateConn struct {
	net.Conn
	gate   *gate
	once   sync.Once
	closed chan struct{}
}

// Read holds back what has arrived while the gate is silent.
func (c *gateConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.pass() {
		return 0, net.ErrClosed
	}
	return n, err
}

// Write holds back what is to be sent while the gate is silent.
func (c *gateConn) Write(p []byte) (int, error) {
	if !c.pass() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// pass waits until packets flow; it reports false when the connection was
// closed before.
func (c *gateConn) pass() bool {
	for c.gate.silent.Load() {
		select {
		case <-c.gate.flow():
		case <-c.closed:
			return false
		}
	}
	return true
}

// Close closes the connection in the ordinary way.
func (c *gateConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		close(c.closed)
		err = c.Conn.Close()
		c.gate.mu.Lock()
		delete(c.gate.conns, c)
		c.gate.mu.Unlock()
	})
	return err
}

// reset closes the connection so that the peer sees it broken, not ended.
func (c *gateConn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		// Best effort: without it the peer sees an orderly end.
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// backend is the listener of one gRPC server; the gate feeds it.
type backend struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newBackend(addr net.Addr) *backend {
	return &backend{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (b *backend) offer(c net.Conn) bool {
	select {
	case b.conns <- c:
		return true
	case <-b.done:
		return false
	}
}

// Accept waits for the next connection that the gate admits.
func (b *backend) Accept() (net.Conn, error) {
	select {
	case c := <-b.conns:
		return c, nil
	case <-b.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (b *backend) Close() error {
	b.once.Do(func() { close(b.done) })
	return nil
}

// Addr is the address of the port.
func (b *backend) Addr() net.Addr { return b.addr }
