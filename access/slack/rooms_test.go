package slack

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/access/slack/slackapi"
)

// In a burst Slack is asked once for the id of a conversation.
func TestTheIDOfAConversationIsAskedForOnce(t *testing.T) {
	server, s := inProcess(t)
	for range 3 {
		var all sync.WaitGroup
		for _, address := range []string{alice, "access-requests", "security"} {
			for range 30 {
				all.Go(func() {
					if _, err := s.conversation(t.Context(), address); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
	}
	if list, open := server.Calls("conversations.list"), server.Calls("conversations.open"); list != 1 || open != 1 {
		t.Errorf("%d lists, %d openings", list, open)
	}
}

// A name that the list of channels does not have is looked for again after a while,
// and one that it has too: a channel may be renamed.
func TestTheListOfChannelsIsReadAgainAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, s := inProcess(t)
		look := func(name, want string, calls int) {
			t.Helper()
			if got, err := s.conversation(t.Context(), name); got != want || (err != nil) != (want == "") {
				t.Errorf("%s is %q, %v; want %q", name, got, err, want)
			}
			if got := server.Calls("conversations.list"); got != calls {
				t.Errorf("%d lists, want %d", got, calls)
			}
		}
		look("new", "", 1)
		server.AddChannel(slackapi.Channel{ID: "C0SANDBOX99", Name: "new"})
		look("new", "", 1)
		time.Sleep(missAge + time.Second)
		look("new", "C0SANDBOX99", 2)
		time.Sleep(listAge - time.Second)
		look("new", "C0SANDBOX99", 2)
		time.Sleep(2 * time.Second)
		look("new", "C0SANDBOX99", 3)
	})
}

// A long list of channels is read on by whoever needs more of it.
func TestALongListOfChannelsIsReadAsFarAsNeeded(t *testing.T) {
	server, s := inProcess(t)
	for i := range 2500 {
		server.AddChannel(slackapi.Channel{Name: fmt.Sprint("team-", i)})
	}
	for _, c := range []struct {
		name  string
		calls int
	}{{"team-3", 1}, {"team-2400", 3}, {"team-1500", 3}} {
		if id, err := s.conversation(t.Context(), c.name); err != nil || id == "" {
			t.Errorf("%s: %q, %v", c.name, id, err)
		}
		if got := server.Calls("conversations.list"); got != c.calls {
			t.Errorf("%d pages, want %d", got, c.calls)
		}
	}
}

// Who waits for another's question is bound by the own time.
func TestWhoWaitsForTheIDOfAConversationHasATime(t *testing.T) {
	_, s := inProcess(t)
	s.rooms.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.conversation(ctx, alice); err == nil {
		t.Error("no error")
	}
}
