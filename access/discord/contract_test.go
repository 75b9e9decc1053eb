//go:build contract

package discord

import (
	"testing"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/access/discord/discordapi/contract"
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
