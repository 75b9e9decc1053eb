package plugin

import (
	"context"
	"errors"
	"time"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/teleport"
	"teleport-plugins/lib/watch"
)

// connect dials the cluster and makes the connection the one that is used.
func (s *session) connect(ctx context.Context) (watch.Source, error) {
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
	s.log.Info("Connected to Teleport", zap.String("cluster", info.ClusterName), zap.String("server_version", info.ServerVersion))
	return source{conn, s}, nil
}

// sink hands what the watch tells to the reconciler.
type sink struct{ *reconcile.Reconciler }

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

// labels reads the labels of the resources that a request is for.
func (s *session) labels(ctx context.Context, request string) ([]map[string]string, error) {
	return on(s, func(conn *teleport.Conn) ([]map[string]string, error) {
		if s.example != nil && s.example.GetName() == request {
			return conn.LabelsOf(ctx, s.info.Load().ClusterName, s.example)
		}
		return conn.ResourceLabels(ctx, s.info.Load().ClusterName, request)
	})
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
