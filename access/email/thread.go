package email

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/request"
)

// noID stands for the id of a mail that Teleport's own plugin has not recorded.
const noID = "-"

// maxChain bounds the references of a mail, and maxID the length of an id.
const (
	maxChain = 10
	maxID    = 200
)

// messageID is the Message-ID of a mail, without angle brackets: a digest of what makes
// it, so that every attempt of every replica has the same.
func messageID(v request.View, to string, e integration.Effect, domain string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %q %q", v.Cluster, v.ID, v.Created.Unix(), strings.ToLower(to), e.String()))
	return "teleport." + hex.EncodeToString(sum[:16]) + "@" + domain
}

// references are the mails that one belongs below, the oldest first: the one that
// announced the request, and the reviews since then. Of a conversation that another
// plugin began only the first mail is known.
func references(v request.View, to integration.Place, e integration.Effect, domain string) (ids []string) {
	id := func(k integration.Kind, i int) string {
		return messageID(v, to.Address, integration.Effect{Kind: k, Index: i}, domain)
	}
	root, reviews := to.Message.ID, 0
	switch e.Kind {
	case integration.Announce:
		return nil
	case integration.Review:
		reviews = e.Index
	case integration.End, integration.Pending:
		reviews = min(len(v.Reviews), plan.MaxReviews)
	case integration.Ending: // is told beside the conversation, and belongs to it
		root = id(integration.Announce, 0)
	}
	if !isID(root) {
		return nil
	}
	ids = append(ids, root)
	if root == id(integration.Announce, 0) {
		for i := max(0, reviews-maxChain+1); i < reviews; i++ {
			ids = append(ids, id(integration.Review, i))
		}
	}
	return ids
}

// isID reports whether a text can be a Message-ID: a record can be written by others.
func isID(s string) bool {
	outside := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>,", r) }
	return strings.Contains(s, "@") && len(s) <= maxID && !strings.ContainsFunc(s, outside)
}

// moment is the Date of a mail: when that happened of which it tells. Where the request
// does not say, as of a decision without a review, it is the present hour, since mails
// of long ago pass for spam.
func moment(v request.View, e integration.Effect, now time.Time) time.Time {
	at, known := v.Created, e.Kind == integration.Announce
	switch {
	case known:
	case e.Kind.Timed():
		at, known = e.DueAt(v.Created), true
	case e.Kind == integration.Review:
		at, known = latest(at, v.Reviews[e.Index].Created), true
	case v.Status == request.Expired && v.Expires.After(at) && v.Expires.Before(now):
		at, known = v.Expires, true
	default:
		for _, r := range v.Reviews {
			at, known = latest(at, r.Created), known || r.State == v.Status
		}
	}
	if hour := now.Truncate(time.Hour); !known || at.Unix() <= 0 {
		at = latest(at, hour)
	}
	return at.UTC().Truncate(time.Second)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
