package discord

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/sandbox/fault"
)

// stillHears makes sure that a press is decided.
func (h *hearing) stillHears(t *testing.T) {
	t.Helper()
	before := len(h.all())
	_, saw := h.press(t, discordapi.BobID, h.offer(t, security), approve())
	if len(saw) != 1 || saw[0] != "You approved it." || len(h.all()) != before+1 {
		t.Errorf("saw %q, presses %v", saw, h.all())
	}
}

func TestALostConnectionIsMadeGood(t *testing.T) {
	for name, c := range map[string]struct {
		cause func(d *discordapi.Server)
		// resumed says that the session is the same as before.
		resumed bool
		// ours says that we close the connection.
		ours bool
	}{
		"cut":                        {(*discordapi.Server).CutGateway, true, false},
		"asked for a new one":        {(*discordapi.Server).AskReconnect, true, true},
		"closed for no reason":       {func(d *discordapi.Server) { d.CloseGateway(discordapi.CloseDecodeError) }, true, false},
		"closed, going away":         {func(d *discordapi.Server) { d.CloseGateway(1001) }, true, false},
		"closed for the sequence":    {func(d *discordapi.Server) { d.CloseGateway(discordapi.CloseSequence) }, false, false},
		"closed, timed out":          {func(d *discordapi.Server) { d.CloseGateway(discordapi.CloseTimedOut) }, false, false},
		"invalid, to be resumed":     {func(d *discordapi.Server) { d.InvalidateSessions(true) }, true, true},
		"invalid, not to be resumed": {func(d *discordapi.Server) { d.InvalidateSessions(false) }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHearing(t, discordapi.Options{})
			c.cause(h.discord)
			h.until(t, "no other connection", func() bool {
				g := h.discord.Gateway()
				return g.Connected == 1 && (c.resumed && g.Resumes == 1 || !c.resumed && g.Identifies == 2)
			})
			h.stillHears(t)
			g := h.discord.Gateway()
			if c.resumed && g.Identifies != 1 || !c.resumed && g.Resumes != 0 {
				t.Errorf("gateway %+v", g)
			}
			if c.ours && !slices.Contains(g.Closes, closeOurs) {
				t.Errorf("closed with %v", g.Closes)
			}
		})
	}
}

// What happens while the connection is lost comes with the session.
func TestPressesDuringALostConnectionAreHeard(t *testing.T) {
	h := newHearing(t, discordapi.Options{})
	m := h.offer(t, requests)
	h.discord.SilenceGateway("dial")
	h.discord.CutGateway()
	h.until(t, "not cut", func() bool { return h.discord.Gateway().Connected == 0 })
	id, err := h.discord.Press(discordapi.BobID, m.Channel, m.ID, approve())
	if err != nil {
		t.Fatal(err)
	}
	h.discord.SilenceGateway("")
	if saw := h.answered(t, id); len(saw) != 1 || saw[0] != "You approved it." {
		t.Errorf("saw %q", saw)
	}
}

func TestASilentGatewayIsLeftAtEachStep(t *testing.T) {
	for _, step := range []string{"dial", "hello", "ready", "acks"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			h := silentHearing(t, discordapi.Options{Heartbeat: time.Second})
			h.times.step = time.Second
			h.discord.SilenceGateway(step)
			h.start(t)
			h.untilHeard(t, "nothing is said of the silence", func() bool {
				words := h.words()
				return len(words) > 1 || len(words) == 1 && words[0] != ""
			})
			h.discord.SilenceGateway("")
			h.untilHeard(t, "it is not over", func() bool { w := h.words(); return len(w) > 0 && w[len(w)-1] == "" })
			h.until(t, "no session", func() bool { return h.discord.Gateway().Connected == 1 })
			h.stillHears(t)
		})
	}
}

// A session whose address is dead is given up, and a new one is begun.
func TestASessionThatCannotBeResumedIsGivenUp(t *testing.T) {
	h := silentHearing(t, discordapi.Options{})
	l := &listening{service: h.service, desk: h.desk, signal: newSignal(h.desk, time.Hour), work: decision.NewRoom(maxPresses, maxCrowd)}
	l.session = session{id: "an old one", address: "ws://127.0.0.1:1/"}
	for range 2 {
		if err := l.connection(t.Context()); err == nil {
			t.Fatal("it was resumed")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.connection(ctx) }()
	h.until(t, "no new session", func() bool { return h.discord.Gateway().Identifies == 1 })
	cancel()
	<-done
}

func TestHeartbeatsKeepTheConnection(t *testing.T) {
	h := newHearing(t, discordapi.Options{Heartbeat: time.Second})
	h.until(t, "no heartbeats", func() bool { return h.discord.Gateway().Heartbeats >= 3 })
	if g := h.discord.Gateway(); g.Identifies != 1 || g.Resumes != 0 {
		t.Errorf("gateway %+v", g)
	}
}

func TestAHeartbeatThatIsAskedForIsSentAtOnce(t *testing.T) {
	h := newHearing(t, discordapi.Options{Heartbeat: time.Minute})
	h.discord.AskHeartbeat()
	h.until(t, "no heartbeat", func() bool { return h.discord.Gateway().Heartbeats == 1 })
}

func TestOnlyWhatAPersonMustCorrectEndsIt(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(d *discordapi.Server)
		cause   func(d *discordapi.Server)
		says    string
	}{
		"token, at the gateway": {nil, func(d *discordapi.Server) { d.CloseGateway(discordapi.CloseToken) }, "does not accept the token"},
		"intents":               {nil, func(d *discordapi.Server) { d.CloseGateway(discordapi.CloseIntents) }, "refuses the intents"},
		"intents, forbidden":    {nil, func(d *discordapi.Server) { d.CloseGateway(discordapi.CloseForbidden) }, "refuses the intents"},
		"version":               {nil, func(d *discordapi.Server) { d.CloseGateway(discordapi.CloseVersion) }, "4012"},
		"token, at the API":     {func(d *discordapi.Server) { d.SetToken("another") }, nil, "401"},
		"endpoint":              {func(d *discordapi.Server) { d.SetInteractionsEndpoint("https://example.org/") }, nil, "Interactions Endpoint URL"},
	} {
		t.Run(name, func(t *testing.T) {
			h := silentHearing(t, discordapi.Options{})
			if c.prepare != nil {
				c.prepare(h.discord)
			}
			h.start(t)
			if c.cause != nil {
				h.connected(t, 1)
				c.cause(h.discord)
			}
			err := h.result(t)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), h.discord.Token()) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

// A token that was reset is replaced in its file, or its variable, a moment before or
// after Discord refuses the old one.
func TestATokenThatWasReplacedIsTaken(t *testing.T) {
	t.Setenv("DISCORD_TEST_TOKEN", discordapi.DefaultToken)
	h := newHearing(t, discordapi.Options{}, func(c *Config) { c.Discord.Token = config.NewSecret("env:DISCORD_TEST_TOKEN") })
	t.Setenv("DISCORD_TEST_TOKEN", "a.new.token")
	h.discord.SetToken("a.new.token")
	h.discord.CloseGateway(discordapi.CloseToken)
	h.until(t, "no new session", func() bool { return h.discord.Gateway().Identifies >= 2 })
	h.stillHears(t)
}

func TestFailuresBeforeAConnectionPass(t *testing.T) {
	for name, f := range map[string]fault.Fault{
		"application, unavailable": {Method: getApplication, Effect: fault.Status, HTTPStatus: 503},
		"gateway, unavailable":     {Method: getGateway, Effect: fault.Status, HTTPStatus: 502},
		"gateway, cut":             {Method: getGateway, Effect: fault.Cut},
		"gateway, refused":         {Method: getGateway, Effect: fault.Refuse, Code: "40333"},
	} {
		t.Run(name, func(t *testing.T) {
			h := silentHearing(t, discordapi.Options{})
			f.Times = 3
			h.discord.Faults().Add(f)
			h.start(t)
			h.connected(t, 1)
			if n := h.discord.Calls(f.Method); n != 4 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

func TestNoSessionIsBegunBelowTheFloor(t *testing.T) {
	h := silentHearing(t, discordapi.Options{StartLimitReset: 20 * time.Millisecond})
	h.discord.SetSessionsLeft(identifyFloor - 1)
	h.start(t)
	h.untilHeard(t, "nothing is said of the floor", func() bool {
		return slices.ContainsFunc(h.words(), func(s string) bool { return strings.Contains(s, "only 49 new sessions are left") })
	})
	if n := h.discord.Gateway().Identifies; n != 0 {
		t.Errorf("%d sessions were begun", n)
	}
	h.discord.SetSessionsLeft(identifyFloor)
	h.connected(t, 1)
	// A session is resumed all the same.
	h.discord.CutGateway()
	h.until(t, "not resumed", func() bool { g := h.discord.Gateway(); return g.Resumes == 1 && g.Connected == 1 })
}

func TestAConnectionThatIsLostForAMomentIsNotWorthAWord(t *testing.T) {
	h := silentHearing(t, discordapi.Options{})
	h.times.grace = time.Minute
	h.start(t)
	h.connected(t, 1)
	h.discord.CutGateway()
	h.untilHeard(t, "not resumed", func() bool { return len(h.words()) == 2 })
	if words := h.words(); !slices.Equal(words, []string{"", ""}) {
		t.Errorf("heard %q", words)
	}
}

func TestPausesGrowUntilAConnectionHasHeld(t *testing.T) {
	l := &listening{service: &service{times: usualTimes()}}
	lost := errors.New("lost")
	for i, most := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		if got := l.pause(lost); got < most*time.Second/2 || got > most*time.Second {
			t.Errorf("pause %d is %v, want up to %ds", i, got, most)
		}
	}
	l.pauses = 1 << 20
	if got := l.pause(lost); got < 30*time.Second || got > time.Minute {
		t.Errorf("pause %v", got)
	}
	l.pauses = 0
	if got := l.pause(held{wait: 10 * time.Minute}); got != 10*time.Minute {
		t.Errorf("pause %v", got)
	}
	if got := l.pause(&outbound.Error{Kind: outbound.Wait, After: 7 * time.Minute}); got != 7*time.Minute {
		t.Errorf("pause %v", got)
	}
}

// To be ready says little: what ends right after it ends again.
func TestPausesSurviveReady(t *testing.T) {
	for name, c := range map[string]struct {
		steady time.Duration
		want   int
	}{"at once": {time.Hour, 5}, "held": {0, 0}} {
		t.Run(name, func(t *testing.T) {
			h := silentHearing(t, discordapi.Options{})
			h.times.steady = c.steady
			l := &listening{service: h.service, desk: h.desk, signal: newSignal(h.desk, time.Hour), work: decision.NewRoom(maxPresses, maxCrowd), pauses: 5}
			done := make(chan error, 1)
			go func() { done <- l.connection(t.Context()) }()
			h.untilHeard(t, "not ready", func() bool { return len(h.words()) == 1 })
			h.discord.CutGateway()
			if err := <-done; err == nil || l.pauses != c.want {
				t.Errorf("%d pauses, want %d: %v", l.pauses, c.want, err)
			}
		})
	}
}

func TestTheEndClosesTheConnectionOnceNothingIsTakenAnyMore(t *testing.T) {
	h := newHearing(t, discordapi.Options{})
	taken, release := make(chan struct{}), make(chan struct{})
	h.decide = func(ctx context.Context, _ decision.Press) decision.Answer {
		close(taken)
		<-release
		if ctx.Err() != nil {
			return decision.Answer{Kind: decision.TryAgain, Text: "It was cut short."}
		}
		return decision.Answer{Kind: decision.Done, Text: "Finished."}
	}
	m := h.offer(t, requests)
	id, err := h.discord.Press(discordapi.BobID, m.Channel, m.ID, approve())
	if err != nil {
		t.Fatal(err)
	}
	<-taken
	h.stop()
	h.until(t, "not closed", func() bool { return slices.Equal(h.discord.Gateway().Closes, []int{closeOurs}) })
	select {
	case err := <-h.listen:
		t.Fatalf("it returned before the press was answered: %v", err)
	default:
	}
	close(release)
	h.end(t)
	if saw := h.discord.SawOf(id); !slices.Equal(saw, []string{"Finished."}) {
		t.Errorf("saw %q", saw)
	}
	if h.discord.Gateway().Sessions != 1 {
		t.Error("the session was given up")
	}
}

func TestTheEndIsPromptAtEachStep(t *testing.T) {
	for _, step := range []string{"dial", "hello", "ready", "acks", ""} {
		t.Run(step, func(t *testing.T) {
			h := silentHearing(t, discordapi.Options{})
			h.times = usualTimes()
			h.discord.SilenceGateway(step)
			h.start(t)
			h.until(t, "not asked", func() bool { return h.discord.Calls(getGateway) == 1 })
			began := time.Now()
			h.end(t)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestOnlyASafeGatewayIsTrusted(t *testing.T) {
	for address, c := range map[string]struct{ secure, plain bool }{
		"wss://gateway.discord.gg":          {true, true},
		"wss://gateway.discord.gg/?v=1&x=y": {true, true},
		"ws://127.0.0.1:1/gateway":          {false, true},
		"https://gateway.discord.gg":        {false, false},
		"wss:///nowhere":                    {false, false},
		"":                                  {false, false},
		"\x7f":                              {false, false},
	} {
		for secure, want := range map[bool]bool{true: c.secure, false: c.plain} {
			s := &service{client: client{secure: secure}}
			got, err := s.gatewayAddress(address)
			if (err == nil) != want || err == nil && !strings.HasSuffix(got, "?v=10&encoding=json") {
				t.Errorf("%q with a secure API %t: %q, %v", address, secure, got, err)
			}
		}
	}
}
