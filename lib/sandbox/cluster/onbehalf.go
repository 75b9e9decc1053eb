package cluster

import (
	"slices"

	"github.com/coreos/go-semver/semver"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of a review on clusters newer than the pinned API: who submitted it, set by
// the cluster, and the mark of a review that is submitted for its author.
const (
	submittedByField protowire.Number = 11
	onBehalfField    protowire.Number = 12
)

// firstOnBehalf is the first release that knows the mark. Older ones keep nothing of
// it and refuse a review whose author is not the caller.
const firstOnBehalf = "18.11.0"

// reviewer is the user whose right to review counts: the author of a review that the
// caller may submit for that author, else the caller. It puts who submitted the review
// in place of the mark.
func (c *Cluster) reviewer(caller string, r *types.AccessReview) (string, error) {
	marked := takesMark(c.opts.ServerVersion) && onBehalf(r.XXX_unrecognized)
	r.XXX_unrecognized = nil
	if r.Author == caller && !marked {
		return caller, nil
	}
	if !marked {
		return "", trace.AccessDenied("user %q cannot submit reviews on behalf of %q", caller, r.Author)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.submitsForLocked(caller, r.Author) {
		return "", trace.AccessDenied("user %q may not submit reviews for user %q", caller, r.Author)
	}
	if _, ok := c.users[r.Author]; !ok {
		return "", trace.NotFound("user %q not found", r.Author)
	}
	r.XXX_unrecognized = protowire.AppendString(protowire.AppendTag(nil, submittedByField, protowire.BytesType), caller)
	return r.Author, nil
}

func (c *Cluster) submitsForLocked(caller, author string) bool {
	u, ok := c.users[caller]
	return ok && slices.ContainsFunc(u.roles, func(name string) bool {
		r := c.roles[name]
		return r != nil && (slices.Contains(r.submitFor, author) || slices.Contains(r.submitFor, anyKind))
	})
}

func takesMark(version string) bool {
	v, err := semver.NewVersion(version)
	return err == nil && !v.LessThan(*semver.New(firstOnBehalf))
}

// onBehalf reports whether the unknown fields of a review hold the mark.
func onBehalf(unknown []byte) bool {
	for len(unknown) > 0 {
		number, wire, n := protowire.ConsumeTag(unknown)
		if n < 0 {
			return false
		}
		unknown = unknown[n:]
		if number == onBehalfField && wire == protowire.VarintType {
			v, n := protowire.ConsumeVarint(unknown)
			return n > 0 && v == 1
		}
		if n = protowire.ConsumeFieldValue(number, wire, unknown); n < 0 {
			return false
		}
		unknown = unknown[n:]
	}
	return false
}

// SubmittedBy is who submitted a review for its author, or empty.
func SubmittedBy(r types.AccessReview) string {
	number, wire, n := protowire.ConsumeTag(r.XXX_unrecognized)
	if n < 0 || number != submittedByField || wire != protowire.BytesType {
		return ""
	}
	v, _ := protowire.ConsumeString(r.XXX_unrecognized[n:])
	return v
}
