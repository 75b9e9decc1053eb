package mail

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/outbound"
)

// Whatever a server says, a mail counts as taken only after a reply of success to the end
// of its text, and an error is of one of the kinds.
func FuzzConversation(f *testing.F) {
	f.Add("220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
	f.Add("220\r\n250-x\r\n250-8bitmime\r\n250\r\n250\r\n250\r\n354\r\n250\r\n")
	f.Add("220 x\n500 x\n250 x\n200\n251\n354 x\n421 x\n")
	f.Add("220-\r\n220\r\n250-" + strings.Repeat("x", 5000) + "\r\n250 smtputf8")
	f.Fuzz(func(t *testing.T, said string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Skip(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, said)
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		p := opened(t, Settings{SMTP: at(l)})
		_, err = p.Send(ctx, letter)
		if c := p.carrier.(*server).kept(); c != nil {
			c.close(false)
		}
		_ = l.Close()
		<-done
		if err == nil && strings.Count(said, "\n2") < 4 || err != nil && outbound.KindOf(err) == "" {
			t.Errorf("%q gave %v", said, err)
		}
	})
}
