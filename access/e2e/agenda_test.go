package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
)

// What explain says of times is what then happens, in every service.
func TestExplainSaysWhatIsSaidWhen(t *testing.T) {
	for _, service := range harness.Services() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			saysWhatIsSaidWhen(t, service)
		})
	}
}

func saysWhatIsSaidWhen(t *testing.T, service string) {
	w := start(t, harness.Options{Service: service, Halted: true})
	place := w.Service().Places()[0]
	w.must(w.Configure(map[string][]string{"*": {place}}, harness.ShortTimes+`
[reminders]
at = ["3s", "20m"]

[escalation.lead]
after = "30m"
recipients = ["nobody in particular"]
`))
	w.annotate(w.Annotations(place))
	w.must(w.StartReplicas())
	id, err := w.Cluster.CreateRequest(cluster.CreateParams{User: cluster.Dave, Roles: []string{role}})
	w.must(err)
	req, _ := w.Cluster.Request(id)
	made := req.GetCreationTime().UTC()
	var e struct {
		Agenda []struct {
			At         time.Time
			What, Step string
			Recipients []string
			Past       bool
		}
	}
	w.must(json.Unmarshal(w.output("explain", "--json", "--request", id), &e))
	var got []string
	for _, a := range e.Agenda {
		got = append(got, a.What+" "+a.At.Sub(made).Round(time.Second).String()+" "+strings.Join(a.Recipients, ","))
	}
	want := "pending 3s ; pending 20m0s ; escalation 30m0s nobody in particular"
	if text := strings.Join(got, "; "); !strings.Contains(text, want) {
		t.Errorf("explain says %q, and not %q", text, want)
	}
	text := string(w.output("explain", "--request", id))
	if !strings.Contains(text, "later\n") || !strings.Contains(text, made.Add(20*time.Minute).Format(time.RFC3339)+" a reminder below each message") {
		t.Errorf("explain says\n%s", text)
	}
	reminded := func() (n int) {
		for _, s := range w.Sights() {
			n += s.Reminders
		}
		return n
	}
	w.until("somebody is reminded", func() bool { return reminded() > 0 })
	if late := time.Since(made); late < 2*time.Second {
		t.Errorf("reminded after %v", late)
	}
}
