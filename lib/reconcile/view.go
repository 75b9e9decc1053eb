package reconcile

import (
	"slices"
	"time"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
)

// located adds where the request is to be found.
func (r *Reconciler) located(v message.View) message.View {
	cluster, web := r.Place()
	v.Cluster, v.Link = cluster, message.RequestLink(web, v.ID)
	return v
}

// lastView is the view of a request that is gone, as the record remembers it.
func lastView(id string, rec *plugindata.Record) message.View {
	v := message.View{
		ID: id, User: rec.User, Roles: slices.Sorted(slices.Values(rec.Roles)), Logins: rec.Logins,
		Resources: slices.Sorted(slices.Values(rec.Resources)), Reason: rec.Reason,
		Status: rec.Resolution, ResolveReason: rec.ResolveReason,
		Annotations: rec.Annotations, SuggestedReviewers: rec.SuggestedReviewers,
		// The reviews themselves are not recorded, only how many were told.
		Reviews: make([]message.Review, rec.ReviewsCount),
	}
	if aim := rec.Progress.Aim.Status; v.Status == "" && aim != "" && aim.Ended() {
		v.Status = aim // some of its messages may say so already
	}
	if v.Status == "" {
		v.Status = message.Expired
	}
	if rec.Progress.Request != 0 {
		v.Created = time.Unix(rec.Progress.Request, 0).UTC()
	}
	return v
}
