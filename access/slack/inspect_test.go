package slack

import (
	"slices"
	"strings"
	"testing"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/sandbox/fault"
)

func TestInspectSaysWhatToMend(t *testing.T) {
	w := inWorkspace(t, func(c *Config) {
		c.RoleToRecipients = recipient.Table{
			recipient.Anyone: {general, "C0SANDBOX04", "C0ARCHIVED1", "C0NOWHERE01", "alice@example.com", "nobody@example.com"},
			"prod":           {"by-name", alice, general},
		}
	})
	w.AddChannel(slackapi.Channel{ID: "C0ARCHIVED1", Name: "old", Archived: true})
	w.SetScopes(w.Server.Token(), "channels:read", "users:read", "users:read.email")
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"the Slack app lacks the scope chat:write, without which nothing can be posted; add it under OAuth & Permissions and install the app again",
		"the channel C0ARCHIVED1 (#old) is archived; name another one",
		"the channel C0NOWHERE01 does not exist or is private; invite the app to it with /invite",
		"the app is no member of the channel C0SANDBOX04 (#general); invite it there with /invite",
		"the recipient nobody@example.com cannot be told: users.lookupByEmail: users_not_found; no active member of the workspace has this address",
	}
	if got := w.Inspect(t.Context()); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatCannotBeInspectedIsNoFault(t *testing.T) {
	w := inWorkspace(t)
	w.SetScopes(w.Server.Token(), "chat:write", "users:read.email")
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.Inspect(t.Context()); len(got) > 0 {
		t.Errorf("without the scope to look: %q", got)
	}
	w.SetScopes(w.Server.Token(), slackapi.DefaultScopes()...)
	w.fails("", fault.Fault{Effect: fault.Status})
	if got := w.Inspect(t.Context()); len(got) > 0 {
		t.Errorf("while Slack is down: %q", got)
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
