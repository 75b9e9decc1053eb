package webhook

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/document"
	"teleport-plugins/lib/endpoint"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/vote"
)

// A denial holds until its endpoint says something else. One that answers a later event in a
// way that is not understood has not said anything.
func TestADenialOutlastsAnAnswerThatIsNotUnderstood(t *testing.T) {
	for name, later := range map[string]string{"cut short": `{"decision":"de`, "a sentence": "internal error", "twice": `{"decision":"deny","decision":"deny"}`} {
		t.Run(name, func(t *testing.T) {
			answer := map[string]string{"yes": `{"decision":"approve"}`, "no": `{"decision":"deny"}`}
			s := &service{
				endpoints: make(map[string]*receiver), answers: newAnswers(), facts: document.NewLookup(document.Sources{}),
				decide: Policy{Enabled: true, Roles: []string{"*"}, Allow: []string{vote.Approve}}, // guard: denials stop approvals
			}
			for who := range answer {
				web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer[who]) }))
				t.Cleanup(web.Close)
				r, err := newReceiver(who, Endpoint{
					Section: endpoint.Section{URL: web.URL, Timeout: config.Duration(time.Second)}, Format: document.Teleport, Required: who == "yes",
				}, outbound.NewTransport(outbound.Options{}), zap.NewNop())
				if err != nil {
					t.Fatal(err)
				}
				s.endpoints[who] = r
			}
			v := request.View{ID: "r", Status: request.Pending, Roles: []string{"dev"}, Created: time.Unix(1_700_000_000, 0)}
			told := integration.Told{Reviews: make(map[string]int), Recipients: func(context.Context) ([]string, bool) { return []string{"yes", "no"}, true }}
			hear := func(e integration.Effect) {
				for who := range answer {
					m, err := s.Tell(t.Context(), integration.Place{Address: who}, e, v)
					if err != nil {
						t.Fatal(err)
					}
					if e.Kind == integration.Announce {
						told.Posts = append(told.Posts, plugindata.Message{Channel: m.Channel, ID: m.ID})
					} else {
						told.Reviews[who] = e.Index + 1
					}
				}
			}
			hear(integration.Effect{Kind: integration.Announce})
			if got, err := (&decider{s}).Decide(t.Context(), v, told); err != nil || got.Propose != "" {
				t.Fatalf("with a denial: %v, %v", got, err)
			}
			v.Reviews = []request.Review{{Author: "bob", State: request.Approved}}
			answer["no"] = later
			hear(integration.Effect{Kind: integration.Review})
			if got, err := (&decider{s}).Decide(t.Context(), v, told); err != nil || got.Propose != "" {
				t.Errorf("after an answer that is not understood: %v, %v", got.Propose, err)
			}
		})
	}
}
