package slack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/lib/conformance"
	"teleport-plugins/lib/sandbox/fault"
	"teleport-plugins/lib/sandbox/slackapi"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, Integration(), slackWith(slackapi.DefaultScopes()))
}

// An app that may not read its conversations tells one recipient after another.
func TestConformanceWithoutTheScopeToReadHistory(t *testing.T) {
	scopes := slices.DeleteFunc(slackapi.DefaultScopes(), func(s string) bool { return strings.HasSuffix(s, ":history") })
	conformance.Run(t, Integration(), slackWith(scopes), conformance.LostAnswer)
}

func slackWith(scopes []string) func(t *testing.T) conformance.FarEnd {
	return func(t *testing.T) conformance.FarEnd {
		s := slackapi.New(slackapi.Options{Scopes: scopes})
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = s.Close()
			keepsContract(t, s)
		})
		return farEnd{s}
	}
}

// farEnd shows the simulated workspace to the suite.
type farEnd struct{ s *slackapi.Server }

func (f farEnd) Config() string {
	return fmt.Sprintf("[slack]\ntoken = %q\napi_url = %q\n\n[role_to_recipients]\n\"*\" = [%q, %q]\n%q = [%q, %q]\n",
		f.s.Token(), f.s.URL(), general, other, conformance.BrokenRole, general, "no-such-channel")
}

func (f farEnd) Recipients() [2]string { return [2]string{general, other} }

func (f farEnd) Posts(request string) (posts []conformance.Post) {
	for _, ch := range f.s.Snapshot(0).Channels {
		var replies []slackapi.Message
		for _, m := range ch.Messages {
			switch {
			case m.Deleted:
			case m.ThreadTS != "":
				replies = append(replies, m)
			case strings.Contains(m.Rendered.Text, request) && strings.Contains(m.Rendered.Text, "Status"):
				posts = append(posts, conformance.Post{Place: ch.ID, ID: m.TS, Text: m.Rendered.Text, Pings: m.Rendered.Mentions})
			}
		}
		for i := range posts {
			for _, r := range replies {
				if r.ThreadTS == posts[i].ID && posts[i].Place == ch.ID {
					posts[i].Replies = append(posts[i].Replies, r.Rendered.Text)
					posts[i].Pings = slices.Concat(posts[i].Pings, r.Rendered.Mentions)
				}
			}
		}
	}
	return posts
}

func (f farEnd) Remove(p conformance.Post) bool { return f.s.DeleteMessage(p.Place, p.ID) == nil }

func (f farEnd) Methods() conformance.Methods {
	return conformance.Methods{Post: "chat.postMessage", Edit: "chat.update"}
}

func (f farEnd) Faults() *fault.Set { return f.s.Faults() }

func (f farEnd) RejectCredentials(on bool) {
	code := ""
	if on {
		code = "token_revoked"
	}
	f.s.RefuseToken(f.s.Token(), code)
}

func (f farEnd) Secret() string { return f.s.Token() }

func (f farEnd) Wait(ctx context.Context, done func() bool) error { return f.s.Wait(ctx, done) }
