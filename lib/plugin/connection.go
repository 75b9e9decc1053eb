package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/clock"
	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/teleport"
	"teleport-plugins/lib/watch"
)

// connect dials the cluster and makes the connection the one that is used.
func (s *session) connect(ctx context.Context) (watch.Source, error) {
	defer s.unanswered("The Teleport cluster at " + s.settings.Common().Teleport.Addr)()
	clt, err := teleport.Dial(ctx, teleport.DialOptions{Addr: s.settings.Common().Teleport.Addr, Identity: s.identity.Load()})
	if err != nil {
		return nil, err
	}
	conn := teleport.NewConn(clt)
	s.log.Debug("Checking Teleport server version")
	info, err := conn.Probe(ctx)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if before := s.info.Load(); info.Warning != "" && before.Warning != info.Warning {
		s.log.Warn(info.Warning)
	}
	s.info.Store(&info)
	s.conn.Store(conn)
	s.proveRecords(ctx)
	s.log.Info("Connected to Teleport", zap.String("cluster", info.ClusterName), zap.String("server_version", info.ServerVersion))
	return source{conn, s}, nil
}

// proveRecords states that plugin data may not be written before the first request
// shows it, and that it may where it was not before.
func (s *session) proveRecords(ctx context.Context) {
	conn, err := s.current()
	if err != nil || s.reconciler == nil { // for check, which looks by itself
		return
	}
	may, sure, err := conn.MayWriteRecords(ctx)
	if err != nil || !sure || may && !s.conditions.Failing(reconcile.ConditionRecords) {
		return
	}
	s.conditions.Set(reconcile.ConditionRecords, may, "the plugin's role may not write plugin data; add the rule access_plugin_data: update to it")
}

// sink hands what the watch tells to the reconciler, and what tells the time to the
// clock.
type sink struct {
	*reconcile.Reconciler
	clock *clock.Clock
}

// Changed implements watch.Sink. A pending request that nobody has reviewed is most
// likely new.
func (s sink) Changed(req types.AccessRequest) {
	if req.GetState() == types.RequestState_PENDING && len(req.GetReviews()) == 0 {
		s.clock.Heard(teleport.Times(req).Created)
	}
	s.Reconciler.Changed(req)
}

// List implements watch.Sink.
func (s sink) List() watch.List { return s.Reconciler.List() }

// health is where the reconciler states conditions and notes.
type health struct {
	*conditions
	notes *diag.Health
}

// Note implements reconcile.Health.
func (h health) Note(name, text string) { h.notes.Note(name, text) }

// source is a connection that, when another has taken its place, lets calls
// that are under way finish.
type source struct {
	*teleport.Conn
	s *session
}

// Close ends the connection, at once if it is the one in use.
func (c source) Close() error {
	if c.s.conn.Load() == c.Conn {
		return c.Conn.Close()
	}
	c.s.retired.Go(func() {
		select {
		case <-time.After(retireTime):
		case <-c.s.closing:
		}
		_ = c.Conn.Close()
	})
	return nil
}

func (s *session) place() (name, web string) {
	info := s.info.Load()
	return info.ClusterName, info.WebProxyAddr
}

// errNotConnected is the answer to calls before the first connection.
var errNotConnected = errors.New("there is no connection to Teleport yet")

func (s *session) current() (*teleport.Conn, error) {
	if conn := s.conn.Load(); conn != nil {
		return conn, nil
	}
	return nil, errNotConnected
}

// on makes a call on the connection of the moment.
func on[T any](s *session, call func(*teleport.Conn) (T, error)) (answer T, err error) {
	conn, err := s.current()
	if err != nil {
		return answer, err
	}
	return call(conn)
}

func (s *session) traits(ctx context.Context, user string) (map[string][]string, error) {
	return on(s, func(conn *teleport.Conn) (map[string][]string, error) { return conn.UserTraits(ctx, user) })
}

// How long it is tried to look something up on which recipients depend.
const (
	lookTime  = 3 * time.Second
	lookAgain = 300 * time.Millisecond
)

// userTraits reads the traits of a user, to find out who that is at the service. One
// whom the cluster does not know, as one who signs in elsewhere and is not signed in,
// has none. The answer is remembered for a minute: each message may ask.
func (s *session) userTraits(ctx context.Context, user string) (map[string][]string, error) {
	if known, ok := s.known.get(user); ok {
		return known, nil
	}
	traits, err := patiently(ctx, func(ctx context.Context) (map[string][]string, error) { return s.traits(ctx, user) })
	switch {
	case err == nil || teleport.IsNotFound(err):
		s.health.Note(noteTraits, "")
		s.known.put(user, traits, lookupAge)
		return traits, nil
	case teleport.IsDenied(err):
		s.health.Note(noteTraits, "not read; add the rule user: read")
		return nil, fmt.Errorf("the plugin's role may not read users; add the rule user: read to it: %w", err)
	}
	return nil, err
}

// patiently looks something up that recipients depend on, which are chosen once: after a
// failure that passes it is tried again for a while.
func patiently[T any](ctx context.Context, look func(context.Context) (T, error)) (found T, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	for {
		if found, err = look(ctx); answers(err) || !pace.Sleep(ctx, lookAgain) {
			return found, err
		}
	}
}

// patientLabels are the labels of the resources that a request is for.
func (s *session) patientLabels(ctx context.Context, request string) ([]map[string]string, error) {
	return patiently(ctx, func(ctx context.Context) ([]map[string]string, error) { return s.labels(ctx, request) })
}

// noteTraits is what messages and decisions are without where identity.trait cannot
// be read.
const noteTraits = "traits of users"

// labels reads the labels of the resources that a request is for.
func (s *session) labels(ctx context.Context, request string) ([]map[string]string, error) {
	return on(s, func(conn *teleport.Conn) ([]map[string]string, error) {
		if s.example != nil && s.example.GetName() == request {
			return conn.LabelsOf(ctx, s.info.Load().ClusterName, s.example)
		}
		return conn.ResourceLabels(ctx, s.info.Load().ClusterName, request)
	})
}

// names finds what people call the resources that a request is for.
func (s *session) names(ctx context.Context, request string) (names []string, err error) {
	conn, err := s.current()
	if err != nil {
		return nil, err
	}
	req, err := conn.GetRequest(ctx, request)
	if err != nil || req == nil {
		return nil, err
	}
	resources := teleport.Resources(req)
	known := s.decorator.namesOf(ctx, conn, resources)
	for _, r := range resources {
		names = append(names, known[types.ResourceIDToString(r.ID)])
	}
	return names, nil
}

// cluster makes the reconciler's calls on the connection of the moment.
type cluster struct{ s *session }

// GetRequest reads a request.
func (c cluster) GetRequest(ctx context.Context, id string) (types.AccessRequest, error) {
	return on(c.s, func(conn *teleport.Conn) (types.AccessRequest, error) { return conn.GetRequest(ctx, id) })
}

// GetPluginData reads a record.
func (c cluster) GetPluginData(ctx context.Context, kind, resource, plugin string) (map[string]string, error) {
	return on(c.s, func(conn *teleport.Conn) (map[string]string, error) {
		return conn.GetPluginData(ctx, kind, resource, plugin)
	})
}

// UpdatePluginData changes a record.
func (c cluster) UpdatePluginData(ctx context.Context, kind, resource, plugin string, set, expect map[string]string) error {
	conn, err := c.s.current()
	if err != nil {
		return err
	}
	return conn.UpdatePluginData(ctx, kind, resource, plugin, set, expect)
}

// SubmitReview reviews a request.
func (c cluster) SubmitReview(ctx context.Context, id string, r types.AccessReview) (types.AccessRequest, error) {
	return on(c.s, func(conn *teleport.Conn) (types.AccessRequest, error) { return conn.SubmitReview(ctx, id, r) })
}

// ListRules reads the access monitoring rules that concern the plugin.
func (c cluster) ListRules(ctx context.Context, plugin string, fn func(*rulesv1.AccessMonitoringRule) error) error {
	conn, err := c.s.current()
	if err != nil {
		return err
	}
	return conn.ListRules(ctx, plugin, fn)
}

// UserTraits reads the traits of a user.
func (c cluster) UserTraits(ctx context.Context, user string) (map[string][]string, error) {
	return c.s.traits(ctx, user)
}
