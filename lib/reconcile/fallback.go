package reconcile

import (
	"slices"

	"go.uber.org/zap"

	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// stranded reports whether a pending request has reached nobody and the service
// refuses all who are to hear of it, while there is a fallback that was not tried. What
// fails for a while is waited for. The requester's own copy reaches nobody who decides.
func (x *round) stranded() bool {
	if len(x.Fallback) == 0 || !x.wants.Announced || x.wants.Status != request.Pending || x.rec.Adopted {
		return false
	}
	others, untried := 0, x.untried()
	if len(untried) == 0 {
		return false
	}
	for i := range x.rec.Progress.Deliveries {
		d := &x.rec.Progress.Deliveries[i]
		_, _, refused := x.due(d)
		switch {
		case d.Requester || d.Skipped:
		case d.Posted() || len(d.Doubt) > 0 || !refused:
			return false
		default:
			others++
		}
	}
	return others > 0
}

// fallBack adds the recipients of the fallback to a request that reaches nobody else.
// They are recorded with the next claim, as all recipients are.
func (x *round) fallBack() (added bool) {
	if !x.stranded() {
		return false
	}
	untried := x.untried()
	if !x.Memory.said("fallback") {
		x.Log.Warn("None of the recipients of an access request can be reached; those of the fallback are notified",
			zap.String("request_id", x.ID), zap.Strings("recipients", untried))
	}
	for _, name := range untried {
		x.rec.Progress.Deliveries = append(x.rec.Progress.Deliveries, plugindata.Delivery{Recipient: name})
	}
	return true
}

// untried are those of the fallback whom the record does not have yet, and has room for:
// others may name some of them too.
func (x *round) untried() (names []string) {
	for _, name := range x.Fallback {
		known := func(d plugindata.Delivery) bool { return d.Recipient == name }
		if len(x.rec.Progress.Deliveries)+len(names) >= plugindata.MaxDeliveries {
			break
		}
		if !slices.ContainsFunc(x.rec.Progress.Deliveries, known) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
