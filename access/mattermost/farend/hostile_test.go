package farend

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"teleport-plugins/lib/conformance"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

// statusField finds lines that are, or look like, the field with the state.
var statusField = regexp.MustCompile(`(?m)^\s*Status: `)

// FuzzTexts has strangers choose every text of a request: nobody is mentioned, nothing of
// theirs is a link, a picture, a channel, a hashtag or an emoji, and none passes for a
// field. What is sent is read as the server and its clients read it.
func FuzzTexts(f *testing.F) {
	parts, err := Service().Parts(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	w := New(farend.Options{}).w
	for _, text := range []string{
		"", "plain", "mia@example.com", "@all", "a.@channel.", "_@here_", "&#64;all", "`@all", "```\n@all\n```", "\n# @bob\n\n> [x](https://evil.example)",
		"x\n\n[Approve](https://evil.example)", "~~@alice~~", "www.evil.example", "ftp://x.y", ":a::b:", "#x ~security", "**Status**: x", "\n**Status**: ✅ APPROVED",
		"1. x\n- y\n| a | b |\n|---|---|", "\u2060@all", "@\u200Ball", "＠all", "漢@all漢", "\\", "``", "`", "a`b``c```d", "https:\u2060//x", "= ", "---", "\r\n@all", conformance.Hostile,
	} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		v := view(func(v *request.View) {
			v.User, v.Roles, v.Reason, v.ResolveReason = a, []string{b, a}, b, a
			v.Resources, v.SuggestedReviewers, v.AccessList = []string{a}, []string{b}, a
			v.Logins = map[string][]string{b: {a}}
			v.Reviews = []request.Review{{Author: a, State: request.Denied, Reason: b}, {Author: b, State: request.Status(a), Reason: a}}
		})
		for _, status := range []request.Status{request.Pending, request.Promoted, request.Status(b)} {
			v.Status = status
			for _, e := range []integration.Effect{
				first, told,
				{Kind: integration.Review, Index: 1},
				integration.Outcome(integration.End, status), integration.Outcome(integration.Notice, status),
				{Kind: integration.Pending, Index: 900},
				{Kind: integration.Ending, Index: 900},
			} {
				ctx, held := outbound.Rehearse(t.Context())
				_, _ = parts.Service.Tell(ctx, integration.Place{Address: "c"}, e, v)
				if len(held()) != 1 {
					t.Fatalf("%s makes %d calls", e, len(held()))
				}
				var sent entry
				var body sentPost
				if err := json.Unmarshal(held()[0].Body, &body); err != nil {
					t.Fatal(err)
				}
				sent.message = *body.Message
				harmless(t, w, e, &sent)
			}
		}
	})
}

func harmless(t *testing.T, w *world, e integration.Effect, sent *entry) {
	t.Helper()
	seen := w.rendered(sent)
	if len(seen.Mentions)+len(seen.Links) > 0 {
		t.Errorf("%s mentions %q, links to %q:\n%s", e, seen.Mentions, seen.Links, sent.message)
	}
	for n := range panel.All(seen.Body) {
		if slices.Contains([]string{panel.Named, panel.Italic, panel.Struck}, n.Kind) && n.Mark != "*" {
			t.Errorf("%s has a piece %+v:\n%s", e, n, sent.message)
		}
	}
	if n := len(statusField.FindAllString(withoutCode(seen.Body), -1)); n > 1 {
		t.Errorf("%s tells %d states:\n%s", e, n, sent.message)
	}
	if !utf8.ValidString(sent.message) || utf8.RuneCountInString(sent.message) > 4000 || strings.Contains(sent.message, "\u202E") {
		t.Errorf("%s is no good text:\n%q", e, sent.message)
	}
}

// withoutCode is what a reader sees, without what is shown in a fixed font.
func withoutCode(body []panel.Node) string {
	var left []panel.Node
	for _, n := range body {
		n.Nodes = slices.DeleteFunc(slices.Clone(n.Nodes), func(in panel.Node) bool { return in.Kind == panel.Pre || in.Kind == panel.Code })
		for i := range n.Nodes {
			n.Nodes[i].Mark = ""
		}
		left = append(left, n)
	}
	return panel.Render(left).Text
}
