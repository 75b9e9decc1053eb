package hook

import (
	"net"
	"sync"
)

// maxConns is how many connections may be open at once: each holds what its caller has
// sent so far, and anybody who reaches the address may open some.
const maxConns = 512

// bounded is a listener that closes connections beyond those that there is room for.
type bounded struct {
	net.Listener
	room chan struct{}
}

func bound(socket net.Listener) net.Listener {
	return &bounded{socket, make(chan struct{}, maxConns)}
}

// Accept waits for a connection for which there is room.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		conn, err := b.Listener.Accept()
		if err != nil {
			return nil, err //nolint:wrapcheck // the server looks at its kind
		}
		select {
		case b.room <- struct{}{}:
			return &held{Conn: conn, leave: sync.OnceFunc(func() { <-b.room })}, nil
		default:
			_ = conn.Close() // the service tells the person, who presses again
		}
	}
}

// held is a connection that leaves its room once it is closed.
type held struct {
	net.Conn
	leave func()
}

func (h *held) Close() error {
	defer h.leave()
	return h.Conn.Close() //nolint:wrapcheck // nothing is added
}
