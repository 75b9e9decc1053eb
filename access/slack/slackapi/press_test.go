package slackapi_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"teleport-plugins/access/slack/slackapi"
)

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Errorf("%q: %v", text, err)
	}
	return v
}

// raw is what the client library does not decode of an event.
type raw struct {
	User    struct{ ID, Username, Name, Team_ID string }
	Team    struct{ ID, Domain string }
	Actions []map[string]any
	Message map[string]any
	Channel struct{ ID, Name string }
}

func TestWhatAPressTells(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		ts := r.offer(requests)
		p := approve(ts)
		p.Block, p.Value = "review_block", "r1"
		out, err := r.Press(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		got := decode[slack.InteractionCallback](t, string(out.Payload))
		if got.Type != slack.InteractionTypeBlockActions || got.User.ID != alice || got.Container.MessageTs != ts ||
			got.Container.ChannelID != requests || got.Container.Type != "message" || got.Container.IsEphemeral || got.APIAppID == "" ||
			got.TriggerID != out.Trigger || got.ResponseURL != out.ResponseURL || got.Message.Timestamp != ts || len(got.Message.Blocks.BlockSet) != 2 {
			t.Errorf("got %+v", got)
		}
		if got.Message.Metadata.EventPayload["id"] != "r1" {
			t.Errorf("metadata %+v", got.Message.Metadata)
		}
		more := decode[raw](t, string(out.Payload))
		a := more.Actions[0]
		if a["action_id"] != "approve_button" || a["block_id"] != "review_block" || a["value"] != "r1" || a["type"] != "button" ||
			a["action_ts"] == "" || a["style"] != "primary" || a["text"] == nil || len(more.Actions) != 1 {
			t.Errorf("action %v", a)
		}
		if more.User.Username != "alice" || more.User.Name != "alice" || more.User.Team_ID != more.Team.ID || more.Team.Domain != "sandbox" || more.Channel.Name != "access-requests" {
			t.Errorf("got %+v", more)
		}
	})
}

func TestConversationsHaveNamesInEvents(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		group := r.AddChannel(slackapi.Channel{Kind: slackapi.GroupDM, Members: []string{alice, bob}})
		for channel, want := range map[string]string{alice: "directmessage", dbTeam: "privategroup", group.ID: "mpdm-"} {
			p := approve(r.offer(channel))
			p.Channel = channel
			out, err := r.Press(t.Context(), p)
			if got := decode[raw](t, string(out.Payload)); err != nil || !strings.HasPrefix(got.Channel.Name, want) {
				t.Errorf("%s: called %q, error %v", channel, got.Channel.Name, err)
			}
		}
	})
}

func TestAButtonInAThread(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		parent := r.offer(requests)
		ts, _ := r.call("chat.postMessage", url.Values{"channel": {requests}, "thread_ts": {parent}, "text": {"x"}, "blocks": {
			`[{"type":"section","text":{"type":"mrkdwn","text":"x"},"accessory":{"type":"button","action_id":"approve_button","text":{"type":"plain_text","text":"x"}}}]`,
		}})["ts"].(string)
		out, err := r.Press(t.Context(), approve(ts))
		got := decode[slack.InteractionCallback](t, string(out.Payload))
		if err != nil || got.Container.ThreadTs != parent || decode[raw](t, string(out.Payload)).Actions[0]["block_id"] != "b0" {
			t.Errorf("got %s, %v", out.Payload, err)
		}
		if status, a := r.reply(out.ResponseURL, `{"text":"done"}`); status != 200 {
			t.Errorf("answered %d %v", status, a)
		}
		list := r.Messages(requests)
		if last := list[len(list)-1]; last.ThreadTS != parent || last.EphemeralTo != alice {
			t.Errorf("the answer is %+v", last)
		}
	})
}

func TestAButtonIsPressedWhileItIsThere(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		ts := r.offer(requests)
		press := func(change func(*slackapi.Press)) (slackapi.Outcome, error) {
			p := approve(ts)
			change(&p)
			out, err := r.Press(t.Context(), p)
			if r.Sees(p) != (err == nil) {
				t.Errorf("alice sees it: %v, error %v", r.Sees(p), err)
			}
			return out, err
		}
		gone := func(name string, change func(*slackapi.Press)) {
			t.Helper()
			if _, err := press(change); !errors.Is(err, slackapi.ErrNoButton) {
				t.Errorf("%s: %v", name, err)
			}
		}
		gone("another action", func(p *slackapi.Press) { p.Action = "dance" })
		gone("another block", func(p *slackapi.Press) { p.Block = "b1" })
		gone("another value", func(p *slackapi.Press) { p.Value = "r2" })
		gone("another message", func(p *slackapi.Press) { p.TS = "1.000000" })
		gone("no message", func(p *slackapi.Press) { p.TS = "x" })
		now := func(*slackapi.Press) {}
		if _, err := press(now); err != nil {
			t.Error(err)
		}
		for range 2 {
			r.call("chat.update", url.Values{"channel": {requests}, "ts": {ts}, "text": {"approved"}, "blocks": {"[]"}})
		}
		gone("after an edit", now)
		old := func(p *slackapi.Press) { p.Old = true }
		out, err := press(old)
		if got := decode[raw](t, string(out.Payload)); err != nil || got.Message["text"] != "a request" {
			t.Errorf("an old copy: %s, %v", out.Payload, err)
		}
		if err := r.DeleteMessage(requests, ts); err != nil {
			t.Fatal(err)
		}
		gone("after its removal", now)
		if _, err := press(old); err != nil {
			t.Errorf("an old copy of a removed message: %v", err)
		}
	})
}

func TestWhoMayPress(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		member := r.AddUser(slackapi.User{Name: "member"})
		guest := r.AddUser(slackapi.User{Name: "guest", Restricted: true})
		partner := r.AddUser(slackapi.User{Name: "partner", Team: "T0ELSEWHERE"})
		robot := r.AddUser(slackapi.User{Name: "robot", Bot: true})
		gone := r.AddUser(slackapi.User{Name: "gone", Deleted: true})
		open := r.AddChannel(slackapi.Channel{Name: "open", Members: []string{alice}})
		shared := r.AddChannel(slackapi.Channel{Name: "shared", Members: []string{guest.ID, partner.ID, robot.ID, gone.ID}})
		closed := r.AddChannel(slackapi.Channel{Name: "closed", Kind: slackapi.Private, Members: []string{alice}})
		for _, tc := range []struct {
			name, user, channel string
			want                bool
		}{
			{"a member of the workspace, in a public channel", member.ID, open.ID, true},
			{"a member of the workspace, outside a private channel", member.ID, closed.ID, false},
			{"a member of a private channel", alice, closed.ID, true},
			{"a guest outside", guest.ID, open.ID, false},
			{"a guest inside", guest.ID, shared.ID, true},
			{"a partner outside", partner.ID, open.ID, false},
			{"a partner inside", partner.ID, shared.ID, true},
			{"a bot", robot.ID, shared.ID, false},
			{"a deactivated account", gone.ID, shared.ID, false},
			{"the person of a direct message", bob, bob, true},
			{"another person", alice, bob, false},
		} {
			p := slackapi.Press{User: tc.user, Channel: tc.channel, TS: r.offer(tc.channel), Action: "approve_button"}
			if _, err := r.Press(t.Context(), p); (err == nil) != tc.want {
				t.Errorf("%s: %v", tc.name, err)
			}
			p.Anyway = true
			out, err := r.Press(t.Context(), p)
			got := decode[raw](t, string(out.Payload))
			if err != nil || got.User.ID != tc.user || got.Team.ID == "T0ELSEWHERE" || (got.User.Team_ID == "T0ELSEWHERE") != (tc.user == partner.ID) {
				t.Errorf("%s, all the same: %+v, %v", tc.name, got, err)
			}
		}
		if _, err := r.Press(t.Context(), slackapi.Press{User: "U0NOBODY", Channel: requests, Anyway: true}); err == nil {
			t.Error("nobody pressed")
		}
		info, _ := r.call("users.info", url.Values{"user": {partner.ID}})["user"].(map[string]any)
		if info["team_id"] != "T0ELSEWHERE" {
			t.Errorf("the partner is %v", info)
		}
	})
}

// On Grid the team of an event is the app's, and that of the person may be the
// organisation.
func TestAPersonOfTheWholeOrganisation(t *testing.T) {
	inRoom(t, slackapi.Options{Enterprise: "E0GRID"}, func(t *testing.T, r room) {
		person := r.AddUser(slackapi.User{Name: "erin", Email: "erin@example.com", Team: "E0GRID", Unconfirmed: true})
		open := r.AddChannel(slackapi.Channel{Name: "open", Members: []string{alice}})
		out, err := r.Press(t.Context(), slackapi.Press{User: person.ID, Channel: open.ID, TS: r.offer(open.ID), Action: "approve_button"})
		got := decode[slack.InteractionCallback](t, string(out.Payload))
		who := r.call("auth.test", url.Values{})
		if err != nil || got.Enterprise.ID != "E0GRID" || got.User.TeamID != "E0GRID" || got.Team.ID != who["team_id"] || who["enterprise_id"] != "E0GRID" {
			t.Errorf("%s, %v, %v", out.Payload, who, err)
		}
		info, _ := r.call("users.info", url.Values{"user": {person.ID}})["user"].(map[string]any)
		if info["is_email_confirmed"] != false {
			t.Errorf("the person is %v", info)
		}
	})
}

// A button in an ephemeral message is there for the person who sees that.
func TestAnEphemeralButton(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		ts, _ := r.call("chat.postEphemeral", url.Values{"channel": {requests}, "user": {alice}, "text": {"x"}, "blocks": {buttons}})["message_ts"].(string)
		p := approve(ts)
		out, err := r.Press(t.Context(), p)
		if got := decode[slack.InteractionCallback](t, string(out.Payload)); err != nil || !got.Container.IsEphemeral {
			t.Errorf("%s, %v", out.Payload, err)
		}
		if p.User = bob; r.Sees(p) {
			t.Error("bob sees it")
		}
	})
}
