package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/sandbox/cluster"
)

// postByHand posts as the bot with another program, and returns where the
// message is.
func (w *world) postByHand(text string) (channel, ts string) {
	w.Helper()
	form := url.Values{"token": {w.Slack.Token()}, "channel": {channelID(w)}, "text": {text}}
	resp, err := http.PostForm(w.Slack.URL()+"chat.postMessage", form)
	w.must(err)
	defer resp.Body.Close() //nolint:errcheck // it was read
	var answer struct{ Channel, TS, Error string }
	w.must(json.NewDecoder(resp.Body).Decode(&answer))
	if answer.TS == "" {
		w.Fatalf("Slack refused the message: %s", answer.Error)
	}
	return answer.Channel, answer.TS
}

func channelID(w *world) string {
	ch, _ := w.Slack.Channel(channel)
	return ch.ID
}

// A record that Teleport's own plugin has written is continued: its message is
// kept true, and nobody is told again.
func TestRecordOfTeleportsOwnPlugin(t *testing.T) {
	for name, record := range map[string]func(channel, ts string) map[string]string{
		"as it is written today": func(channel, ts string) map[string]string {
			return map[string]string{"messages": channel + "/" + ts}
		},
		"as the oldest wrote it": func(channel, ts string) map[string]string {
			return map[string]string{"channel_id": channel, "timestamp": ts}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, harness.Options{Halted: true})
			id := w.request()
			place, ts := w.postByHand("You have a new Role Request:\n*ID*: " + id + "\n*Status*: ⏳ PENDING")
			data := record(place, ts)
			data["user"], data["roles"], data["request_reason"] = cluster.Alice, role, "INC-204"
			w.must(w.Cluster.SetPluginData(id, "slack", data))
			w.must(w.StartReplicas())
			expected := harness.Expected{ID: id, Recipients: []string{channel}}
			w.shows(expected)

			w.review(id, cluster.Bob, approve)
			w.review(id, cluster.Carol, approve)
			expected.Reviews, expected.Status = 2, message.Approved
			w.shows(expected)
			if m, _ := w.Slack.Message(place, ts); m.Edits == 0 {
				t.Error("the old message was not edited")
			}
			if got := w.Cluster.PluginData(id, "slack"); got["resolution"] != "APPROVED" || got["reviews_count"] != "2" {
				t.Errorf("Teleport's own plugin would read %q", got)
			}
		})
	}
}
