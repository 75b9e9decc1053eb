package document

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/request"
)

// The kinds of events. Prefix goes before them in a document. An outcome is named as the
// state is, in small letters.
const (
	Prefix = "access_request."

	Created  = "created"
	Reviewed = "reviewed"
	Waiting  = "pending"
	Refused  = "decision_refused"
)

// Kinds lists the kinds of events.
func Kinds() []string {
	return []string{Created, Reviewed, Waiting, outcome(request.Approved), outcome(request.Denied), outcome(request.Promoted), outcome(request.Expired), Refused}
}

func outcome(s request.Status) string { return strings.ToLower(string(s)) }

// KindOf is the kind of the event that an effect is.
func KindOf(e integration.Effect, v request.View) string {
	switch e.Kind {
	case integration.Announce:
		return Created
	case integration.Review:
		return Reviewed
	case integration.Pending:
		return Waiting
	}
	return outcome(v.Status)
}

// ID is the id of an event: a digest of what makes it, so that every attempt of every
// replica has the same. It says nothing of the request, and fits any header.
func ID(v request.View, receiver, what string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %q %q", v.Cluster, v.ID, v.Created.Unix(), receiver, what))
	return "evt_" + hex.EncodeToString(sum[:16])
}

// Of is the event that an effect is. A review that it tells is one of the view's.
func Of(e integration.Effect, id string, v request.View, f Facts) Event {
	d := New(KindOf(e, v), id, v, f)
	if e.Kind == integration.Review {
		r := newReview(v.Reviews[e.Index])
		d.Review = &r
	}
	return d
}

// New is an event of a kind.
func New(kind, id string, v request.View, f Facts) Event {
	d := Event{
		Version: Version, Type: Prefix + kind, ID: id, Time: time.Now().UTC().Truncate(time.Millisecond),
		Cluster: Cluster{Name: v.Cluster}, Request: newRequest(v, f), Partial: f.Passing,
	}
	if link, err := url.Parse(v.Link); err == nil {
		d.Cluster.Proxy = link.Host
	}
	return d
}

func newRequest(v request.View, f Facts) Request {
	r := Request{
		ID: v.ID, User: v.User, Traits: f.Traits, Roles: list(v.Roles), Logins: v.Logins, Names: list(v.Resources), Kind: kindOfAccess(v),
		Reason: v.Reason, State: string(v.Status), ResolveReason: v.ResolveReason, AccessList: v.AccessList,
		Created: v.Created, Expires: v.Expires, Start: v.Start, AccessUntil: v.AccessUntil,
		SuggestedReviewers: list(v.SuggestedReviewers), Annotations: v.Annotations, Link: v.Link,
		Thresholds: []Threshold{}, Reviews: []Review{},
	}
	begin := v.Created
	if v.Start.After(begin) {
		begin = v.Start
	}
	if !begin.IsZero() && v.AccessUntil.After(begin) {
		r.DurationSeconds = int64(v.AccessUntil.Sub(begin) / time.Second)
	}
	for i, w := range v.Wanted {
		one := Resource{
			Cluster: w.Cluster, Kind: w.Kind, Name: w.Name, Sub: w.Sub, Logins: w.Logins, RoleARNs: w.RoleARNs, Confined: w.Confined,
		}
		if len(f.Labels) == len(v.Wanted) {
			one.Labels = f.Labels[i]
		}
		if len(f.Names) == len(v.Wanted) {
			one.FriendlyName = f.Names[i]
		}
		r.Resources = append(r.Resources, one)
	}
	if len(v.Resources) == 0 {
		r.Resources = []Resource{}
	}
	for _, t := range v.Thresholds {
		r.Thresholds = append(r.Thresholds, Threshold(t))
	}
	for _, w := range v.Reviews {
		r.Reviews = append(r.Reviews, newReview(w))
	}
	return r
}

func newReview(r request.Review) Review {
	return Review{Author: r.Author, State: string(r.State), Reason: r.Reason, Created: r.Created}
}

// The kinds of access.
const (
	shortTerm = "short_term"
	longTerm  = "long_term"
	unknown   = "unknown"
)

// kindOfAccess says whether access is asked for that ends.
func kindOfAccess(v request.View) string {
	switch {
	case v.OtherKind:
		return unknown
	case v.LongTerm:
		return longTerm
	}
	return shortTerm
}

// Summary is the view of a request as far as a policy goes by it.
func (r Request) Summary() request.View {
	return request.View{
		Status: request.Status(r.State), Roles: r.Roles, LongTerm: r.Kind == longTerm, OtherKind: r.Kind == unknown,
	}
}

// list makes an empty list of none, which receivers can go through without a look.
func list(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}
