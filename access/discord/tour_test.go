package discord

import (
	"slices"
	"strings"
	"testing"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/request"
)

// TestEveryMessageIsQuietAndNamed holds what the description does not say.
func TestEveryMessageIsQuietAndNamed(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.tour(t)
	for _, r := range b.discord.Requests() {
		if (r.Method == createMessage || r.Method == editMessage) && !strings.Contains(string(r.JSON), `"allowed_mentions":{"parse":[],"replied_user":false}`) {
			t.Errorf("%s may ping: %s", r.Method, r.JSON)
		}
		if r.Method == createMessage && (!strings.Contains(string(r.JSON), `"nonce":"`) || !strings.Contains(string(r.JSON), `"enforce_nonce":true`)) {
			t.Errorf("%s can be doubled: %s", r.Method, r.JSON)
		}
		if agent := r.Header.Get("User-Agent"); !strings.HasPrefix(agent, "DiscordBot (") {
			t.Errorf("user agent %q", agent)
		}
	}
}

// tour makes every call.
func (b bench) tour(t *testing.T) {
	t.Helper()
	fail := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	fail(b.Check(ctx))
	b.inspected(t, requests, "user:"+discordapi.AliceID, "Sandbox/security", discordapi.ReadOnlyChannel)
	dm, err := b.Resolve(ctx, "user:"+discordapi.AliceID)
	fail(err)
	views := []request.View{sample(), reviewed(sample(), fixedReviews(30)...)}
	for _, s := range hostileTexts() {
		views = append(views, hostile(s))
	}
	for _, v := range views {
		for _, channel := range []string{requests, dm} {
			m, err := b.post(t, channel, v)
			fail(err)
			to := integration.Place{Address: channel, Message: m}
			effects := []integration.Effect{announce, again}
			for i := range v.Reviews[:min(len(v.Reviews), 2)] {
				effects = append(effects, review(i))
			}
			v.Status = request.Denied
			effects = append(effects, integration.Outcome(integration.End, v.Status), integration.Outcome(integration.Notice, v.Status),
				integration.Effect{Kind: integration.Pending, Index: 900}, integration.Effect{Kind: integration.Ending, Index: 900})
			for _, e := range effects {
				_, err = b.Tell(ctx, to, e, v)
				fail(err)
				_, err = b.Find(ctx, to, e, v)
				fail(err)
			}
			fail(b.Show(ctx, m, v))
			v.Reviews = slices.Repeat([]request.Review{{}}, len(v.Reviews))
			fail(b.Show(ctx, m, v))
		}
	}
}
