package plugin

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/integration"
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
			Try: func(ctx context.Context) error { return c.session.sendTest(ctx, name, v) },
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
func (s *session) sendTest(ctx context.Context, name string, v request.View) error {
	address, err := s.parts.Service.Resolve(ctx, name)
	if err != nil {
		return err
	}
	m, err := s.parts.Service.Tell(ctx, integration.Place{Address: address}, integration.Effect{Kind: integration.Announce}, v)
	if err != nil {
		return err
	}
	shower, ok := s.parts.Service.(integration.Shower)
	if !ok {
		return nil
	}
	v.Status = request.Expired
	if err := shower.Show(ctx, m, v); err != nil {
		return fmt.Errorf("posted, but not edited: %w", err)
	}
	return nil
}
