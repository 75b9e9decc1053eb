package reconcile

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"teleport-plugins/lib/inbox"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// choose decides who hears of a request, once, and adds those who hear of it later. It
// reports whether there is anything to do about the request at all.
func (x *round) choose(ctx context.Context) bool {
	chosen := x.first(ctx)
	x.escalate()
	return chosen || len(x.rec.Progress.Deliveries) > 0
}

// first decides who hears of a request from the beginning.
func (x *round) first(ctx context.Context) bool {
	p := &x.rec.Progress
	switch {
	case len(p.Deliveries) > 0:
		return true
	case p.Request != 0 && len(x.open()) == 0:
		return false // seen before, with nobody to tell
	}
	x.wants.Begin(x.rec)
	switch {
	case x.rec.Garbled && !(x.rec.Adopted && len(x.rec.Messages) > 0):
		x.panel.Close(x.rec)
		x.enlist(ctx)
		plan.Restore(x.rec, x.calls.Address)
	case len(x.rec.Messages) > 0:
		x.wants.Adopt(x.rec, x.requester(ctx), x.Timing.CatchUp)
		return true
	case !x.wants.Announced:
		return false
	default:
		x.enlist(ctx)
	}
	return len(p.Deliveries) > 0 || len(x.open()) > 0
}

// enlist puts down the recipients.
func (x *round) enlist(ctx context.Context) {
	names, silent := x.recipients(ctx)
	for _, name := range names {
		x.rec.Progress.Deliveries = append(x.rec.Progress.Deliveries, plugindata.Delivery{Recipient: name})
	}
	if p := &x.rec.Progress; plan.AddRequester(p, x.requester(ctx)) {
		p.Deliveries[len(p.Deliveries)-1].Skipped = !x.Requester.Copy
	}
	if len(names) == 0 && !silent && len(x.open()) == 0 && !x.Memory.said("nobody") {
		x.digest.Warn("An access request has no recipients; nobody hears of it", x.ID,
			zap.String("request_id", x.ID), zap.Strings("roles", x.wants.Roles))
	}
}

// requester is the recipient under which the requester is to be reached, or empty.
func (x *round) requester(ctx context.Context) string {
	if service, ok := x.Service.(integration.Requester); ok {
		return service.Requester(ctx, x.wants.View)
	}
	return ""
}

// maxRouted bounds the recipients that are looked at.
const maxRouted = 5000

// recipients are those whom the router names, each once, and not more than a
// record has room for. Where there are none, silent says that this is meant.
func (x *round) recipients(ctx context.Context) (names []string, silent bool) {
	if x.Memory.chosen != nil {
		return x.Memory.chosen, false // by a round that had to wait before it could claim
	}
	choices := x.Router.Recipients(ctx, x.wants.View)
	names = x.fitting(choices.Recipients())
	if len(names) > 0 {
		x.Memory.chosen = names
	}
	return names, choices.Silent()
}

// fitting are as many recipients as a record has room for, each once.
func (x *round) fitting(all []string) []string {
	names := make([]string, 0, min(len(all), maxRouted))
	for _, name := range all {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) > maxRouted {
			break
		}
	}
	most := plugindata.MaxDeliveries - 1 - len(x.Fallback) // one more is the requester
	if len(names) <= most {
		return slices.Clip(names)
	}
	slices.Sort(names)
	if !x.Memory.said("many") {
		x.Log.Warn("An access request has too many recipients; the first of them in alphabetical order are told",
			zap.String("request_id", x.ID), zap.Int("told", most), zap.Int("recipients", len(names)))
	}
	return slices.Clip(names[:most])
}

// Foresee does to a record what a round would do to it before it tells anybody: it
// puts down who hears of the request, if that is still to be decided, as the choices
// have it. It says what is wanted then, and makes no calls. Nobody else may work on
// the record.
func (r *Reconciler) Foresee(ctx context.Context, v request.View, rec *plugindata.Record, choices integration.Choices) plan.Wants {
	x := r.round(inbox.Turn[memory]{Item: &inbox.Item[memory]{}, ID: v.ID})
	x.rec, x.wants = rec, r.scheduled(r.want(v, false))
	x.Memory.chosen = x.fitting(choices.Recipients())
	x.choose(ctx)
	return x.wants
}

// decorate adds what is nice to know, unless the record has it already.
func (x *round) decorate(ctx context.Context) {
	v := &x.wants.View
	if x.rec.Exists() && x.rec.User != "" {
		if len(x.rec.Logins) > 0 {
			v.Logins = x.rec.Logins
		}
		if len(x.rec.Resources) > 0 {
			v.Resources = x.rec.Resources
		}
		return
	}
	if x.req == nil || x.Decorator == nil {
		return
	}
	x.Decorator.Decorate(ctx, v, x.req)
	x.rec.Logins, x.rec.Resources = plan.CutMap(v.Logins), plan.CutList(v.Resources)
}
