package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/access/services"
	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Sizes of a large screen, a laptop and a phone.
var sizes = [][2]int{{1920, 1080}, {1280, 800}, {390, 844}}

// stage is a sandbox with plugins, and its page.
type stage struct {
	*testing.T
	*sandbox.Sandbox
	address string
	server  *httptest.Server
	// streams has a value for each stream of events that is open.
	streams chan struct{}
}

// all are the names of all services, first is that of one.
func all() []string { return harness.Services() }

func first() []string { return all()[:1] }

func none() []string { return nil }

// set sets up a stage on which the plugins of the services run, ready.
func set(t *testing.T, address string, plugins []string) *stage {
	t.Helper()
	binaries := make(map[string]string, len(plugins))
	for _, name := range plugins {
		path, err := harness.Binary(name)
		if errors.Is(err, harness.ErrNotBuilt) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		binaries[name] = path
	}
	dir := t.TempDir()
	sb, err := sandbox.Start(sandbox.Options{Services: services.All()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &stage{T: t, Sandbox: sb, streams: make(chan struct{}, 100)}
	s.serve(address)
	for _, name := range plugins {
		if err := sb.StartPlugin(name+"="+binaries[name], dir); err != nil {
			t.Fatal(err)
		}
	}
	s.until("every plugin is ready", func() bool {
		for _, p := range sb.State(1).Plugins {
			if !p.Ready {
				return false
			}
		}
		return true
	})
	return s
}

// serve serves the page, at an address that was used before if one is given.
func (s *stage) serve(address string) {
	s.Helper()
	handler := s.Handler()
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/events" {
			s.streams <- struct{}{}
			defer func() { <-s.streams }()
		}
		handler.ServeHTTP(w, r)
	}))
	if address != "" {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			s.Fatal(err)
		}
		_ = s.server.Listener.Close() // another one takes its place
		s.server.Listener = listener
	}
	s.server.Start()
	s.address = s.server.Listener.Addr().String()
	s.Cleanup(s.leave)
}

// leave ends the page, and the streams to it.
func (s *stage) leave() {
	s.server.CloseClientConnections()
	s.server.Close()
}

func (s *stage) url() string { return "http://" + s.address }

// until waits until something is so at the sandbox.
func (s *stage) until(what string, holds func() bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 5*time.Minute)
	defer cancel()
	if err := s.Wait(ctx, holds); err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// ask makes a request.
func (s *stage) ask(user, reason string) string {
	s.Helper()
	id, err := s.Cluster().CreateRequest(cluster.CreateParams{User: user, Roles: []string{"demo-role"}, Reason: reason})
	if err != nil {
		s.Fatal(err)
	}
	return id
}

// api is what the API answers.
func api[T any](s *stage, path string) (value T) {
	s.Helper()
	resp, err := s.server.Client().Get(s.url() + path)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&value); err != nil {
		s.Fatal(err)
	}
	return value
}

// pictures is the folder into which pictures are to be put, if any.
func pictures(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("TELEPORT_SANDBOX_PICTURES")
	if dir == "" {
		t.Skip("TELEPORT_SANDBOX_PICTURES names no folder for pictures; run make pictures")
	}
	return dir
}
