package farend_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// binary is the path of the plugin, without which there is nothing to test.
func binary(t *testing.T) string {
	t.Helper()
	path, err := harness.Binary("slack")
	if errors.Is(err, harness.ErrNotBuilt) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// halted is a world whose replicas are still to be started.
func halted(t *testing.T, o harness.Options) (w *harness.World, must func(error)) {
	t.Helper()
	binary(t)
	o.Service, o.Halted = "slack", true
	w, err := harness.Start(o)
	must = func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	t.Cleanup(func() { _ = w.Close() })
	return w, must
}

// A record in the oldest form of Teleport's own plugin names one message. That
// one is edited, and nobody is told again.
func TestOldestRecordOfTeleportsOwnPlugin(t *testing.T) {
	w, must := halted(t, harness.Options{})
	id, err := w.Cluster.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"editor"}})
	must(err)
	record, err := w.Adopt(id, "access-requests", 1)
	must(err)
	channel, ts, _ := strings.Cut(record["messages"], "/")
	must(w.Cluster.SetPluginData(id, "slack", map[string]string{"channel_id": channel, "timestamp": ts, "user": cluster.Alice, "roles": "editor"}))
	must(w.StartReplicas())
	must(w.Cluster.Decide(id, 2, "fine"))
	expected := harness.Expected{ID: id, Recipients: []string{"access-requests"}, Status: "APPROVED"}
	if v := w.Outcome(t.Context(), expected); !v.Good() {
		t.Error(v)
	}
	for _, seen := range w.Service().Panel(0).Sights() {
		if seen.ID == ts && !seen.Edited {
			t.Error("the old message was not edited")
		}
	}
}

// theirButtons is what Teleport's own plugin posts below a request, and what it hears.
func theirButtons(id string) *slack.ActionBlock {
	button := func(action, text string, style slack.Style) *slack.ButtonBlockElement {
		return slack.NewButtonBlockElement(action, id, slack.NewTextBlockObject(slack.PlainTextType, text, false, false)).WithStyle(style)
	}
	return slack.NewActionBlock("review_block",
		button("approve_button", "Approve", slack.StylePrimary), button("deny_button", "Deny", slack.StyleDanger))
}

// Messages of Teleport's own plugin that have buttons stay usable after the change to
// this one, and those of this one have what it looks for after the change back.
func TestButtonsOutliveTheChangeOfPlugins(t *testing.T) {
	w, must := halted(t, harness.Options{Review: map[string]any{}})
	far := w.Service().(farend.Presser)
	request := func() string {
		id, err := w.Cluster.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"editor"}})
		must(err)
		return id
	}
	theirs := request()
	api := slack.New(w.Service().Token(), slack.OptionAPIURL(w.Service().URL()))
	heading := slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, "You have a new Role Request: <https://example.com|"+theirs+">", false, false), nil, nil)
	channel, ts, err := api.PostMessageContext(t.Context(), "access-requests", slack.MsgOptionBlocks(heading, theirButtons(theirs)))
	must(err)
	must(w.Cluster.SetPluginData(theirs, "slack", map[string]string{"user": cluster.Alice, "roles": "editor", "messages": channel + "/" + ts}))
	must(w.StartReplicas())
	ours := request()
	must(w.Settled(t.Context(), ours))

	history, err := api.GetConversationHistoryContext(t.Context(), &slack.GetConversationHistoryParameters{ChannelID: channel})
	must(err)
	found := false
	for _, m := range history.Messages {
		for _, b := range m.Blocks.BlockSet {
			if a, ok := b.(*slack.ActionBlock); ok && a.BlockID == "review_block" && named(a, ours) {
				found = m.Timestamp != ts
			}
		}
	}
	if record := w.Cluster.PluginData(ours, "slack"); !found || !strings.HasPrefix(record["messages"], channel+"/") {
		t.Errorf("no message of this plugin has the buttons of the other; the record is %v", record)
	}
	for _, id := range []string{theirs, ours} {
		saw, err := far.Press(t.Context(), cluster.Bob, id, "approve", "")
		req, ok := w.Cluster.Request(id)
		if err != nil || !ok || len(req.GetReviews()) != 1 || req.GetReviews()[0].Author != cluster.Bob {
			t.Errorf("a press on %s shows %q, %v, and the request has the reviews %v", id, saw, err, req.GetReviews())
		}
	}
}

// Somebody with two dialogs open fills in each for its own press, and hears of each
// what came of it.
func TestTwoDialogsOfOnePerson(t *testing.T) {
	w, must := halted(t, harness.Options{Review: map[string]any{"reason": "deny"}})
	far := w.Service().(farend.PressFaults)
	w.Cluster.AddRole("editor", cluster.RoleSpec{Approve: 2, Deny: 2})
	must(w.StartReplicas())
	var ids [2]string
	for i := range ids {
		id, err := w.Cluster.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"editor"}})
		must(err)
		must(w.Settled(t.Context(), id))
		ids[i] = id
	}
	w.Service().SetLatency(50 * time.Millisecond) // both dialogs are on their way before either is there
	var heard [2][]string
	var presses sync.WaitGroup
	for i, id := range ids {
		presses.Go(func() {
			h, err := far.Try(t.Context(), farend.Press{Person: cluster.Bob, Request: id, Verdict: "deny", Reason: "no"})
			if err != nil {
				t.Error(err)
			}
			heard[i] = h.Saw
		})
	}
	presses.Wait()
	for _, saw := range heard {
		if said := strings.Join(saw, " "); !strings.HasPrefix(said, "You denied") {
			t.Errorf("of one of two presses the person heard %q", said)
		}
	}
}

// named reports whether the two buttons of a block are there and name a request.
func named(a *slack.ActionBlock, request string) bool {
	var ids []string
	for _, e := range a.Elements.ElementSet {
		if b, ok := e.(*slack.ButtonBlockElement); ok && b.Value == request {
			ids = append(ids, b.ActionID)
		}
	}
	return slices.Equal(ids, []string{"approve_button", "deny_button"})
}

// Whether Slack's calls arrive, check cannot see.
func TestCheckDoesNotPromiseThatCallsArrive(t *testing.T) {
	w, _ := halted(t, harness.Options{Review: map[string]any{}, FarEnd: farend.Options{Hook: true}})
	out, err := exec.CommandContext(t.Context(), binary(t), "check", "-c", w.ConfigPath).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "note  buttons: no call that Slack has signed has come to review.listen yet") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// A config is told all of its faults at once, by file and line, and never what
// is secret in it.
func TestWrongConfig(t *testing.T) {
	const secret = "xapp-1-A111-222-secret"
	lines := []struct{ text, fault string }{
		{`[teleport]`, ""},
		{`refresh_identity = true`, "refresh_identity"},
		{`[slack]`, ""},
		{`token = "` + secret + `"`, "token"},
		{`api_url = "nowhere"`, "api_url"},
		{`[role_to_recipients]`, `"*"`},
		{`editor = "access-requests"`, ""},
		{`[log]`, ""},
		{`severity = "loud"`, "severity"},
		{`[delivery]`, ""},
		{`call_timeout = "1us"`, "call_timeout"},
	}
	path := filepath.Join(t.TempDir(), "wrong.toml")
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.text + "\n")
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary(t), "start", "-c", path)
	cmd.Stdout, cmd.Stderr = &stdout, &errs
	_ = cmd.Run() // its exit code tells
	stderr, code := errs.String(), cmd.ProcessState.ExitCode()
	if code != 1 || stdout.Len() > 0 {
		t.Errorf("exit code %d, output %q", code, stdout.String())
	}
	for i, l := range lines {
		told := regexp.MustCompile(fmt.Sprintf(`(?m)^ERROR .*%s:%d: .*%s`, regexp.QuoteMeta(path), i+1, regexp.QuoteMeta(l.fault)))
		if l.fault != "" && !told.MatchString(stderr) {
			t.Errorf("nothing is said of line %d, %s", i+1, l.text)
		}
	}
	for _, bad := range []string{secret, "goroutine ", "panic", ".go:0"} {
		if strings.Contains(stderr, bad) {
			t.Errorf("the errors hold %q", bad)
		}
	}
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "ERROR ") && !strings.HasPrefix(line, "WARN ") {
			t.Errorf("a line is no log line: %q", line)
		}
	}
	if t.Failed() {
		t.Log(stderr)
	}
}
