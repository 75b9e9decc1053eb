package slackapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/access/slack/slackapi"
)

func TestAnAcknowledgementCountsForThreeSeconds(t *testing.T) {
	for after, want := range map[time.Duration]bool{0: true, 2999 * time.Millisecond: true, 3001 * time.Millisecond: false} {
		inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
			p, _ := r.connect()
			began := time.Now()
			done := r.pressing(approve(r.offer(requests)))
			f := p.next()
			time.Sleep(after)
			p.ack(f, "")
			out := <-done
			synctest.Wait()
			got, saw := r.Sockets(), r.Saw(alice)
			if want && (!out.Acked || got.Acks != 1 || got.LateAcks+got.Missed != 0 || saw != nil) {
				t.Errorf("after %s: %+v, %+v, alice saw %q", after, out, got, saw)
			}
			if !want && (out.Acked || got.LateAcks != 1 || got.Missed != 1 || !slices.Equal(saw, []string{slackapi.PressFailed})) {
				t.Errorf("after %s: %+v, %+v, alice saw %q", after, out, got, saw)
			}
			if r.Saw(bob) != nil {
				t.Errorf("bob saw %q", r.Saw(bob))
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestWithoutASocketAPressFailsAtOnce(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		began := time.Now()
		out, err := r.Press(t.Context(), approve(r.offer(requests)))
		if err != nil || out.Acked || time.Since(began) > 0 || !slices.Equal(r.Saw(alice), []string{slackapi.PressFailed}) {
			t.Errorf("%+v, %v after %s, alice saw %q", out, err, time.Since(began), r.Saw(alice))
		}
	})
}

func TestOnlyTheSocketOfAnEventAcknowledgesIt(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		first, _ := r.connect()
		second, _ := r.connect()
		done := r.pressing(approve(r.offer(requests)))
		synctest.Wait()
		if first.quiet() {
			first, second = second, first
		}
		f := first.next()
		second.ack(f, "")
		second.ack(frame{Envelope: "made-up"}, "")
		second.send("hello")
		second.send("{}")
		if out := <-done; out.Acked {
			t.Error("it was acknowledged")
		}
		if got := r.Sockets(); got.StrayAcks != 2 || got.Garbled != 2 || got.Acks != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAnEventComesAgain(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		p, _ := r.connect()
		done := r.pressing(approve(r.offer(requests)))
		f := p.next()
		out := <-done // nobody acknowledges it
		again := make(chan slackapi.Outcome, 1)
		go func() {
			out, err := r.Again(t.Context(), out, 1, "timeout")
			if err != nil {
				t.Error(err)
			}
			again <- out
		}()
		g := p.next()
		if g.Envelope != f.Envelope || string(g.Payload) != string(f.Payload) || g.Retry != 1 || g.RetryReason != "timeout" {
			t.Errorf("got %+v after %+v", g, f)
		}
		p.ack(g, "")
		if out := <-again; !out.Acked {
			t.Error("it was not acknowledged")
		}
	})
}

func TestATriggerAgesWhileAnEventIsOnItsWay(t *testing.T) {
	for late, want := range map[time.Duration]string{2500 * time.Millisecond: "", 3500 * time.Millisecond: "expired_trigger_id"} {
		inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
			p, _ := r.connect()
			press := approve(r.offer(requests))
			press.Late, press.Retry, press.RetryReason = late, 2, "late"
			began := time.Now()
			done := r.pressing(press)
			f := p.next()
			if took := time.Since(began); took != late || f.Retry != 2 || f.RetryReason != "late" {
				t.Errorf("%+v after %s", f, took)
			}
			p.ack(f, "")
			out := <-done
			if got := r.view(out.Trigger, modal(""))["error"]; fmt.Sprint(got) != orNil(want) {
				t.Errorf("after %s: error %v, want %q", late, got, want)
			}
		})
	}
}

func orNil(s string) string {
	if s == "" {
		return "<nil>"
	}
	return s
}

func TestAnyPayloadAndAnyFrameCanBeSent(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		p, _ := r.connect()
		go func() {
			if out, err := r.Deliver(t.Context(), bob, json.RawMessage(`{"type":"shortcut"}`)); err != nil || out.Acked {
				t.Errorf("%+v, %v", out, err)
			}
		}()
		if f := p.next(); string(f.Payload) != `{"type":"shortcut"}` {
			t.Errorf("got %+v", f)
		}
		time.Sleep(4 * time.Second)
		if saw := r.Saw(bob); len(saw) != 1 {
			t.Errorf("bob saw %q", saw)
		}
		r.SendFrame(`{"type":"news"}`)
		if f := p.next(); f.Type != "news" {
			t.Errorf("got %+v", f)
		}
	})
}
