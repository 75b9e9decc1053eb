package reconcile

import (
	"time"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
)

// work is what is missing for a request.
type work struct {
	// deliveries are the indexes of the recipients for whom a step is due now.
	deliveries []int
	// decide says that no rule has looked at the request yet.
	decide bool
	// wait is how long to wait for the next step that is due later, or zero.
	wait time.Duration
}

func (w work) empty() bool { return len(w.deliveries) == 0 && !w.decide }

// plan compares what is shown with what is to be shown. With a track it leaves
// recipients alone whose pause is not over.
func (r *Reconciler) plan(rec *plugindata.Record, v message.View, t *track) work {
	var w work
	for i, d := range rec.Progress.Deliveries {
		if !r.missing(d, v) {
			continue
		}
		if left := t.pauseLeft(d.Recipient); left > 0 {
			if w.wait == 0 || left < w.wait {
				w.wait = left
			}
			continue
		}
		w.deliveries = append(w.deliveries, i)
	}
	_, decides := r.Service.(Decider)
	if decides && v.Status == message.Pending && rec.Progress.Decision == "" {
		if left := t.pauseLeft(decision); left == 0 {
			w.decide = true
		} else if w.wait == 0 || left < w.wait {
			w.wait = left
		}
	}
	return w
}

// decision is the name under which the pause of a failed decision is kept; no
// recipient has an empty name.
const decision = ""

func (t *track) pauseLeft(recipient string) time.Duration {
	if t == nil || t.pauses[recipient] == nil {
		return 0
	}
	return max(time.Until(t.pauses[recipient].until), 0)
}

// missing reports whether a step is missing for a recipient.
func (r *Reconciler) missing(d plugindata.Delivery, v message.View) bool {
	return r.wantsPost(d, v) || r.wantsReply(d, v) || r.wantsEdit(d, v) || r.wantsNotice(d, v)
}

// says reports whether a message is the next that a recipient misses.
func (r *Reconciler) says(d plugindata.Delivery, v message.View) bool {
	return r.wantsPost(d, v) || r.wantsReply(d, v) || r.wantsNotice(d, v) && !r.wantsEdit(d, v)
}

func (r *Reconciler) wantsPost(d plugindata.Delivery, v message.View) bool {
	return !d.Over() && !d.Posted() && (r.announced(v) || d.Reposted)
}

func (r *Reconciler) wantsReply(d plugindata.Delivery, v message.View) bool {
	_, replies := r.Service.(Replier)
	return replies && !d.Over() && d.Posted() && d.Replies < len(v.Reviews)
}

func (r *Reconciler) wantsEdit(d plugindata.Delivery, v message.View) bool {
	return !d.Over() && d.Posted() && d.Shown != v.Version()
}

// wantsNotice reports whether the requester is to be told of the decision. One
// whose own copy was posted after the decision knows it from there.
func (r *Reconciler) wantsNotice(d plugindata.Delivery, v message.View) bool {
	_, tells := r.Service.(RequesterTeller)
	return tells && d.Requester && d.Failed == "" && (d.Posted() || d.Skipped) &&
		v.Status.Ended() && d.Noticed != v.Status
}
