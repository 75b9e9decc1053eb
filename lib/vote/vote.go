// Package vote makes one verdict of what several say of an access request.
package vote

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// The decisions.
const (
	Approve = "approve"
	Deny    = "deny"
	None    = "none"
)

// Late is when those who have left a request to people are asked once more.
const Late = 12 * time.Hour

// maxReason bounds the reason of a review, in characters; the cluster takes no more than
// 4096 bytes.
const maxReason = 1000

// Vote is what one voter says of a request.
type Vote struct {
	Voter string
	// Required says that nothing is approved without this voter.
	Required bool
	// Decision is Approve, Deny or, as long as nothing was said that counts, None.
	Decision, Reason string
	// Evidence says what the decision rests on.
	Evidence string
	// Again is when a voter without a decision is to be asked again; zero stands for Late.
	Again time.Duration
}

// Denied reports whether anybody denies the request.
func Denied(votes []Vote) bool {
	return slices.ContainsFunc(votes, func(v Vote) bool { return v.Decision == Deny })
}

// Settle decides by the votes of all, as far as the decisions are allowed. Any denial
// wins, be it allowed or not. An approval takes everybody who is required, and at least
// one; what others approve counts for nothing, so that a further voter never makes an
// approval of what would be none.
func Settle(votes []Vote, allow []string) integration.Verdict {
	missing, again := false, Late
	for _, v := range votes {
		missing = missing || v.Required && v.Decision != Approve
		if v.Decision == None {
			again = min(again, cmp.Or(v.Again, Late))
		}
	}
	approvals := of(votes, func(v Vote) bool { return v.Decision == Approve && v.Required })
	switch denials := of(votes, func(v Vote) bool { return v.Decision == Deny }); {
	case len(denials) > 0 && slices.Contains(allow, Deny):
		return verdict(request.Denied, denials)
	case len(denials) > 0:
		return integration.Verdict{Again: Late}
	case len(approvals) > 0 && !missing && slices.Contains(allow, Approve):
		return verdict(request.Approved, approvals)
	}
	return integration.Verdict{Again: max(again, time.Second)}
}

// of are some of the votes, in the order of the voters' names.
func of(votes []Vote, some func(Vote) bool) []Vote {
	list := slices.DeleteFunc(slices.Clone(votes), func(v Vote) bool { return !some(v) })
	slices.SortFunc(list, func(a, b Vote) int { return cmp.Compare(a.Voter, b.Voter) })
	return list
}

// verdict is the one that votes agree on. Its reason does not depend on their order.
func verdict(state request.Status, votes []Vote) integration.Verdict {
	var reasons, evidence []string
	for _, v := range votes {
		if v.Reason != "" {
			reasons = append(reasons, v.Reason)
		}
		evidence = append(evidence, v.Voter+": "+v.Decision+", "+v.Evidence)
	}
	slices.Sort(reasons)
	return integration.Verdict{
		Propose: state, Reason: Reason(strings.Join(slices.Compact(reasons), "; ")), Evidence: strings.Join(evidence, "; "),
	}
}

// Reason is a reason as the cluster takes it, without what cannot be seen.
func Reason(text string) string {
	return message.Cut(message.Text(text, 2*maxReason, nil), maxReason)
}
