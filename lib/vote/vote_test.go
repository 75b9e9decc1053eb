package vote_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/vote"
)

func says(voter, decision string) vote.Vote {
	return vote.Vote{Voter: voter, Required: !strings.HasSuffix(voter, "?"), Decision: decision, Reason: "by " + decision, Evidence: "seen"}
}

func TestSettle(t *testing.T) {
	both := []string{vote.Approve, vote.Deny}
	yes, no, none, spareYes, spareNo := says("a", vote.Approve), says("b", vote.Deny), says("c", vote.None), says("d?", vote.Approve), says("e?", vote.Deny)
	soon, later, past, other := none, none, none, yes
	soon.Again, later.Again, past.Again = time.Minute, time.Hour, -time.Minute
	other.Voter, other.Reason = "0", "also"
	for name, tc := range map[string]struct {
		votes []vote.Vote
		allow []string
		want  integration.Verdict
	}{
		"nobody":              {nil, both, integration.Verdict{Again: vote.Late}},
		"approval":            {[]vote.Vote{yes}, both, integration.Verdict{Propose: request.Approved, Reason: "by approve", Evidence: "a: approve, seen"}},
		"denial":              {[]vote.Vote{no}, both, integration.Verdict{Propose: request.Denied, Reason: "by deny", Evidence: "b: deny, seen"}},
		"any denial wins":     {[]vote.Vote{yes, no, none}, both, integration.Verdict{Propose: request.Denied, Reason: "by deny", Evidence: "b: deny, seen"}},
		"a spare denial wins": {[]vote.Vote{yes, spareNo}, both, integration.Verdict{Propose: request.Denied, Reason: "by deny", Evidence: "e?: deny, seen"}},
		"two approvals":       {[]vote.Vote{yes, other}, both, integration.Verdict{Propose: request.Approved, Reason: "also; by approve", Evidence: "0: approve, seen; a: approve, seen"}},
		"one is missing":      {[]vote.Vote{yes, none}, both, integration.Verdict{Again: vote.Late}},
		"the first is due":    {[]vote.Vote{yes, later, soon}, both, integration.Verdict{Again: time.Minute}},
		"the time is past":    {[]vote.Vote{past}, both, integration.Verdict{Again: time.Second}},
		"spare ones alone":    {[]vote.Vote{spareYes}, both, integration.Verdict{Again: vote.Late}},
		"a spare approval":    {[]vote.Vote{yes, spareYes}, both, integration.Verdict{Propose: request.Approved, Reason: "by approve", Evidence: "a: approve, seen"}},
		"denials alone":       {[]vote.Vote{yes}, []string{vote.Deny}, integration.Verdict{Again: vote.Late}},
		"approvals alone":     {[]vote.Vote{yes, no}, []string{vote.Approve}, integration.Verdict{Again: vote.Late}},
		"a denial, with time": {[]vote.Vote{no, soon}, []string{vote.Approve}, integration.Verdict{Again: vote.Late}},
	} {
		t.Run(name, func(t *testing.T) {
			slices.Reverse(tc.votes)
			if got := vote.Settle(tc.votes, tc.allow); got != tc.want {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

// anyVotes makes votes at random.
func anyVotes(rng *rand.Rand, n int) (votes []vote.Vote) {
	for i := range n {
		votes = append(votes, vote.Vote{
			Voter: fmt.Sprintf("e%d", i), Required: rng.IntN(3) > 0, Again: time.Minute,
			Decision: []string{vote.Approve, vote.Approve, vote.Deny, vote.None}[rng.IntN(4)],
		})
	}
	return votes
}

// A further voter, or one answer less, never makes an approval of what is none; and what
// allows less never decides more.
func TestMoreVotersNeverApproveMore(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable
	for range 100_000 {
		votes := anyVotes(rng, 1+rng.IntN(5))
		allow := [][]string{{vote.Approve, vote.Deny}, {vote.Approve}, {vote.Deny}, nil}[rng.IntN(4)]
		got := vote.Settle(votes, allow)
		required := false
		for _, v := range votes {
			required = required || v.Required
			if got.Propose == request.Approved && (v.Decision == vote.Deny || v.Required && v.Decision != vote.Approve) {
				t.Fatalf("%+v approve", votes)
			}
		}
		if !slices.Contains(allow, map[request.Status]string{request.Approved: vote.Approve, request.Denied: vote.Deny}[got.Propose]) && got.Propose != "" {
			t.Fatalf("%q decide %s", allow, got.Propose)
		}
		further := anyVotes(rng, 1)[0]
		further.Voter = "further"
		votes = append(votes, further)
		if after := vote.Settle(votes, allow); required && after.Propose == request.Approved && got.Propose != request.Approved {
			t.Fatalf("one more approves: %+v", votes)
		}
		allow = slices.DeleteFunc(slices.Clone(allow), func(what string) bool { return what == vote.Approve })
		after := vote.Settle(votes, allow)
		if after.Propose == request.Approved {
			t.Fatal("it approves though it may not")
		}
		if after.Propose == "" && after.Again <= 0 {
			t.Fatalf("it has finished: %+v", votes)
		}
	}
}

// The reasons of many are together no longer than the cluster takes.
func TestReasonsAreCut(t *testing.T) {
	var votes []vote.Vote
	for i := range 20 {
		v := says(fmt.Sprint(i), vote.Deny)
		v.Reason = strings.Repeat(string(rune('a'+i)), 500) + "\x1b\u202e"
		votes = append(votes, v)
	}
	got := vote.Settle(votes, []string{vote.Deny}).Reason
	if n := utf8.RuneCountInString(got); n != 1000 || !strings.HasSuffix(got, " (truncated)") || strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("%d characters: %q", n, got)
	}
}
