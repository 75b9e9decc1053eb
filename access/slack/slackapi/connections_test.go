package slackapi_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/fault"
)

func TestTenSocketsAreGreetedAndNoMore(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		r.Haunt(3)
		for i := range 7 {
			if _, hello := r.connect(); hello.Type != "hello" || hello.Connections != i+4 {
				t.Errorf("socket %d: %+v", i, hello)
			}
		}
		if _, f := r.connect(); f.Type != "disconnect" || f.Reason != slackapi.TooManyWebsockets {
			t.Errorf("the eleventh: %+v", f)
		}
		if got := r.Sockets(); got.Open != 10 || got.Ghosts != 3 || got.Greeted != 7 || got.Refused != 1 {
			t.Errorf("%+v", got)
		}
		r.Haunt(0)
		if _, f := r.connect(); f.Type != "hello" || f.Connections != 8 {
			t.Errorf("without ghosts: %+v", f)
		}
	})
}

func TestEachEventGoesToOneSocketInTurn(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		first, _ := r.connect()
		second, _ := r.connect()
		ts := r.offer(requests)
		counts := map[*phone]int{}
		for range 4 {
			done := r.pressing(approve(ts))
			synctest.Wait()
			for _, p := range []*phone{first, second} {
				if !p.quiet() {
					counts[p]++
					p.ack(p.next(), "")
				}
			}
			if out := <-done; !out.Acked {
				t.Error("it was not acknowledged")
			}
		}
		if counts[first] != 2 || counts[second] != 2 {
			t.Errorf("the sockets got %d and %d", counts[first], counts[second])
		}
	})
}

func TestAGhostSwallowsWhatIsDealtToIt(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		p, _ := r.connect()
		r.Haunt(1)
		ts := r.offer(requests)
		acked := 0
		for range 4 {
			done := r.pressing(approve(ts))
			synctest.Wait()
			if !p.quiet() {
				p.ack(p.next(), "")
			}
			if out := <-done; out.Acked {
				acked++
			}
		}
		if got := r.Sockets(); acked != 2 || got.Missed != 2 || len(r.Saw(alice)) != 2 {
			t.Errorf("%d acknowledged, %+v, alice saw %q", acked, got, r.Saw(alice))
		}
	})
}

func TestAFrozenSocketStaysAndSaysNothing(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		p, _ := r.connect()
		r.Linger(true)
		r.Freeze()
		pings := p.pings.Load()
		done := r.pressing(approve(r.offer(requests)))
		_ = p.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
		if out := <-done; out.Acked || !p.quiet() {
			t.Error("the event came")
		}
		time.Sleep(time.Minute)
		if p.pings.Load() != pings || p.pongs.Load() != 0 {
			t.Error("it is alive")
		}
		_ = p.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
		_ = p.conn.Close()
		synctest.Wait()
		if got := r.Sockets(); got.CloseFrames != 0 || got.Ghosts != 1 || got.Open != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestASilentSocketIsNeverGreeted(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		r.SilenceNext(1)
		p := r.connectInSilence()
		time.Sleep(time.Minute)
		if out, err := r.Press(t.Context(), approve(r.offer(requests))); err != nil || out.Acked {
			t.Errorf("%+v, %v", out, err)
		}
		if !p.quiet() || p.pings.Load() != 0 || r.Sockets().Open != 0 {
			t.Error("it is alive")
		}
		if _, hello := r.connect(); hello.Type != "hello" {
			t.Errorf("the next one is greeted with %+v", hello)
		}
	})
}

func TestSlackPingsAndAnswersPings(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		p, _ := r.connect()
		time.Sleep(16 * time.Second)
		_ = p.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
		synctest.Wait()
		if p.pings.Load() != 3 || p.pongs.Load() != 1 || r.Sockets().Pongs != 3 {
			t.Errorf("%d pings, %d pongs, %+v", p.pings.Load(), p.pongs.Load(), r.Sockets())
		}
	})
}

func TestAWarnedSocketGetsEventsAndAnOldOneGetsNone(t *testing.T) {
	for reason, dealt := range map[string]bool{
		slackapi.Warning: true, slackapi.RefreshRequested: false, slackapi.LinkDisabled: false, slackapi.TooManyWebsockets: false,
	} {
		inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
			p, _ := r.connect()
			r.Disconnect(reason)
			if f := p.next(); f.Type != "disconnect" || f.Reason != reason {
				t.Errorf("%s: got %+v", reason, f)
			}
			r.pressing(approve(r.offer(requests)))
			synctest.Wait()
			if p.quiet() == dealt {
				t.Errorf("%s: dealt to it: %v, want %v", reason, !dealt, dealt)
			}
			if len(p.over) != 0 {
				t.Errorf("%s: the server ended it", reason)
			}
			time.Sleep(time.Minute)
		})
	}
}

func TestSocketModeIsSwitchedOff(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		p, _ := r.connect()
		r.SwitchSocketMode(false)
		if f := p.next(); f.Reason != slackapi.LinkDisabled {
			t.Errorf("got %+v", f)
		}
		if _, f := r.connect(); f.Type != "disconnect" || f.Reason != slackapi.LinkDisabled {
			t.Errorf("while it is off: %+v", f)
		}
		r.SwitchSocketMode(true)
		if _, f := r.connect(); f.Type != "hello" {
			t.Errorf("on again: %+v", f)
		}
	})
}

// Slack answers a close frame and leaves the connection to the app.
func TestCloseFramesAreCounted(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		p, _ := r.connect()
		_ = p.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
		if err := <-p.over; !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			t.Errorf("it ended with %v", err)
		}
		synctest.Wait()
		if got := r.Sockets(); got.CloseFrames != 1 || got.Open != 0 {
			t.Errorf("%+v", got)
		}
		_ = p.conn.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := p.conn.NetConn().Read(make([]byte, 1)); err == nil || !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
			t.Errorf("the server ended the connection: %v", err)
		}
		_ = p.conn.Close()
		synctest.Wait()
		if got := r.Sockets(); got.Unclean != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestASocketThatEndsWithoutACloseFrameMayLinger(t *testing.T) {
	for _, lingers := range []bool{false, true} {
		inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
			r.Linger(lingers)
			p, _ := r.connect()
			_ = p.conn.NetConn().Close()
			synctest.Wait()
			got := r.Sockets()
			if got.Unclean != 1 || got.CloseFrames != 0 || (got.Ghosts == 1) != lingers || (got.Open == 1) != lingers {
				t.Errorf("lingers %v: %+v", lingers, got)
			}
		})
	}
}

func TestSlackEndsSockets(t *testing.T) {
	for name, tc := range map[string]struct {
		end  func(*slackapi.Server)
		want func(error) bool
	}{
		"cut":     {(*slackapi.Server).CutSockets, func(err error) bool { return !websocket.IsCloseError(err, 1001) }},
		"stopped": {func(s *slackapi.Server) { _ = s.Close() }, func(err error) bool { return err != nil }},
		"closed":  {func(s *slackapi.Server) { s.CloseSockets(1001) }, func(err error) bool { return websocket.IsCloseError(err, 1001) }},
	} {
		inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
			p, _ := r.connect()
			tc.end(r.Server)
			if err := <-p.over; !tc.want(err) {
				t.Errorf("%s: it ended with %v", name, err)
			}
			_ = p.conn.Close()
			synctest.Wait()
			if got := r.Sockets(); got.Open != 0 || got.Unclean != 0 {
				t.Errorf("%s: %+v", name, got)
			}
		})
	}
}

func TestAStoppedServerTakesNoSockets(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		address := r.address()
		_ = r.Close()
		if conn, _, err := r.dial(t.Context(), address); err == nil {
			if _, _, err := conn.ReadMessage(); err == nil {
				t.Error("it was greeted")
			}
			_ = conn.Close()
		}
		if got := r.Sockets(); got.Open != 0 || got.Greeted != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestHandshakesFail(t *testing.T) {
	for effect, status := range map[fault.Effect]int{
		fault.Refuse: http.StatusConflict, fault.RateLimit: http.StatusTooManyRequests, fault.Status: http.StatusInternalServerError,
		fault.Gateway: http.StatusInternalServerError, fault.Garbage: http.StatusOK, fault.Cut: 0, fault.Hang: 0, fault.DoneNotAnswered: 0,
	} {
		inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
			r.Faults().Add(fault.Fault{Method: slackapi.Socket, Effect: effect, Times: 1})
			address := r.address()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if _, got, err := r.dial(ctx, address); err == nil || got != status {
				t.Errorf("%s: status %d, error %v", effect, got, err)
			}
			synctest.Wait()
			if log := r.Requests(); r.Calls(slackapi.Socket) != 1 || log[len(log)-1].Error != string(effect) {
				t.Errorf("%s: the log holds %+v", effect, log)
			}
			_, got, _ := r.dial(t.Context(), address)
			if used := got == http.StatusForbidden; used != (effect == fault.DoneNotAnswered) {
				t.Errorf("%s: the ticket is used up: %v", effect, used)
			}
		})
	}
}

func TestASlowHandshakeGoesThrough(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		r.Faults().Add(fault.Fault{Method: slackapi.Socket, Effect: fault.Slow, DelayMS: 1000})
		began := time.Now()
		if _, hello := r.connect(); hello.Type != "hello" || time.Since(began) != time.Second {
			t.Errorf("%+v after %s", hello, time.Since(began))
		}
	})
}
