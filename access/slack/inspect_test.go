package slack

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/check"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/sandbox/fault"
)

// inspected are the lines of the command check about the service, but for those that
// say that all is well.
func (w *workspace) inspected() (lines []string) {
	run := &check.Run{Limit: time.Minute, Tell: func(l check.Line) {
		if l.Result != check.OK {
			lines = append(lines, l.String())
		}
	}}
	legs := w.Probes()
	for _, name := range w.configured {
		legs = append(legs, check.Leg{What: name, Try: func(ctx context.Context) error { return w.Prove(ctx, name) }})
	}
	run.Do(w.t.Context(), legs...)
	return lines
}

func TestCheckSaysWhatToCorrect(t *testing.T) {
	w := inWorkspace(t, func(c *Config) {
		c.RoleToRecipients = recipient.Table{
			recipient.Anyone: {general, "C0SANDBOX04", "C0ARCHIVED1", "C0NOWHERE01", "alice@example.com", "nobody@example.com", "U0NOBODY001"},
			"prod":           {"by-name", alice, general},
		}
	})
	w.AddChannel(slackapi.Channel{ID: "C0ARCHIVED1", Name: "old", Archived: true})
	w.SetScopes(w.Server.Token(), "channels:read", "groups:read", "users:read", "users:read.email")
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"FAIL  scopes of the Slack app: chat:write is missing, without which nothing can be posted; add it under OAuth & Permissions and install the app again",
		"FAIL  C0ARCHIVED1: the channel #old is archived; name another one",
		"FAIL  C0NOWHERE01: there is no such channel, or it is private; invite the app to it with /invite",
		"FAIL  C0SANDBOX04: the app is no member of the channel #general; invite it there with /invite",
		"FAIL  U0NOBODY001: users.info: user_not_found; no active member of the workspace has this address",
		"FAIL  by-name: there is no such channel, it is archived, or it is private; invite the app to it with /invite",
		"FAIL  nobody@example.com: users.lookupByEmail: users_not_found; no active member of the workspace has this address",
	}
	if got := w.inspected(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A bot has no conversations with apps, and what cannot be looked at is said to be so.
func TestCheckOfPeopleWhoAreNone(t *testing.T) {
	w := inWorkspace(t, func(c *Config) {
		c.RoleToRecipients = recipient.Table{recipient.Anyone: {"D0SANDBOX01", "U0BOT000009", "bot@example.com"}}
	})
	w.AddUser(slackapi.User{ID: "U0BOT000009", Name: "robot", Email: "bot@example.com", Bot: true})
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"note  D0SANDBOX01: a conversation with one person cannot be looked at; check --send proves it by a test message",
		"FAIL  U0BOT000009: the user is a bot, to whom apps cannot write; name another one",
		"FAIL  bot@example.com: the user is a bot, to whom apps cannot write; name another one",
	}
	if got := w.inspected(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A public channel takes messages of an app that is no member, with a scope for that.
func TestAnAppMayPostWhereItIsNoMember(t *testing.T) {
	w := inWorkspace(t, func(c *Config) { c.RoleToRecipients = recipient.Table{recipient.Anyone: {"C0SANDBOX04"}} })
	w.SetScopes(w.Server.Token(), append(slackapi.DefaultScopes(), "chat:write.public")...)
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.inspected(); len(got) > 0 {
		t.Errorf("got %q", got)
	}
	if _, err := announceAt(t.Context(), w.service, "C0SANDBOX04", sample()); err != nil {
		t.Error(err)
	}
}

// What the app may not look at is said, and no fault.
func TestWhatCannotBeLookedAtIsNoted(t *testing.T) {
	w := inWorkspace(t, func(c *Config) {
		c.RoleToRecipients = recipient.Table{recipient.Anyone: {general, "no-such-channel", alice}}
	})
	w.SetScopes(w.Server.Token(), "chat:write")
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := w.inspected()
	if len(got) != 4 {
		t.Errorf("got %q", got)
	}
	for i, line := range got {
		if want := []string{"users:read.email is missing", "check --send proves it", "check --send proves it", "check --send proves it"}[i]; !strings.HasPrefix(line, "note") || !strings.Contains(line, want) {
			t.Errorf("got %q", line)
		}
	}
}

func TestAFailureThatPassesIsSorted(t *testing.T) {
	w := inWorkspace(t)
	w.fails("", fault.Fault{Effect: fault.Status})
	if err := w.Prove(t.Context(), general); outbound.KindOf(err) == outbound.Refused || err == nil {
		t.Errorf("while Slack is down: %v", err)
	}
}

func TestIDsAreToldFromNames(t *testing.T) {
	for s, want := range map[string]bool{
		general: true, alice: true, "C024BE91L": true, "W0123456789": true, "D0123456789": true, "G0123456789": true,
		"": false, "C1": false, "general": false, "#general": false, "CHANNEL-ONE": false, "Canteen99": false, "T0123456789": false,
	} {
		if got := isID(s); got != want {
			t.Errorf("isID(%q) = %v", s, got)
		}
	}
}
