package discord

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/sandbox/fault"
)

// The token of an interaction answers in the bot's name for 15 minutes; it is not logged.
func TestNoInteractionTokenInTheLog(t *testing.T) {
	for _, method := range []string{respond, editAnswer} {
		for _, effect := range []fault.Effect{fault.RateLimit, fault.Status, fault.Gateway, fault.Cut, fault.Garbage, fault.Hang} {
			t.Run(method[:5]+" "+string(effect), func(t *testing.T) {
				t.Parallel()
				core, logged := observer.New(zap.DebugLevel)
				h := silentHearing(t, discordapi.Options{})
				h.log = zap.New(core)
				h.start(t)
				h.connected(t, 1)
				m := h.offer(t, requests)
				h.discord.Faults().Add(fault.Fault{Method: method, Effect: effect, RetryAfterMS: 60_000, HTTPStatus: 500, Times: 2})
				id, err := h.discord.Press(discordapi.BobID, m.Channel, m.ID, approve())
				if err != nil {
					t.Fatal(err)
				}
				h.until(t, "the press is taken", func() bool { return h.discord.Calls(respond) > 0 })
				h.end(t) // what was pressed is answered, or given up and logged
				i, _ := h.discord.Interaction(id)
				for _, line := range logged.All() {
					if text := line.Message + fmt.Sprint(line.ContextMap()); i.Token != "" && strings.Contains(text, i.Token) {
						t.Errorf("the token %q is in the log: %.400s", i.Token, text)
					}
				}
			})
		}
	}
}

// After an attempt whose outcome nobody knows, 10062 too is most likely our own.
func TestAnAcknowledgementThatWasTakenIsNotLost(t *testing.T) {
	h := newHearing(t, discordapi.Options{})
	h.discord.Faults().Add(fault.Fault{Method: respond, Effect: fault.DoneNotAnswered, Times: 2})
	m := h.offer(t, requests)
	id, err := h.discord.Press(discordapi.BobID, m.Channel, m.ID, approve())
	if err != nil {
		t.Fatal(err)
	}
	var i discordapi.Interaction
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if i, _ = h.discord.Interaction(id); i.Done || len(h.all()) > 0 {
			return
		}
	}
	t.Errorf("the person has no answer, and the press is dropped: %+v", i)
}

// mute takes the acknowledgement, and nothing else.
type mute struct{}

func (mute) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/callback") {
		return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// The end of listening has to fit into the time of the drain (15 s, and 5 s more).
func TestListeningEndsWithinTheDrain(t *testing.T) {
	h := silentHearing(t, discordapi.Options{})
	synctest.Test(t, func(t *testing.T) {
		s := h.service
		s.http = &http.Client{Transport: mute{}}
		l := &listening{service: s, work: decision.NewRoom(maxPresses, maxCrowd), desk: &slowDesk{}, application: "1000000000000000001"}
		raw := `{"id":"1000000000000000002","application_id":"1000000000000000001","token":"tok","type":3,"guild_id":"1","channel_id":"1000000000000000003",
			"message":{"id":"1000000000000000004"},"member":{"user":{"id":"1000000000000000005"}},"data":{"custom_id":"approve:req"},"authorizing_integration_owners":{"0":"1"}}`
		began := time.Now()
		l.hear(context.Background(), []byte(raw))
		l.work.Wait()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("the end of listening took %v", took)
		}
	})
}

// slowDesk takes as long as a desk may.
type slowDesk struct{ desk }

func (*slowDesk) Press(context.Context, decision.Press) decision.Answer {
	time.Sleep(8 * time.Second)
	return decision.Answer{Kind: decision.TryAgain, Text: "?"}
}
