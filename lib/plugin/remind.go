package plugin

import (
	"context"
	"fmt"
	"time"

	accesslistv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accesslist/v1"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/teleport"
)

// Reminders is the section [access_list_reminders].
type Reminders struct {
	Enabled  bool            `toml:"enabled" doc:"remind the owners of access lists that a list is to be reviewed"`
	Delay    config.Duration `toml:"delay" doc:"time from the start to the first look at access lists, give or take a seventh"`
	Interval config.Duration `toml:"interval" doc:"pause between two looks at access lists, give or take a seventh"`
}

// DefaultReminders gives the section as it is when the file sets nothing.
func DefaultReminders() Reminders {
	return Reminders{Enabled: true, Delay: config.Duration(30 * time.Second), Interval: config.Duration(3 * time.Hour)}
}

// Validate checks the times.
func (r *Reminders) Validate(f *config.Faults) {
	for key, got := range map[string]config.Duration{"delay": r.Delay, "interval": r.Interval} {
		if time.Duration(got) < leastPause {
			f.Add(key, fmt.Sprintf("%v is too short", got), fmt.Sprintf("write at least %v", leastPause))
		}
	}
}

const (
	// leastPause is the least time between two looks at access lists.
	leastPause = 100 * time.Millisecond
	// remindRetry is when a reminder that failed is tried again, if that is
	// sooner than the usual time.
	remindRetry = 5 * time.Minute
)

// remind reminds the owners of access lists, where the service can and the config
// wants it.
func (s *session) remind(ctx, calls context.Context) {
	service, ok := s.parts.Service.(remind.Service)
	if !ok || s.parts.Reminders == nil || !s.parts.Reminders.Enabled {
		return
	}
	observe, times := observer{s.metrics}, timing(s.settings.Common().Delivery)
	remind.New(remind.Options{
		Plugin: s.integration.Name, Replica: newOwner(), Cluster: cluster{s}, Service: service,
		Faults: remind.Faults{IsConflict: teleport.IsConflict, IsDenied: teleport.IsDenied, IsUnimplemented: teleport.IsUnimplemented},
		Links: func(list string) (all, review string) {
			_, web := s.place()
			return teleport.AccessListLinks(web, list)
		},
		Note:     s.health.Note,
		Told:     func(err error, took time.Duration) { observe.Stepped(integration.StepRemind, err, took) },
		Recorded: observe.Recorded, Log: s.log.Logger,
		Delay: time.Duration(s.parts.Reminders.Delay), Interval: time.Duration(s.parts.Reminders.Interval), Retry: remindRetry,
		Lease: times.Lease, Call: times.Call, Record: times.Record,
	}).Run(ctx, calls)
}

// AccessLists reads the access lists.
func (c cluster) AccessLists(ctx context.Context, fn func(remind.List) error) error {
	conn, err := c.s.current()
	if err != nil {
		return err
	}
	return conn.ListAccessLists(ctx, func(l *accesslistv1.AccessList) error { return fn(accessList(l)) })
}

func accessList(l *accesslistv1.AccessList) remind.List {
	spec := l.GetSpec()
	list := remind.List{
		Name: l.GetHeader().GetMetadata().GetName(), Title: spec.GetTitle(),
		Notice: spec.GetAudit().GetNotifications().GetStart().AsDuration(),
	}
	if at := spec.GetAudit().GetNextAuditDate(); at != nil {
		list.Audit = at.AsTime()
	}
	for _, o := range spec.GetOwners() {
		if o.GetMembershipKind() != accesslistv1.MembershipKind_MEMBERSHIP_KIND_LIST {
			list.Owners = append(list.Owners, o.GetName())
		}
	}
	return list
}

// AccessListOwners reads the owners of an access list.
func (c cluster) AccessListOwners(ctx context.Context, list string) ([]string, error) {
	return on(c.s, func(conn *teleport.Conn) ([]string, error) { return conn.AccessListOwners(ctx, list) })
}
