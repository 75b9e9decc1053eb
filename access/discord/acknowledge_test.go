package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

// quietAfter presses, lets everything of the press end, and returns what the person saw
// by then, whether or not it was acknowledged.
func (h *hearing) quietAfter(t *testing.T, change ...discordapi.Change) (i discordapi.Interaction) {
	t.Helper()
	m := h.offer(t, requests)
	id, err := h.discord.Press(discordapi.BobID, m.Channel, m.ID, approve(), change...)
	if err != nil {
		t.Fatal(err)
	}
	h.stillHears(t) // events come in order, so that this one is over or in work
	h.end(t)
	i, _ = h.discord.Interaction(id)
	return i
}

func TestWhatIsNoneOfOursIsLeftAlone(t *testing.T) {
	for name, change := range map[string]discordapi.Change{
		"another application":    func(e map[string]any) { e["application_id"] = "1000000000000000009" },
		"no application":         func(e map[string]any) { delete(e, "application_id") },
		"another button":         func(e map[string]any) { e["data"] = map[string]any{"custom_id": "other:1", "component_type": 2} },
		"a button without an id": func(e map[string]any) { e["data"] = map[string]any{"custom_id": "approve:", "component_type": 2} },
		"a command":              func(e map[string]any) { e["type"] = 2 },
		"a dialog of another":    func(e map[string]any) { e["type"] = 5 },
		"no data":                func(e map[string]any) { delete(e, "data") },
		"data of another shape":  func(e map[string]any) { e["data"] = []any{1} },
		"no message":             func(e map[string]any) { delete(e, "message") },
		"no channel":             func(e map[string]any) { delete(e, "channel_id") },
		"two channels":           func(e map[string]any) { e["channel_id"] = security },
		"nobody":                 func(e map[string]any) { delete(e, "member") },
		"a member of no name":    func(e map[string]any) { e["member"] = map[string]any{"user": nil} },
		"a user beside no member": func(e map[string]any) {
			e["user"] = map[string]any{"id": discordapi.BobID}
			delete(e, "member")
		},
		"a person of no id":        func(e map[string]any) { e["member"] = map[string]any{"user": map[string]any{"id": "../x"}} },
		"no token":                 func(e map[string]any) { e["token"] = "" },
		"an id that is an address": func(e map[string]any) { e["id"] = "1/../../users" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHearing(t, discordapi.Options{})
			if i := h.quietAfter(t, change); i.Attempts != 0 {
				t.Errorf("it was acknowledged: %+v", i)
			}
			if n := len(h.all()); n != 1 {
				t.Errorf("the desk was asked: %+v", h.all()[0])
			}
		})
	}
}

func TestWhatDiscordMayAddChangesNothing(t *testing.T) {
	for name, change := range map[string]discordapi.Change{
		"a component of an unknown kind": func(e map[string]any) {
			e["message"].(map[string]any)["components"] = []any{map[string]any{"type": 99, "components": "?"}}
		},
		"a button of an unknown kind": func(e map[string]any) { e["data"].(map[string]any)["component_type"] = 99 },
		"data.id as a text":           func(e map[string]any) { e["data"].(map[string]any)["id"] = "text" },
		"data.id as a large number":   func(e map[string]any) { e["data"].(map[string]any)["id"] = json.Number("1e30") },
		"no context":                  func(e map[string]any) { delete(e, "context") },
		"no guild":                    func(e map[string]any) { delete(e, "guild") },
		"no channel object":           func(e map[string]any) { delete(e, "channel") },
		"null for what is not read":   func(e map[string]any) { e["entitlements"], e["locale"] = nil, nil },
		"an owner that is a number":   func(e map[string]any) { e["authorizing_integration_owners"] = map[string]any{"0": 0} },
		"the user's own install too": func(e map[string]any) {
			e["authorizing_integration_owners"] = map[string]any{"0": discordapi.GuildID, "1": discordapi.BobID}
		},
		"a message without its channel": func(e map[string]any) { delete(e["message"].(map[string]any), "channel_id") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHearing(t, discordapi.Options{})
			if _, saw := h.press(t, discordapi.BobID, h.offer(t, requests), approve(), change); len(h.all()) != 1 || !slices.Equal(saw, []string{"You approved it."}) {
				t.Errorf("saw %q, presses %v", saw, h.all())
			}
		})
	}
}

func TestWhoDecidesNothingHearsIt(t *testing.T) {
	member := func(key string) discordapi.Change {
		return func(e map[string]any) { e["member"].(map[string]any)["user"].(map[string]any)[key] = true }
	}
	owners := func(owners any) discordapi.Change {
		return func(e map[string]any) { e["authorizing_integration_owners"] = owners }
	}
	for name, c := range map[string]struct {
		change discordapi.Change
		says   string
	}{
		"a bot":              {member("bot"), "Bots decide nothing"},
		"Discord itself":     {member("system"), "Bots decide nothing"},
		"installed by users": {owners(map[string]any{"1": discordapi.BobID}), "not added to this server"},
		"installed nowhere":  {owners(map[string]any{}), "not added to this server"},
		"owners unknown":     {owners(nil), "not added to this server"},
		"an owner of null":   {owners(map[string]any{"0": nil}), "not added to this server"},
	} {
		for _, reason := range []string{decision.ReasonOptional, decision.ReasonAlways} {
			t.Run(name+", reason "+reason, func(t *testing.T) {
				t.Parallel()
				h := newHearing(t, discordapi.Options{}, func(cfg *Config) { cfg.Review.Reason = reason })
				_, saw := h.press(t, discordapi.BobID, h.offer(t, requests), approve(), c.change)
				if len(saw) != 1 || !strings.Contains(saw[0], c.says) || len(h.all()) != 0 {
					t.Errorf("saw %q, presses %v", saw, h.all())
				}
			})
		}
	}
}

// Discord sends each press to every session of the token, and lets one answer.
func TestOfTwoReplicasOneActs(t *testing.T) {
	h := newHearing(t, discordapi.Options{})
	other := &hearing{bench: h.bench, desk: &desk{changed: make(chan struct{}, 1)}, listen: make(chan error, 1)}
	other.start(t)
	other.connected(t, 2)
	m := h.offer(t, requests)
	for n := range 10 {
		_, saw := h.press(t, discordapi.BobID, m, approve())
		if !slices.Equal(saw, []string{"You approved it."}) {
			t.Errorf("press %d: saw %q", n, saw)
		}
	}
	h.end(t)
	other.end(t)
	if n := len(h.all()) + len(other.all()); n != 10 {
		t.Errorf("%d of 10 presses reached a desk", n)
	}
	if n := h.discord.Calls(editAnswer); n != 10 {
		t.Errorf("%d answers", n)
	}
}

func TestAPressThatAnotherHasIsLeftToIt(t *testing.T) {
	for _, code := range []string{"40060", "10062"} {
		for _, reason := range []string{decision.ReasonOptional, decision.ReasonAlways} {
			t.Run(code+", reason "+reason, func(t *testing.T) {
				t.Parallel()
				h := newHearing(t, discordapi.Options{}, func(c *Config) { c.Review.Reason = reason })
				h.discord.Faults().Add(fault.Fault{Method: respond, Effect: fault.Refuse, Code: code, Times: 1})
				m := h.offer(t, requests)
				if _, err := h.discord.Press(discordapi.BobID, m.Channel, m.ID, approve()); err != nil {
					t.Fatal(err)
				}
				h.until(t, "not acknowledged", func() bool { return h.discord.Calls(respond) == 1 })
				h.end(t)
				if n := h.discord.Calls(respond) + h.discord.Calls(editAnswer); n != 1 || len(h.all()) != 0 {
					t.Errorf("%d calls, presses %v", n, h.all())
				}
			})
		}
	}
}

func TestAPressThatComesTwiceIsDecidedOnce(t *testing.T) {
	h := newHearing(t, discordapi.Options{})
	id, _ := h.press(t, discordapi.BobID, h.offer(t, requests), approve())
	h.discord.DeliverAgain(id)
	h.until(t, "not tried", func() bool { return h.discord.Calls(respond) == 2 })
	h.end(t)
	if len(h.all()) != 1 || h.discord.Calls(editAnswer) != 1 {
		t.Errorf("presses %v", h.all())
	}
}

func TestAnAcknowledgementWhoseOutcomeIsUnknownIsRepeatedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		effect fault.Effect
		times  int
		calls  int
		acts   bool
	}{
		"done, not answered": {fault.DoneNotAnswered, 1, 2, true},
		"cut":                {fault.Cut, 1, 2, true},
		"cut twice":          {fault.Cut, 2, 2, false},
		"unavailable":        {fault.Status, 1, 2, true},
		"unavailable twice":  {fault.Status, 2, 2, false},
		"too fast":           {fault.RateLimit, 1, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHearing(t, discordapi.Options{})
			h.discord.Faults().Add(fault.Fault{Method: respond, Effect: c.effect, Times: c.times, HTTPStatus: 503, RetryAfterMS: 10_000})
			m := h.offer(t, requests)
			if _, err := h.discord.Press(discordapi.BobID, m.Channel, m.ID, approve()); err != nil {
				t.Fatal(err)
			}
			h.until(t, "not tried", func() bool { return h.discord.Calls(respond) == c.calls })
			h.end(t)
			if got := len(h.all()) == 1; got != c.acts || h.discord.Calls(respond) != c.calls {
				t.Errorf("acts: %t, want %t, %d calls", got, c.acts, h.discord.Calls(respond))
			}
		})
	}
}

func TestAnAnswerIsShownDespiteFailures(t *testing.T) {
	for name, c := range map[string]struct {
		fault fault.Fault
		want  []string
		calls int
	}{
		"unavailable":  {fault.Fault{Effect: fault.Status, HTTPStatus: 503, Times: 1}, []string{"You approved it."}, 2},
		"not answered": {fault.Fault{Effect: fault.DoneNotAnswered, Times: 1}, []string{"You approved it."}, 2},
		"moderated":    {fault.Fault{Effect: fault.Refuse, Code: "200000", Content: "You approved it", Times: 9}, []string{"Your review was submitted."}, 2},
		"gone":         {fault.Fault{Effect: fault.Refuse, Code: "10015", Times: 9}, nil, 1},
		"taken away":   {fault.Fault{Effect: fault.Refuse, Code: "10008", Times: 9}, nil, 1},
		"told to wait": {fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 600, Times: 1}, []string{"You approved it."}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHearing(t, discordapi.Options{})
			c.fault.Method = editAnswer
			h.discord.Faults().Add(c.fault)
			m := h.offer(t, requests)
			id, err := h.discord.Press(discordapi.BobID, m.Channel, m.ID, approve())
			if err != nil {
				t.Fatal(err)
			}
			h.until(t, "not shown", func() bool { return h.discord.Calls(editAnswer) == c.calls })
			h.end(t)
			if saw := h.discord.SawOf(id); !slices.Equal(saw, c.want) || h.discord.Calls(editAnswer) != c.calls {
				t.Errorf("saw %q, want %q", saw, c.want)
			}
		})
	}
}

func TestEveryKindOfAnswerHasWordsOfItsOwn(t *testing.T) {
	seen := make(map[string]bool)
	for _, k := range []decision.Kind{decision.Done, decision.Refused, decision.Already, decision.TryAgain} {
		seen[plainAnswer(k)] = true
	}
	if len(seen) != 4 || !seen[plainAnswer("unheard of")] {
		t.Errorf("got %v", seen)
	}
}

func TestAnAnswerWithoutWordsIsNotEmpty(t *testing.T) {
	h := newHearing(t, discordapi.Options{})
	h.decide = func(context.Context, decision.Press) decision.Answer { return decision.Answer{Kind: decision.Already} }
	if _, saw := h.press(t, discordapi.BobID, h.offer(t, requests), approve()); !slices.Equal(saw, []string{plainAnswer(decision.Already)}) {
		t.Errorf("saw %q", saw)
	}
}

func TestWhoPressesInACrowdHearsSo(t *testing.T) {
	h := newHearing(t, discordapi.Options{})
	release := make(chan struct{})
	h.decide = func(context.Context, decision.Press) decision.Answer {
		<-release
		return decision.Answer{Kind: decision.Done, Text: "You approved it."}
	}
	m := h.offer(t, requests)
	press := func() (id string) {
		id, err := h.discord.Press(discordapi.BobID, m.Channel, m.ID, approve())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	for range maxPresses {
		press()
	}
	h.untilHeard(t, "the desk is not full", func() bool { return len(h.all()) == maxPresses })
	if saw := h.answered(t, press()); len(saw) != 1 || !strings.Contains(saw[0], "Too many decisions") {
		t.Errorf("saw %q", saw)
	}
	close(release)
}

func TestAReasonIsAskedForAndPassedOn(t *testing.T) {
	for _, c := range []struct {
		reason, custom string
		verdict        request.Status
		asked          bool
		title          string
	}{
		{decision.ReasonOptional, approve(), request.Approved, false, ""},
		{decision.ReasonOptional, deny(), request.Denied, false, ""},
		{decision.ReasonDeny, approve(), request.Approved, false, ""},
		{decision.ReasonDeny, deny(), request.Denied, true, "Deny access request"},
		{decision.ReasonAlways, approve(), request.Approved, true, "Approve access request"},
		{decision.ReasonAlways, deny(), request.Denied, true, "Deny access request"},
	} {
		t.Run(fmt.Sprintf("%s, %s", c.reason, c.verdict), func(t *testing.T) {
			t.Parallel()
			h := newHearing(t, discordapi.Options{}, func(cfg *Config) { cfg.Review.Reason = c.reason })
			m := h.offer(t, requests)
			id, _ := h.press(t, discordapi.BobID, m, c.custom)
			i, _ := h.discord.Interaction(id)
			want := ""
			if c.asked {
				if i.Modal == nil || i.Modal.Title != c.title || len(h.all()) != 0 {
					t.Fatalf("got %+v, presses %v", i, h.all())
				}
				want = "because *of* `that`"
				var err error
				if id, err = h.discord.Submit(discordapi.BobID, id, "  "+want+"\n"); err != nil {
					t.Fatal(err)
				}
				if saw := h.answered(t, id); !slices.Equal(saw, []string{"You approved it."}) {
					t.Errorf("saw %q", saw)
				}
			}
			got := h.all()
			if len(got) != 1 || got[0].ID != id || got[0].Reason != want || got[0].Verdict != c.verdict || got[0].Message != m ||
				got[0].Request != sample().ID || got[0].PersonID != discordapi.BobID {
				t.Errorf("presses %+v", got)
			}
		})
	}
}

func sampleAt(id string) plugindata.Message { return plugindata.Message{Channel: requests, ID: id} }

// opened is a dialog that bob has opened.
func opened(t *testing.T) (h *hearing, id string) {
	t.Helper()
	h = newHearing(t, discordapi.Options{}, func(c *Config) { c.Review.Reason = decision.ReasonAlways })
	id, _ = h.press(t, discordapi.BobID, h.offer(t, requests), approve())
	return h, id
}

func TestADialogBelongsToThePersonAndTheMessage(t *testing.T) {
	otherID := dialog{request.Approved, sampleAt("1"), discordapi.BobID, sample().ID}.String()
	for name, c := range map[string]struct {
		user   string
		change discordapi.Change
		says   string
	}{
		"another person":  {discordapi.AliceID, func(map[string]any) {}, "opened by another person"},
		"another message": {discordapi.BobID, func(e map[string]any) { e["message"].(map[string]any)["id"] = "77" }, "at another message"},
		"a forged id":     {discordapi.BobID, func(e map[string]any) { e["data"].(map[string]any)["custom_id"] = otherID }, "at another message"},
		"another channel": {discordapi.BobID, func(e map[string]any) {
			e["channel_id"] = security
			delete(e["message"].(map[string]any), "channel_id")
		}, "at another message"},
		"blanks for a reason": {discordapi.BobID, func(e map[string]any) {
			e["data"].(map[string]any)["components"] = []any{map[string]any{"type": 18, "component": map[string]any{"custom_id": reasonInput, "value": " \n "}}}
		}, "A reason is needed"},
		"no components": {discordapi.BobID, func(e map[string]any) { delete(e["data"].(map[string]any), "components") }, "A reason is needed"},
		"a bot": {discordapi.BobID, func(e map[string]any) {
			e["member"].(map[string]any)["user"].(map[string]any)["bot"] = true
		}, "Bots decide nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, id := opened(t)
			id, err := h.discord.Submit(c.user, id, "a reason", c.change)
			if err != nil {
				t.Fatal(err)
			}
			if saw := h.answered(t, id); len(saw) != 1 || !strings.Contains(saw[0], c.says) || len(h.all()) != 0 {
				t.Errorf("saw %q, presses %v", saw, h.all())
			}
		})
	}
}

func TestAReasonIsReadFromEveryShapeOfDialog(t *testing.T) {
	in := map[string]any{"type": 4, "id": 2, "custom_id": reasonInput, "value": "a reason"}
	deep := any(in)
	for range componentDepth + 1 {
		deep = []any{deep}
	}
	for name, c := range map[string]struct {
		components any
		want       string
	}{
		"label":              {[]any{map[string]any{"type": 18, "component": in}}, "a reason"},
		"row":                {[]any{map[string]any{"type": 1, "components": []any{in}}}, "a reason"},
		"beside the unknown": {[]any{map[string]any{"type": 99, "value": 7, "custom_id": 8}, "x", nil, map[string]any{"type": 18, "component": in}}, "a reason"},
		"of another input":   {[]any{map[string]any{"custom_id": "other", "value": "x"}}, ""},
		"too deep":           {deep, ""},
		"null":               {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(map[string]any{"data": map[string]any{"components": c.components}})
			if err != nil {
				t.Fatal(err)
			}
			var i interaction
			if err := json.Unmarshal(raw, &i); err != nil || i.reason() != c.want {
				t.Errorf("got %q, want %q: %v", i.reason(), c.want, err)
			}
		})
	}
}

// A desk that takes its time delays no other press, and no heartbeat.
func TestASlowDeskHoldsUpNothing(t *testing.T) {
	h := newHearing(t, discordapi.Options{Heartbeat: time.Second})
	release := make(chan struct{})
	h.decide = func(_ context.Context, p decision.Press) decision.Answer {
		if p.PersonID == discordapi.AliceID {
			<-release
		}
		return decision.Answer{Kind: decision.Done, Text: "You approved it."}
	}
	m := h.offer(t, requests)
	slow, err := h.discord.Press(discordapi.AliceID, m.Channel, m.ID, approve())
	if err != nil {
		t.Fatal(err)
	}
	beats := h.discord.Gateway().Heartbeats
	h.until(t, "no heartbeats", func() bool { return h.discord.Gateway().Heartbeats > beats })
	if _, saw := h.press(t, discordapi.BobID, m, approve()); !slices.Equal(saw, []string{"You approved it."}) {
		t.Errorf("saw %q", saw)
	}
	close(release)
	if saw := h.answered(t, slow); len(saw) != 1 {
		t.Errorf("saw %q", saw)
	}
}
