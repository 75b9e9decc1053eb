package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	accesslistv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accesslist/v1"
	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/rules"
	"teleport-plugins/lib/teleport"
	"teleport-plugins/lib/watch"
)

// local are the legs on this machine.
func (c *checker) local() []check.Leg {
	return []check.Leg{
		{Name: legRunAs, What: "running as user " + userName(), Try: c.runAs},
		{Name: "log", What: "log to " + c.settings.Common().Log.Output, Try: c.logOutput},
		{Name: legIdentity, What: "Teleport identity", Try: func(context.Context) error { return c.session.identify() }},
		{Name: legSetUp, What: "set-up of " + c.integration.Title, Try: c.setUp},
	}
}

func (c *checker) setUp(context.Context) error {
	if !c.fit {
		return check.Skip("it takes a config without faults, see above")
	}
	return c.session.build()
}

// service are the legs at the service, but for its recipients.
func (c *checker) service() []check.Leg {
	legs := []check.Leg{{
		Name: legCredentials, What: c.integration.Title + " credentials", Needs: []string{legSetUp},
		Try: patient(func(ctx context.Context) error { return judged(c.session.ask(ctx)) }),
	}}
	inspector, ok := c.session.parts.Service.(Inspector)
	if !ok {
		return legs
	}
	for _, leg := range inspector.Probes() {
		leg.Needs, leg.Try = append(leg.Needs, legCredentials), patient(leg.Try)
		legs = append(legs, leg)
	}
	return legs
}

// patient tries again what the service's rate limit holds back, as start does. What it
// holds back for longer than a leg may take is not known to be wrong.
func patient(try func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			err := try(ctx)
			if outbound.KindOf(err) != outbound.Wait {
				return err
			}
			end, _ := ctx.Deadline()
			if wait := outbound.AfterOf(err); wait > time.Until(end) || !pace.Sleep(ctx, max(wait, time.Millisecond)) {
				return check.Lack("not tried for now: %v", err)
			}
		}
	}
}

// judged is what the service says of the credentials. Whoever refuses less than the
// token knows the token.
func judged(err error) error {
	switch {
	case outbound.RefusesToken(err):
		return fmt.Errorf("not accepted: %w", err)
	case outbound.KindOf(err) == outbound.Refused:
		return check.Lack("known, but not allowed to ask about themselves: %v", err)
	}
	return err
}

// recipients are those that the config and the command line name.
func (c *checker) recipients() (names []string) {
	return c.session.configured(c.flags.checking.recipients...)
}

// proofs are the legs that look whether recipients can be told, without posting.
func (c *checker) proofs(recipients []string) (legs []check.Leg) {
	for _, name := range recipients {
		leg := c.session.proof(name, legCredentials)
		leg.Try = patient(leg.Try)
		legs = append(legs, leg)
	}
	return legs
}

// connect connects to the cluster.
func (c *checker) connect(ctx context.Context) error {
	src, err := c.session.connect(ctx)
	if err != nil {
		return err
	}
	c.src = src
	if warning := c.session.info.Load().Warning; warning != "" {
		return check.Remark("%s", warning)
	}
	return nil
}

// named says which cluster it is.
func (c *checker) named() {
	if c.src == nil {
		return
	}
	info := c.session.info.Load()
	c.run.Say(check.Line{Name: "cluster", Result: check.OK, Text: fmt.Sprintf("cluster %s, version %s, as user %s",
		info.ClusterName, info.ServerVersion, c.session.identity.Load().User)})
}

// rights are the legs that try each permission at the cluster.
func (c *checker) rights() []check.Leg {
	s, kind, plugin := c.session, types.KindAccessRequest, c.integration.Name
	legs := []check.Leg{
		{Name: "watch-requests", What: "watch access requests (access_request: list, read)", Try: func(ctx context.Context) error {
			return watch.Try(ctx, c.src, teleport.IsDenied)
		}},
		{Name: "read-records", What: "read plugin data (access_plugin_data: read)", Try: func(ctx context.Context) error {
			_, err := s.conn.Load().GetPluginData(ctx, kind, teleport.NoRequest, plugin)
			return permitted(err, "read plugin data", "access_plugin_data: read")
		}},
		{Name: "write-records", What: "write plugin data (access_plugin_data: update)", Try: func(ctx context.Context) error {
			err := s.conn.Load().UpdatePluginData(ctx, kind, teleport.NoRequest, plugin, map[string]string{"check": ""}, nil)
			return permitted(letIn(err, ""), "write plugin data", "access_plugin_data: update")
		}},
		{Name: "read-roles", What: "read the logins of roles (role: read)", Optional: true, Try: func(ctx context.Context) error {
			_, err := s.conn.Load().RoleLogins(ctx, teleport.NoRequest)
			return letIn(err, "messages show no logins; to show them add the rule role: read")
		}},
	}
	if _, ok := s.parts.Service.(remind.Service); ok && s.parts.Reminders != nil && s.parts.Reminders.Enabled {
		legs = append(legs, check.Leg{
			Name: "read-access-lists", What: "read access lists (access_list: list, read)", Optional: true, Try: c.accessLists,
		})
	}
	return connected(legs)
}

// permitted says of a refusal which rule is missing.
func permitted(err error, what, rule string) error {
	if teleport.IsDenied(err) {
		return fmt.Errorf("the plugin's role may not %s; add the rule %s to it", what, rule)
	}
	return err
}

// letIn turns the answer to a question about what does not exist into that about the
// permission to ask; lack says what is missing without an optional one.
func letIn(err error, lack string) error {
	switch {
	case teleport.IsNotFound(err):
		return nil
	case lack != "" && teleport.IsDenied(err):
		return check.Lack("%s", lack)
	}
	return err
}

// connected makes legs take the connection.
func connected(legs []check.Leg) []check.Leg {
	for i := range legs {
		legs[i].Needs = append(legs[i].Needs, legConnection)
	}
	return legs
}

// errEnough ends a list of which enough is known.
var errEnough = errors.New("enough is known")

func (c *checker) accessLists(ctx context.Context) error {
	err := c.session.conn.Load().ListAccessLists(ctx, func(*accesslistv1.AccessList) error { return errEnough })
	switch {
	case errors.Is(err, errEnough):
		return nil
	case teleport.IsUnimplemented(err):
		return check.Lack("the cluster has none, so nobody is reminded of their reviews")
	case teleport.IsDenied(err):
		return check.Lack("nobody is reminded of their reviews; add the rule access_list: list, read, or set access_list_reminders.enabled = false")
	}
	return err
}

// rules tries the access monitoring rules and gives the recipients that they name
// beside those that are known.
func (c *checker) rules(ctx context.Context, known []string) (names []string) {
	var found rules.Found
	legs := []check.Leg{{
		Name: "rules", What: "access monitoring rules (access_monitoring_rule: list, read)", Optional: true,
		Try: func(ctx context.Context) (err error) {
			if found, err = rules.Inspect(ctx, cluster{c.session}, c.integration.Name); err != nil {
				return err
			}
			var said check.Findings
			if found.Absent != "" {
				said = append(said, check.Lack("%s", found.Absent))
			}
			for _, text := range found.Problems {
				said = append(said, check.Lack("%s", text))
			}
			return said
		},
	}}
	c.do(ctx, connected(legs)...)
	if found.Traits {
		c.do(ctx, connected([]check.Leg{{
			Name: "read-users", What: "read the traits of users (user: read)", Optional: true,
			Try: func(ctx context.Context) error {
				_, err := c.session.traits(ctx, teleport.NoRequest)
				return letIn(err, "rules that mention traits see none; add the rule user: read")
			},
		}})...)
	}
	return slices.DeleteFunc(found.Recipients, func(name string) bool { return slices.Contains(known, name) })
}

// wayBack are the legs of what people press.
func (c *checker) wayBack() []check.Leg {
	listener, ok := c.session.listener()
	if !ok {
		return nil
	}
	o := c.session.desk(func(string) { c.notes(c.session.health) }) // some are withdrawn when it ends
	o.Log = c.log.Logger                                            // what somebody presses meanwhile is logged in any case
	o.Author = func() string {
		if id := c.session.identity.Load(); id != nil {
			return id.User
		}
		return ""
	}
	return decision.Legs(o, listener, legConnection, legCredentials, legConnection)
}
