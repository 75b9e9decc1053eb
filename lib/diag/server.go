package diag

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// shutdownTime is how long running answers may take when a Server stops.
const shutdownTime = 2 * time.Second

// ServerOptions says what a Server shows.
type ServerOptions struct {
	// Addr is the host:port to listen on; port 0 takes a free one.
	Addr string
	// Health is shown on /readyz.
	Health *Health
	// Live tells on /healthz why the process ought to be restarted, or nil; a
	// nil func means that it never ought to be.
	Live func() error
	// Metrics are shown on /metrics.
	Metrics prometheus.Gatherer
}

// Server answers /healthz, /readyz and /metrics over HTTP.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// NewServer begins to listen, so that an address that cannot be used is told at
// start; Run answers. The error says in one sentence what is wrong with the
// address.
func NewServer(options ServerOptions) (*Server, error) {
	listener, err := net.Listen("tcp", options.Addr)
	if err != nil {
		return nil, listenError(options.Addr, err)
	}
	return &Server{
		listener: listener,
		http: &http.Server{
			Handler:           Handler(options),
			ReadHeaderTimeout: 5 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
		},
	}, nil
}

func listenError(addr string, err error) error {
	text := "the address cannot be used; write --diag-addr as host:port, as in 127.0.0.1:8085"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		text = "another process uses the port already; choose another one with --diag-addr"
	case errors.Is(err, syscall.EACCES):
		text = "the user that runs the plugin may not use the port; choose one above 1023 with --diag-addr"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		text = "this machine does not have the address; write one that it has with --diag-addr, as in 127.0.0.1:8085"
	}
	return &unserved{fmt.Sprintf("health and metrics cannot be served on %q: %s", addr, text), err}
}

// unserved is why a server cannot listen, in a sentence in place of the system's words.
type unserved struct {
	sentence string
	cause    error
}

func (u *unserved) Error() string { return u.sentence }

func (u *unserved) Unwrap() error { return u.cause }

// Addr gives the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close stops to listen, for a server whose Run is never called.
func (s *Server) Close() error {
	if err := s.listener.Close(); err != nil {
		return fmt.Errorf("closing the listener for health and metrics: %w", err)
	}
	return nil
}

// Run answers until the context ends, lets running answers finish for a short
// time, and returns nil; it returns an error when it can no longer listen. It is
// called once.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving health and metrics: %w", err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := s.http.Shutdown(bounded); err != nil {
		_ = s.http.Close() // what still runs after that time is cut off
	}
	<-served
	return nil
}

// Handler gives the three pages, for a server of the caller's own.
func Handler(options ServerOptions) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if options.Live != nil {
			if err := options.Live(); err != nil {
				writeText(w, http.StatusServiceUnavailable, "not alive: "+visible(err.Error())+"\n")
				return
			}
		}
		writeText(w, http.StatusOK, "alive\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		writeStatus(w, r, options.Health.Status())
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(options.Metrics, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	return mux
}

// writeStatus answers in JSON to those who ask for it, else in text.
func writeStatus(w http.ResponseWriter, r *http.Request, status Status) {
	code := http.StatusOK
	if !status.Ready {
		code = http.StatusServiceUnavailable
	}
	if !strings.Contains(r.Header.Get("Accept"), "application/json") {
		writeText(w, code, status.String())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(status) // the caller may have gone
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text)) // the caller may have gone
}
