package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/lib/conformance"
	"teleport-plugins/lib/sandbox/discordapi"
	"teleport-plugins/lib/sandbox/fault"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, Integration(), func(t *testing.T) conformance.FarEnd {
		s := discordapi.New(discordapi.Options{})
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return farEnd{s}
	})
}

// farEnd shows the simulated Discord to the suite.
type farEnd struct{ s *discordapi.Server }

func (f farEnd) Config() string {
	return fmt.Sprintf("[discord]\ntoken = %q\napi_url = %q\n\n[role_to_recipients]\n\"*\" = [%q, %q]\n%q = [%q, %q]\n",
		f.s.Token(), f.s.URL(), requests, security, conformance.BrokenRole, requests, "404")
}

func (f farEnd) Recipients() [2]string { return [2]string{requests, security} }

func (f farEnd) Posts(request string) (posts []conformance.Post) {
	for _, ch := range f.s.Snapshot(0).Channels {
		for _, m := range ch.Messages {
			if m.Deleted || ch.ParentID != "" || !strings.Contains(m.Content, request) || !strings.Contains(m.Content, "Status") {
				continue
			}
			p := conformance.Post{Place: ch.ID, ID: m.ID, Text: withoutReviews(m), Pings: m.Mentions}
			for _, r := range f.s.Messages(m.ID) {
				p.Replies = append(p.Replies, r.Rendered.Text)
				p.Pings = slices.Concat(p.Pings, r.Mentions)
			}
			posts = append(posts, p)
		}
	}
	return posts
}

// withoutReviews is the text of a post and its card. As in Teleport's own plugin
// the post shows the present reviews too, which is no second telling: the suite
// counts those in the thread.
func withoutReviews(m discordapi.Message) string {
	var all []json.RawMessage
	if json.Unmarshal(m.Embeds, &all) != nil || len(all) < 2 {
		return m.Rendered.Text
	}
	card, _ := json.Marshal(all[:1])
	return discordapi.Render(m.Content, card, m.Components).Text
}

func (f farEnd) Remove(p conformance.Post) bool { return f.s.DeleteMessage(p.Place, p.ID) == nil }

func (f farEnd) Methods() conformance.Methods {
	return conformance.Methods{Post: createMessage, Edit: editMessage}
}

func (f farEnd) Faults() *fault.Set { return f.s.Faults() }

func (f farEnd) RejectCredentials(on bool) {
	token := discordapi.DefaultToken
	if on {
		token = "another"
	}
	f.s.SetToken(token)
}

func (f farEnd) Secret() string { return discordapi.DefaultToken }

func (f farEnd) Wait(ctx context.Context, done func() bool) error { return f.s.Wait(ctx, done) }
