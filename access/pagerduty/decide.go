package pagerduty

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"teleport-plugins/access/pagerduty/approval"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recent"
	"teleport-plugins/lib/request"
)

// onCall approves requests of people who are on call.
type onCall struct {
	*service
	people *identity.People
	// approved holds whom the newest proposals were about, by request.
	approved *recent.Memory[string, approval.Person]
}

var (
	_ integration.Decider  = (*onCall)(nil)
	_ integration.Reporter = (*onCall)(nil)
)

// rememberedProposals is how many proposals may be on their way to the cluster.
const rememberedProposals = 1000

func newOnCall(s *service, people *identity.People) *onCall {
	return &onCall{service: s, people: people, approved: recent.New[string, approval.Person](rememberedProposals)}
}

// Name implements integration.Decider.
func (d *onCall) Name() string { return "pagerduty-oncall" }

// Concerns implements integration.Decider. A request that names no services, or
// that comes while approval is switched off, is none of its business.
func (d *onCall) Concerns(v request.View) bool {
	return d.AutoApprove.Enabled && len(annotated(v, d.Services)) > 0
}

// Decide implements integration.Decider.
func (d *onCall) Decide(ctx context.Context, v request.View, told integration.Told) (integration.Verdict, error) {
	services := annotated(v, d.Services)
	slices.Sort(services)
	if !d.Concerns(v) {
		d.log.Debug("An access request is not looked at for automatic approval",
			zap.String("request_id", v.ID), zap.Bool("enabled", d.AutoApprove.Enabled), zap.String("annotation", d.Services))
		return integration.Verdict{}, nil
	}
	email, why, err := d.email(ctx, v.User)
	if err != nil || why != "" {
		return integration.Verdict{Evidence: why}, err
	}
	got, err := d.AutoApprove.Decide(ctx, directory{d.client, told.Posts}, approval.Request{
		Email: email, Roles: v.Roles, Services: services, Start: v.Start, Length: length(v),
	})
	if err != nil || !got.Approve {
		return integration.Verdict{Evidence: got.Evidence}, err
	}
	d.approved.Put(v.ID, got.Person)
	return integration.Verdict{Propose: request.Approved, Reason: got.Reason, Evidence: got.Evidence}, nil
}

// length is how long the access lasts that is asked for, or zero where that is
// not known. A request that waits becomes no shorter.
func length(v request.View) time.Duration {
	from := v.Created
	if v.Start.After(from) {
		from = v.Start
	}
	if from.IsZero() || v.AccessUntil.IsZero() {
		return 0
	}
	return v.AccessUntil.Sub(from)
}

// reports is how many incidents a decision is noted on at once.
const reports = 10

// Report implements integration.Reporter: one line in the log for an approval,
// in the words and fields of Teleport's own plugin, and a note on each incident.
func (d *onCall) Report(ctx context.Context, v request.View, posts []plugindata.Message, verdict integration.Verdict) {
	approves := verdict.Propose == request.Approved
	if approves {
		p, _ := d.approved.Get(v.ID)
		d.log.Info("Successfully submitted a request approval",
			zap.String("pd_user_email", p.Email), zap.String("pd_user_name", p.Name),
			// The state is the one that was decided about.
			zap.String("request_id", v.ID), zap.String("request_op", "put"), zap.String("request_state", string(request.Pending)),
			zap.String("evidence", verdict.Evidence))
	}
	var g errgroup.Group
	g.SetLimit(reports)
	for _, m := range posts {
		g.Go(func() error {
			if err := d.report(ctx, m, v, approves, verdict.Evidence); err != nil {
				d.log.Warn("The decision about an access request cannot be noted on its incident",
					zap.String("request_id", v.ID), zap.String("pd_incident_id", m.ID), zap.Error(err))
			}
			return nil
		})
	}
	_ = g.Wait() // the functions return no errors
}

// report notes a decision, unless a note with the same evidence is there.
func (d *onCall) report(ctx context.Context, m plugindata.Message, v request.View, approves bool, evidence string) error {
	found, err := d.notes(ctx, m, func(text string) bool { return strings.HasSuffix(text, ": "+evidenceText(evidence)) })
	if err != nil || len(found) > 0 {
		return err
	}
	return d.note(ctx, m, v.ID, decisionNote(v, approves, evidence), decisionNote(v, approves, "the log of the plugin says why"))
}
