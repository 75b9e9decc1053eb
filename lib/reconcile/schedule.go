package reconcile

import (
	"slices"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/agenda"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/teleport"
)

// scheduled adds to what is wanted of a request that the cluster has what has become
// due by time.
func (r *Reconciler) scheduled(w plan.Wants) plan.Wants {
	now := r.Now()
	if w.Due = r.Agenda.Due(w.View, now); w.Due.Last > 0 {
		w.Now = now
	}
	return w
}

// apart is how far the clocks of replicas may differ.
const apart = 10 * time.Minute

// past drops what a record says of times that are yet to come: nobody has told what will
// become due, whoever wrote it.
func (r *Reconciler) past(p *plugindata.Progress, created time.Time) {
	if !created.IsZero() {
		p.Until(int(max(r.Now().Add(apart).Sub(created), 0) / time.Second))
	}
}

// dueIn is what is due by now for the request, as far as it was in the given state.
func (x *round) dueIn(s request.Status) agenda.Due {
	v := x.wants.View
	v.Status = s
	return x.Agenda.Due(v, x.Now())
}

// awaited is how long it takes until more becomes due for a finished request than what
// was reached, as an index of its agenda: less than zero if it is due, zero if nothing
// will be.
func (r *Reconciler) awaited(req types.AccessRequest, reached int) time.Duration {
	if r.Agenda.Empty() {
		return 0
	}
	at := r.Agenda.After(teleport.Times(req), reached)
	if at.IsZero() {
		return 0
	}
	if left := at.Sub(r.Now()); left > 0 {
		return left
	}
	return -1
}

// next is how long it takes until something becomes due for the request, or zero.
func (x *round) next() time.Duration {
	if x.req == nil || x.wants.Due.Next.IsZero() {
		return 0
	}
	if len(x.rec.Progress.Deliveries) == 0 && len(x.Agenda.Escalation) == 0 {
		return 0 // nobody hears of the request
	}
	return max(x.wants.Due.Next.Sub(x.Now()), time.Millisecond)
}

// reach notes that what is due by now was told to everybody.
func (x *round) reach() {
	if last := x.wants.Due.Last; last > 0 && x.req != nil && x.left() == 0 {
		if x.rec.Progress.Agenda != x.agendaName {
			x.rec.Progress.Reached = 0
		}
		x.rec.Progress.Reached, x.rec.Progress.Agenda = max(x.rec.Progress.Reached, last), x.agendaName
	}
}

// escalate adds the recipients of the steps that are due to a pending request. They are
// recorded with the next claim, as all recipients are. Whoever hears of it already is
// not told twice.
func (x *round) escalate() {
	if !x.wants.Announced || x.wants.Status != request.Pending {
		return
	}
	p := &x.rec.Progress
	for _, step := range x.wants.Due.Steps {
		var added, cut []string
		for _, name := range step.Recipients {
			switch known := func(d plugindata.Delivery) bool { return d.Recipient == name }; {
			case slices.ContainsFunc(p.Deliveries, known):
			case len(p.Deliveries) >= plugindata.MaxDeliveries-len(x.untried()):
				cut = append(cut, name)
			default:
				p.Deliveries = append(p.Deliveries, plugindata.Delivery{Recipient: name})
				added = append(added, name)
			}
		}
		if len(cut) > 0 && !x.Memory.said("cut "+step.Step) {
			x.digest.Warn("An access request has too many recipients for a step of the escalation", x.ID,
				zap.String("request_id", x.ID), zap.String("step", step.Step), zap.Strings("left_out", cut))
		}
		if len(added) > 0 && !x.Memory.said("step "+step.Step) {
			x.Log.Info("Nobody has decided about an access request; further recipients are notified",
				zap.String("request_id", x.ID), zap.String("step", step.Step), zap.Strings("recipients", added))
		}
	}
}
