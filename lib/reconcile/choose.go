package reconcile

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
)

// choose decides who hears of a request, once. It reports whether there
// is anything to do about the request at all.
func (x *round) choose(ctx context.Context) bool {
	p := &x.rec.Progress
	if len(p.Deliveries) > 0 {
		return true
	}
	if p.Request != 0 && len(x.undecided()) == 0 {
		return false // seen before, with nobody to tell
	}
	x.remember()
	switch {
	case len(x.rec.Messages) > 0 && (x.rec.Adopted || !x.rec.Garbled):
		x.adopt()
		return true
	case !x.wants.announced && !x.rec.Garbled:
		return false
	}
	names := x.recipients(ctx)
	for _, name := range names {
		p.Deliveries = append(p.Deliveries, plugindata.Delivery{Recipient: name})
	}
	x.addRequester()
	if x.rec.Garbled {
		x.restore()
	}
	if len(names) == 0 && len(x.undecided()) == 0 && !x.t.said("nobody") {
		x.digest.Warn("An access request has no recipients; nobody hears of it", x.id,
			zap.String("request_id", x.id), zap.Strings("roles", x.wants.Roles))
	}
	return len(p.Deliveries) > 0 || len(x.undecided()) > 0
}

// recipients are those whom the router names, each once, and not more than a
// record has room for.
func (x *round) recipients(ctx context.Context) (names []string) {
	if x.t.chosen != nil {
		return x.t.chosen // by a round that had to wait before it could claim
	}
	defer func() { x.t.chosen = slices.Clip(names) }()
	for _, name := range x.Router.Recipients(ctx, x.wants.View) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) > maxRouted {
			break
		}
	}
	const most = plugindata.MaxDeliveries - 1 // one more is the requester
	if len(names) <= most {
		return names
	}
	slices.Sort(names)
	if !x.t.said("many") {
		x.Log.Warn("An access request has too many recipients; the first of them in alphabetical order are told",
			zap.String("request_id", x.id), zap.Int("told", most), zap.Int("recipients", len(names)))
	}
	return names[:most]
}

// maxRouted bounds the recipients that are looked at.
const maxRouted = 5000

// remember notes in the record what is needed to show the request when the
// cluster does not have it any more.
func (x *round) remember() {
	rec, v := x.rec, x.wants.View
	rec.Progress.Request = max(v.Created.Unix(), 0)
	if rec.Exists() && rec.User != "" && !rec.Ours() {
		return
	}
	rec.User, rec.Roles, rec.Reason, rec.Created = v.User, v.Roles, v.Reason, v.Created
	rec.Resources, rec.Annotations = cutList(v.Resources), cutMap(v.Annotations)
}

// maxCopy bounds each of our copies of lists in a record, in bytes: a record must
// stay well below what a cluster stores.
const maxCopy = 8 << 10

func cutList(list []string) []string {
	size := 0
	for i, item := range list {
		if size += len(item); size > maxCopy {
			return list[:i:i]
		}
	}
	return list
}

func cutMap(lists map[string][]string) map[string][]string {
	kept, size := make(map[string][]string, len(lists)), 0
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		list := cutList(lists[key])
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

// adopt continues a record of Teleport's own plugin: its messages are ours to
// keep true, nobody is told again, and what it left to people stays with them.
// Several messages in one place are shown the truth, and one of them gets the
// replies.
func (x *round) adopt() {
	p, rec, v := &x.rec.Progress, x.rec, x.wants.View
	rec.Adopted = true
	shown := message.Version{Status: message.Pending, Reviews: rec.ReviewsCount}
	if rec.Resolution != "" && time.Since(v.Created) > x.Timing.CatchUp {
		// It was decided long ago. That its messages say so cannot be known,
		// and to edit them all at the first start would be too much.
		shown = v.Version()
	} else if rec.Resolution != "" {
		shown = message.Version{Status: rec.Resolution}
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
	if rec.Resolution == "" && x.addRequester() {
		p.Deliveries[len(p.Deliveries)-1].Skipped = true // has a copy among the others
	}
}

// restore takes over what Teleport's own part of a record says where ours cannot
// be read. What else was told is in doubt.
func (x *round) restore() {
	p := &x.rec.Progress
	for _, d := range x.Deciders { // whether any of them has decided is not known
		p.Decided = append(p.Decided, d.Name())
	}
	for i := range p.Deliveries {
		p.Deliveries[i].Reviews = x.rec.ReviewsCount
	}
	for _, m := range x.rec.Messages {
		for i := range p.Deliveries {
			if d := &p.Deliveries[i]; d.Recipient == m.Channel || x.addressOf(d.Recipient) == m.Channel {
				d.Posts = append(d.Posts, plugindata.Post{Channel: m.Channel, ID: m.ID})
			}
		}
	}
}

// addRequester marks the requester among the recipients, or adds them, which it
// reports.
func (x *round) addRequester() (added bool) {
	service, ok := x.Service.(integration.Requester)
	if !ok {
		return false
	}
	name := service.Requester(x.wants.View)
	if name == "" {
		return false
	}
	if d := x.rec.Progress.Delivery(name); d != nil {
		d.Requester = true
		return false
	}
	x.rec.Progress.Deliveries = append(x.rec.Progress.Deliveries, plugindata.Delivery{Recipient: name, Requester: true})
	return true
}

// announces reports whether a request in this state is told to those who have
// not heard of it.
func (r *Reconciler) announces(v message.View) bool {
	switch v.Status {
	case message.Pending:
		return true
	case message.Approved, message.Denied, message.Promoted:
		return !v.Created.IsZero() && time.Since(v.Created) <= r.Timing.CatchUp
	}
	return false
}
