package plan

import (
	"maps"
	"slices"
	"time"

	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// Begin notes in a new record what is needed to show the request when the cluster
// does not have it any more.
func (w Wants) Begin(rec *plugindata.Record) {
	rec.Progress.Request = max(w.Created.Unix(), 0)
	if rec.Exists() && rec.User != "" && !rec.Ours() {
		return
	}
	rec.User, rec.Roles, rec.Reason, rec.Created = w.User, w.Roles, w.Reason, w.Created
	rec.Resources, rec.Annotations = CutList(w.Resources), CutMap(w.Annotations)
	rec.SuggestedReviewers = CutList(w.SuggestedReviewers)
}

// maxCopy bounds each of our copies of lists in a record, in bytes: a record must
// stay well below what a cluster stores.
const maxCopy = 8 << 10

// CutList is as much of a list as a record has room for.
func CutList(list []string) []string {
	size := 0
	for i, item := range list {
		if size += len(item); size > maxCopy {
			return list[:i:i]
		}
	}
	return list
}

// CutMap is as much of a map of lists as a record has room for.
func CutMap(lists map[string][]string) map[string][]string {
	kept, size := make(map[string][]string, len(lists)), 0
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		list := CutList(lists[key])
		for _, item := range append(list, key) {
			size += len(item)
		}
		if size > maxCopy {
			break
		}
		kept[key] = list
	}
	return kept
}

// Adopt continues a record of Teleport's own plugin: its messages are ours to keep
// true, nobody is told again, and what it left to people stays with them. Several
// messages in one place are shown the truth, and one of them gets the replies. What
// was decided longer ago than the given time is left as it is: that its messages
// say so cannot be known, and to edit them all at the first start would be too
// much.
func (w Wants) Adopt(rec *plugindata.Record, requester string, age time.Duration) {
	p := &rec.Progress
	rec.Adopted = true
	shown := request.Version{Status: request.Pending, Reviews: rec.ReviewsCount}
	switch {
	case rec.Resolution != "" && time.Since(w.Created) > age:
		shown = w.Version()
	case rec.Resolution != "":
		shown = request.Version{Status: rec.Resolution}
	}
	for _, m := range rec.Messages {
		d := p.Delivery(m.Channel)
		if d == nil {
			p.Deliveries = append(p.Deliveries, plugindata.Delivery{
				Recipient: m.Channel, Address: m.Channel, Reviews: rec.ReviewsCount, Ended: rec.Resolution,
			})
			d = &p.Deliveries[len(p.Deliveries)-1]
		}
		d.Posts = append(d.Posts, plugindata.Post{Channel: m.Channel, ID: m.ID, Shown: shown})
	}
	if rec.Resolution == "" && AddRequester(p, requester) {
		p.Deliveries[len(p.Deliveries)-1].Skipped = true // has a copy among the others
	}
}

// AddRequester marks the requester among the recipients, or adds them, which it
// reports. No name stands for nobody.
func AddRequester(p *plugindata.Progress, name string) (added bool) {
	if name == "" {
		return false
	}
	if d := p.Delivery(name); d != nil {
		d.Requester = true
		return false
	}
	p.Deliveries = append(p.Deliveries, plugindata.Delivery{Recipient: name, Requester: true})
	return true
}

// Restore takes over what Teleport's own part of a record says where ours cannot
// be read. What else was told is in doubt. The address of a recipient is empty
// where it is not known.
func Restore(rec *plugindata.Record, address func(recipient string) string) {
	p := &rec.Progress
	for i := range p.Deliveries {
		d := &p.Deliveries[i]
		d.Reviews = rec.ReviewsCount
		for _, m := range rec.Messages {
			if d.Recipient == m.Channel || address(d.Recipient) == m.Channel {
				d.Posts = append(d.Posts, plugindata.Post{Channel: m.Channel, ID: m.ID})
			}
		}
	}
}

// Summarize derives the part of a record that Teleport's own plugins know.
func (w Wants) Summarize(rec *plugindata.Record) {
	told, final := len(w.Reviews), w.Status.Ended()
	rec.Messages = nil
	for i := range rec.Progress.Deliveries {
		d := &rec.Progress.Deliveries[i]
		for _, p := range d.Posts {
			rec.Messages = append(rec.Messages, p.Message())
			final = final && (w.shownBy(p) || p.Fixed || !w.Can.Shows)
		}
		if w.Can.Reviews && d.Posted() && d.Reviews < w.reviews() {
			told = min(told, d.Reviews)
		}
		final = final && !w.WantsAnnouncement(d) && !w.WantsEnd(d)
	}
	rec.ReviewsCount, rec.Resolution, rec.ResolveReason = told, "", ""
	if final {
		rec.Resolution, rec.ResolveReason = w.Status, w.ResolveReason
	}
}

// LastView is the view of a request that is gone, as the record remembers it.
func LastView(id string, rec *plugindata.Record) request.View {
	v := request.View{
		ID: id, User: rec.User, Roles: slices.Sorted(slices.Values(rec.Roles)), Logins: rec.Logins,
		Resources: slices.Sorted(slices.Values(rec.Resources)), Reason: rec.Reason,
		Status: request.Expired, ResolveReason: rec.ResolveReason,
		Annotations: rec.Annotations, SuggestedReviewers: rec.SuggestedReviewers,
		// The reviews themselves are not recorded, only how many were told.
		Reviews: make([]request.Review, rec.ReviewsCount),
	}
	ended := func(s request.Status) bool { return s.Ended() && s.Index() > 0 } // others may write to the record
	switch aim := rec.Progress.Aim.Status; {
	case ended(rec.Resolution):
		v.Status = rec.Resolution
	case ended(aim): // some of its messages may say so already
		v.Status = aim
	}
	if rec.Progress.Request != 0 {
		v.Created = time.Unix(rec.Progress.Request, 0).UTC()
	}
	return v
}
