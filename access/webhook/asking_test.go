package webhook

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/document"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/request/requesttest"
	"teleport-plugins/lib/vote"
)

// After a restart answers are asked for again, under the id that the event had.
func TestLostAnswersAreAskedForAgain(t *testing.T) {
	s, v := sit(t, enabled, map[string]string{"a": yes}, nil), requesttest.Pending()
	s.tellAll(t, announce, v)
	s.answers = newAnswers()
	if got := s.verdict(t, v); got.Propose != request.Approved {
		t.Errorf("got %+v", got)
	}
	heard := s.heard("a")
	if len(heard) != 2 || heard[0].ID != heard[1].ID || heard[0].Again || !heard[1].Again || heard[1].Type != "access_request.created" {
		t.Errorf("it heard %+v", heard)
	}
	s.set("a", "fail")
	s.answers = newAnswers()
	if got := s.verdict(t, v); got.Propose != "" || got.Again > soon || got.Again <= 0 {
		t.Errorf("got %+v", got)
	}
}

// The answer to the newest event counts: an approval of what was known before a review
// is none of what is known now.
func TestTheNewestAnswerCounts(t *testing.T) {
	s, v := sit(t, enabled, map[string]string{"a": yes}, nil), requesttest.Pending()
	s.tellAll(t, announce, v)
	v = requesttest.ReviewedBy(v, "bob")
	s.set("a", "fail")
	review := integration.Effect{Kind: integration.Review}
	s.tellAll(t, review, v)
	if got := s.verdict(t, v); got.Propose != "" || len(s.heard("a")) != 2 {
		t.Errorf("while the review cannot be delivered: %+v", got) // nor is it asked what it does not know
	}
	s.set("a", no)
	s.tellAll(t, review, v)
	s.reviews = 1
	if got := s.verdict(t, v); got.Propose != request.Denied {
		t.Errorf("got %+v", got)
	}
	s.answers = newAnswers()
	s.set("a", yes)
	if got := s.verdict(t, v); got.Propose != request.Approved {
		t.Errorf("got %+v", got)
	}
	heard := s.heard("a")
	last := heard[len(heard)-1]
	if len(heard) != 4 || last.Type != "access_request.reviewed" || last.Review == nil || last.Review.Author != "bob" || last.ID != heard[1].ID || !last.Again || heard[2].Again {
		t.Errorf("it heard %+v", heard)
	}
}

// Who wants to be asked again is, with an id that it does not know.
func TestWait(t *testing.T) {
	s, v := sit(t, enabled, map[string]string{"a": `{"decision":"none","wait":"5m"}`}, nil), requesttest.Pending()
	s.tellAll(t, announce, v)
	if got := s.verdict(t, v); got.Propose != "" || got.Again > 5*time.Minute || got.Again < 4*time.Minute || len(s.heard("a")) != 1 {
		t.Errorf("got %+v", got)
	}
	key := keyOf(v, "a")
	given, _ := s.answers.Get(key)
	given.at = given.at.Add(-5 * time.Minute)
	s.answers.Put(key, given)
	s.set("a", yes)
	if got := s.verdict(t, v); got.Propose != request.Approved {
		t.Errorf("got %+v", got)
	}
	if heard := s.heard("a"); len(heard) != 2 || heard[0].ID == heard[1].ID || !heard[1].Again {
		t.Errorf("it heard %+v", heard)
	}
}

// An approval of a document that lacks what could not be looked up just then does not
// count; what may not be read is known to be missing.
func TestAnApprovalOfHalfADocumentDoesNotCount(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want request.Status
	}{"for now": {errors.New("connection refused"), ""}, "not allowed": {errDenied, request.Approved}} {
		t.Run(name, func(t *testing.T) {
			fault := tc.err
			s := sit(t, enabled, map[string]string{"a": yes}, func(d *plugin.Deps) {
				d.Traits = func(context.Context, string) (map[string][]string, error) { return nil, fault }
			})
			v := requesttest.Pending()
			s.tellAll(t, announce, v)
			got := s.verdict(t, v)
			if got.Propose != tc.want || tc.want == "" && (got.Again <= 0 || got.Again > soon) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// One endpoint that hangs is not asked about more and more requests at once.
func TestAnEndpointIsAskedAboutFewRequestsAtOnce(t *testing.T) {
	s := sit(t, enabled, map[string]string{"a": yes}, nil)
	if !s.endpoints["a"].asked.TryAcquire(atOnce) {
		t.Fatal("there is no room")
	}
	if got := s.verdict(t, requesttest.Pending()); got.Propose != "" || got.Again > soon || len(s.heard("a")) > 0 {
		t.Errorf("got %+v", got)
	}
	s.endpoints["a"].asked.Release(1)
	if got := s.verdict(t, requesttest.Pending()); got.Propose != request.Approved {
		t.Errorf("got %+v", got)
	}
}

func TestRefusedByTheCluster(t *testing.T) {
	s, v := sit(t, enabled, map[string]string{"a": yes, "b": ""}, nil), requesttest.Pending()
	s.tellAll(t, announce, v)
	posts := []plugindata.Message{{Channel: "a"}, {Channel: "b"}, {Channel: "gone"}}
	for range 2 {
		s.decider.Refused(t.Context(), v, posts, integration.Verdict{Propose: request.Approved}, errors.New("access denied"))
	}
	heard := s.heard("a")
	if len(heard) != 3 || heard[1].Type != "access_request.decision_refused" || *heard[1].Refused != (document.Refusal{Decision: vote.Approve, Reason: "on call", Cause: "access denied"}) || heard[1].ID != heard[2].ID {
		t.Errorf("it heard %+v", heard)
	}
	if len(s.heard("b")) != 1 {
		t.Error("who decided nothing hears of it")
	}
}

func TestEachDecisionIsALine(t *testing.T) {
	s, v := sit(t, enabled, map[string]string{"a": no, "b": "{"}, nil), requesttest.Pending()
	s.tellAll(t, announce, v)
	lines := s.logs.FilterMessage("An endpoint has decided about an access request").FilterField(zap.String("request_id", v.ID)).All()
	if len(lines) != 1 {
		t.Fatalf("logged %v", s.logs.All())
	}
	fields := lines[0].ContextMap()
	if fields["endpoint"] != "a" || fields["decision"] != "deny" || fields["reason"] != "frozen" || len(fmt.Sprint(fields["document_sha256"])) != 64 || fields["took"] == nil {
		t.Errorf("logged %v", fields)
	}
	if s.logs.FilterMessage("The answer of an endpoint decides nothing, since it is not understood").Len() != 1 {
		t.Error("nothing is said of an answer that is not understood")
	}
}

// An answer to what was known before counts no more once another replica has told the
// endpoint of a review.
func TestAnOldAnswerDoesNotCount(t *testing.T) {
	s, v := sit(t, enabled, map[string]string{"a": yes}, nil), requesttest.Pending()
	s.tellAll(t, announce, v)
	s.set("a", no)
	s.reviews = 1
	if got := s.verdict(t, requesttest.ReviewedBy(v, "bob")); got.Propose != request.Denied {
		t.Errorf("got %+v", got)
	}
}
