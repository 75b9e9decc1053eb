package discord

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// desk is a desk that notes what it is asked.
type desk struct {
	mu      sync.Mutex
	presses []decision.Press
	heard   []string
	changed chan struct{}
	// decide answers; when nil, every press is done.
	decide func(ctx context.Context, p decision.Press) decision.Answer
}

func (d *desk) note(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

func (d *desk) Press(ctx context.Context, p decision.Press) decision.Answer {
	d.note(func() { d.presses = append(d.presses, p) })
	if d.decide != nil {
		return d.decide(ctx, p)
	}
	return decision.Answer{Kind: decision.Done, Text: "You approved it."}
}

func (d *desk) Heard(fault string) { d.note(func() { d.heard = append(d.heard, fault) }) }

func (d *desk) all() []decision.Press {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.presses)
}

func (d *desk) words() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.heard)
}

// hearing is a bench that listens.
type hearing struct {
	bench
	*desk
	stop   context.CancelFunc
	listen chan error
	ended  bool
}

// quick makes pauses and deadlines short.
func quick() times {
	return times{
		step: 5 * time.Second, write: time.Second, first: 10 * time.Millisecond, most: 50 * time.Millisecond,
		steady: time.Hour, grace: 50 * time.Millisecond,
	}
}

func withReview(c *Config) {
	c.Review.Enabled, c.Review.Users = true, map[string]string{discordapi.BobID: "bob@example.com"}
}

// newHearing listens, and waits for the session.
func newHearing(t *testing.T, o discordapi.Options, change ...func(*Config)) *hearing {
	t.Helper()
	h := silentHearing(t, o, change...)
	h.start(t)
	h.connected(t, 1)
	return h
}

// silentHearing does not listen yet.
func silentHearing(t *testing.T, o discordapi.Options, change ...func(*Config)) *hearing {
	t.Helper()
	b := newBench(t, o, append([]func(*Config){withReview}, change...)...)
	b.times = quick()
	return &hearing{bench: b, desk: &desk{changed: make(chan struct{}, 1)}, listen: make(chan error, 1)}
}

func (h *hearing) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	h.stop = cancel
	go func() { h.listen <- h.Listen(ctx, h.desk) }()
	t.Cleanup(func() { h.end(t) })
}

// end stops listening, which is no failure.
func (h *hearing) end(t *testing.T) {
	t.Helper()
	if h.ended {
		return
	}
	h.stop()
	if err := h.result(t); err != nil {
		t.Error(err)
	}
}

// result waits for what Listen returns.
func (h *hearing) result(t *testing.T) error {
	t.Helper()
	select {
	case err := <-h.listen:
		h.ended = true
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("Listen goes on")
		return nil
	}
}

// until waits for something that happens at Discord.
func (h *hearing) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := h.discord.Wait(ctx, done); err != nil {
		t.Fatalf("%s: %v; heard %q, gateway %+v", what, err, h.words(), h.discord.Gateway())
	}
}

// untilHeard waits for something that the desk is told.
func (h *hearing) untilHeard(t *testing.T, what string, done func() bool) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for !done() {
		select {
		case <-h.desk.changed:
		case <-limit:
			t.Fatalf("%s: heard %q, pressed %v, gateway %+v", what, h.words(), h.all(), h.discord.Gateway())
		}
	}
}

func (h *hearing) connected(t *testing.T, n int) {
	t.Helper()
	h.until(t, "no session", func() bool { return h.discord.Gateway().Connected == n })
	h.untilHeard(t, "no word of the session", func() bool { return slices.Contains(h.words(), "") })
}

// offer posts an announcement with buttons.
func (h *hearing) offer(t *testing.T, channel string) plugindata.Message {
	t.Helper()
	return h.mustPostTo(t, channel, decidable())
}

func (b bench) mustPostTo(t *testing.T, channel string, v request.View) plugindata.Message {
	t.Helper()
	m, err := b.post(t, channel, v)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func decidable() request.View {
	v := sample()
	v.Decidable = true
	return v
}

// press has a user press a button, and waits for what comes of it.
func (h *hearing) press(t *testing.T, user string, m plugindata.Message, custom string, change ...discordapi.Change) (id string, saw []string) {
	t.Helper()
	id, err := h.discord.Press(user, m.Channel, m.ID, custom, change...)
	if err != nil {
		t.Fatal(err)
	}
	return id, h.answered(t, id)
}

func (h *hearing) answered(t *testing.T, id string) []string {
	t.Helper()
	h.until(t, "no answer", func() bool {
		i, _ := h.discord.Interaction(id)
		return i.Done
	})
	return h.discord.SawOf(id)
}

func approve() string { return approvePrefix + sample().ID }

func deny() string { return denyPrefix + sample().ID }

func TestAPressIsDecidedAndAnsweredForThePersonAlone(t *testing.T) {
	for _, c := range []struct {
		name, channel, custom string
		verdict               request.Status
	}{
		{"approve in a channel", requests, approve(), request.Approved},
		{"deny in a channel", requests, deny(), request.Denied},
		{"approve in a direct message", "", approve(), request.Approved},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHearing(t, discordapi.Options{})
			if c.channel == "" {
				c.channel = h.discord.OpenDM(discordapi.BobID)
			}
			m := h.offer(t, c.channel)
			id, saw := h.press(t, discordapi.BobID, m, c.custom)
			if !slices.Equal(saw, []string{"You approved it."}) {
				t.Errorf("saw %q", saw)
			}
			got := h.all()
			if len(got) != 1 {
				t.Fatalf("presses %v", got)
			}
			p := got[0]
			if p.ID != id || p.Request != sample().ID || p.Message != m || p.Verdict != c.verdict || p.PersonID != discordapi.BobID || p.Reason != "" {
				t.Errorf("got %+v", p)
			}
			who, err := p.Person(t.Context())
			if err != nil || who != (decision.Person{Name: "Bob"}) {
				t.Errorf("got %+v, %v", who, err)
			}
			if i, _ := h.discord.Interaction(id); i.Answer != discordapi.AnswerDeferred {
				t.Errorf("acknowledged with %d", i.Answer)
			}
			if others := h.discord.Saw(discordapi.AliceID); len(others) != 0 {
				t.Errorf("another person saw %q", others)
			}
		})
	}
}

func TestTheAnswerIsEscaped(t *testing.T) {
	h := newHearing(t, discordapi.Options{})
	hostile := "@everyone <@" + discordapi.AliceID + "> [here](https://evil.example/) **x**\n# y"
	h.decide = func(context.Context, decision.Press) decision.Answer {
		return decision.Answer{Kind: decision.Refused, Text: hostile}
	}
	_, saw := h.press(t, discordapi.BobID, h.offer(t, requests), approve())
	if want := strings.ReplaceAll(strings.ReplaceAll(hostile, "\n", " "), "@everyone", "@\u200Beveryone"); len(saw) != 1 || saw[0] != want {
		t.Errorf("saw %q, want %q", saw, want)
	}
}
