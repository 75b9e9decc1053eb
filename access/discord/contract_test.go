package discord

import (
	"testing"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/access/discord/discordapi/contract"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/recipient"
)

// TestEveryCallIsAsDiscordDescribesIt makes each call that the plugin knows and
// holds it against Discord's own description.
func TestEveryCallIsAsDiscordDescribesIt(t *testing.T) {
	check := contract.ForTest(t)
	b := newBench(t, discordapi.Options{}, func(c *Config) {
		c.RoleToRecipients = recipient.Table{"*": {"Sandbox/security", discordapi.ReadOnlyChannel}}
	})
	b.tour(t)
	seen := make(map[string]bool)
	for _, r := range b.discord.Requests() {
		seen[r.Method] = true
		if err := check.CheckRequest(r); err != nil {
			t.Errorf("%v\nin %s", err, r.JSON)
		}
	}
	for _, method := range []string{createMessage, listMessages, getMessage, editMessage, startThread, getSelf, getChannel, listGuilds, listChannels, openDM} {
		if !seen[method] {
			t.Errorf("%s was not called", method)
		}
	}
}

// TestEveryAnswerToAPressIsAsDiscordDescribesIt does the same for presses.
func TestEveryAnswerToAPressIsAsDiscordDescribesIt(t *testing.T) {
	check := contract.ForTest(t)
	h := newHearing(t, discordapi.Options{}, func(c *Config) { c.Review.Reason = decision.ReasonDeny })
	m := h.offer(t, requests)
	h.press(t, discordapi.BobID, m, approve())
	id, _ := h.press(t, discordapi.BobID, m, deny())
	for _, user := range []string{discordapi.BobID, discordapi.AliceID} {
		sent, err := h.discord.Submit(user, id, "a reason")
		if err != nil {
			t.Fatal(err)
		}
		h.answered(t, sent)
	}
	seen := make(map[string]bool)
	for _, r := range h.discord.Requests() {
		seen[r.Method] = true
		if err := check.CheckRequest(r); err != nil {
			t.Errorf("%v\nin %s", err, r.JSON)
		}
	}
	for _, method := range []string{getApplication, getGateway, respond, editAnswer} {
		if !seen[method] {
			t.Errorf("%s was not called", method)
		}
	}
}
