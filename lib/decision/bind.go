package decision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/teleport"
)

// bindSoon is bind for people who press as soon as they see the message: its record may
// be written a moment later.
func (d *desk) bindSoon(ctx context.Context, p Press) (types.AccessRequest, error) {
	for end := time.Now().Add(recording); ; {
		req, err := d.bind(ctx, p)
		if !errors.Is(err, errNotRecorded) || time.Now().After(end) || !pace.Sleep(ctx, recordingLook) {
			return req, err
		}
	}
}

// errNotRecorded says that the record does not name the message, and may do so soon.
var errNotRecorded = refuse(TryAgain, "The plugin is still writing this message. Please press again in a few seconds.", "the message is not recorded yet")

// bind finds the request that a press is about, by the record of the message that it
// hangs on, and makes sure that it may be decided here.
func (d *desk) bind(ctx context.Context, p Press) (types.AccessRequest, error) {
	if p.Request == "" || p.PersonID == "" || p.Message.Channel == "" || p.Message.ID == "" ||
		p.Verdict != request.Approved && p.Verdict != request.Denied {
		return nil, refuse(Refused, "This button is not one of the plugin's.", "the press lacks what every press has")
	}
	req, rec, err := d.read(ctx, p.Request)
	if err != nil {
		return nil, err
	}
	if err := bound(p, req, rec); err != nil {
		return nil, err
	}
	return req, d.open(p, teleport.View(req))
}

// open makes sure that a request may be decided here, by such a press.
func (d *desk) open(p Press, v request.View) error {
	switch {
	case v.Status != request.Pending:
		return refuse(Already, "This request is already "+lower(v.Status)+".", "the request is "+string(v.Status))
	case v.OtherKind:
		return refuse(Refused, "Requests of this kind are decided in Teleport.", "the kind of the request is not understood")
	case v.LongTerm:
		return refuse(Refused, "Long-term requests are decided in Teleport.", "a long-term request")
	case d.Policy.AsksReason(p.Verdict) && strings.TrimSpace(p.Reason) == "":
		return refuse(Refused, NoReason, "there is no reason, and the policy asks for one")
	case !d.Policy.Offered(v):
		return refuse(Refused, "Requests for these roles are decided in Teleport.", "the roles may not be decided here: "+cut(strings.Join(v.Roles, ", ")))
	}
	return nil
}

// read reads the request and its record from the cluster, at the same time.
func (d *desk) read(ctx context.Context, id string) (req types.AccessRequest, rec *plugindata.Record, err error) {
	var reading sync.WaitGroup
	var reqErr error
	reading.Go(func() { req, reqErr = d.Cluster.GetRequest(ctx, id) })
	data, err := d.Cluster.GetPluginData(ctx, types.KindAccessRequest, id, d.Plugin)
	reading.Wait()
	switch {
	case reqErr != nil:
		return nil, nil, fmt.Errorf("reading the access request: %w", reqErr)
	case err != nil:
		return nil, nil, fmt.Errorf("reading the record of the access request: %w", err)
	case req == nil:
		return nil, nil, refuse(Already, "This request has expired or was deleted.", "the cluster does not have the request")
	}
	rec, err = plugindata.Decode(d.Codec, data)
	if err != nil {
		return nil, nil, refuse(Refused, "The plugin cannot tell whether this message is about this request. Please decide in Teleport.", "the record cannot be read: "+err.Error())
	}
	return req, rec, nil
}

// bound makes sure that the record of the very request names the message. One that is
// not recorded yet may be ours, also where the answer to its post was lost.
func bound(p Press, req types.AccessRequest, rec *plugindata.Record) error {
	switch {
	case rec.Progress.Request != 0 && rec.Progress.Request != req.GetCreationTime().Unix():
		return refuse(Refused, "This message is about an earlier request with the same id.", "the message is about an earlier request with the same id")
	case slices.Contains(rec.Messages, p.Message):
		return nil
	case !rec.Claim.Free(), slices.ContainsFunc(rec.Progress.Deliveries, announcedInDoubt):
		return errNotRecorded
	}
	return refuse(Refused, "This message is not one that the plugin posted for this request.", "the record does not name the message")
}

// announcedInDoubt reports whether an announcement may have been posted that the record
// does not name.
func announcedInDoubt(d plugindata.Delivery) bool {
	for effect := range d.Doubt {
		if strings.HasPrefix(effect, string(integration.Announce)+".") {
			return true
		}
	}
	return false
}

func lower(s request.Status) string { return strings.ToLower(string(s)) }

// pendingText says how far a pending request has come.
func pendingText(v request.View) string {
	if text := message.Progress(v); text != "" {
		return text + " so far"
	}
	return "more reviews are needed"
}

// cut bounds a text of a stranger for the log.
func cut(s string) string { return message.Cut(s, 200) }
