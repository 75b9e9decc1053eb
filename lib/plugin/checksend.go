package plugin

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// tests are the legs that post a test message to each recipient and edit it, where the
// command line asks for that. Nothing is written to the cluster.
func (c *checker) tests(recipients []string) (legs []check.Leg) {
	if !c.flags.checking.send {
		return nil
	}
	v := testView(c.integration.Name, c.session.info.Load().ClusterName)
	for _, name := range recipients {
		legs = append(legs, check.Leg{
			Name: "test-message", What: "test message to recipient " + shown(name), Needs: []string{legCredentials},
			Try: func(ctx context.Context) error { return c.session.sendTest(ctx, name, v, c.run.Limit) },
		})
	}
	if len(legs) == 0 {
		legs = append(legs, check.Leg{Name: "test-message", What: "test message", Try: func(context.Context) error {
			return check.Lack("neither the config nor a rule names a recipient; name one with --recipient")
		}})
	}
	return legs
}

// testView is a request that does not exist and says so.
func testView(service, cluster string) request.View {
	const nobody = "nobody (test message)"
	random := rand.Text()
	return request.View{
		ID: fmt.Sprintf("test-%s", random), Cluster: cluster, User: nobody, Roles: []string{"none"},
		Reason: "Test message from teleport-" + service + " check; nobody asks for access",
		Status: request.Pending, Created: time.Now(),
	}
}

// sendTest posts a test message to a recipient and shows then that it is over.
func (s *session) sendTest(ctx context.Context, name string, v request.View, limit time.Duration) error {
	var address string
	var m plugindata.Message
	err := patient(func(ctx context.Context) (err error) {
		if address, err = s.parts.Service.Resolve(ctx, name); err == nil {
			m, err = s.parts.Service.Tell(ctx, integration.Place{Address: address}, integration.Effect{Kind: integration.Announce}, v)
		}
		return err
	})(ctx)
	switch {
	case outbound.KindOf(err) == outbound.Unclear:
		return fmt.Errorf("it is not known whether the message is there, which then stays as it is: %w", err)
	case err != nil:
		return err
	}
	return s.endTest(context.WithoutCancel(ctx), address, m, v, limit)
}

// endTries is how often it is tried to show that a test message is over.
const endTries = 3

// endTest shows that a test message is over, and takes its own time for that: one that
// is left open at a service may go on calling for somebody.
func (s *session) endTest(ctx context.Context, address string, m plugindata.Message, v request.View, limit time.Duration) (err error) {
	v.Status = request.Expired
	end := func(ctx context.Context) error {
		_, err := s.parts.Service.Tell(ctx, integration.Place{Address: address, Message: m}, integration.Outcome(integration.End, v.Status), v)
		return err
	}
	if shower, ok := s.parts.Service.(integration.Shower); ok {
		end = func(ctx context.Context) error { return shower.Show(ctx, m, v) }
	} else if !s.parts.Service.Tells(integration.End) {
		return nil
	}
	for range endTries {
		limited, cancel := context.WithTimeout(ctx, limit)
		err = patient(end)(limited)
		cancel()
		if err == nil || outbound.KindOf(err) == outbound.Refused {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("posted as %s in %s, but not edited, so that it goes on asking for a decision; end it by hand: %w", m.ID, m.Channel, err)
	}
	return nil
}
