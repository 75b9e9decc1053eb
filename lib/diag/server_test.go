package diag_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"teleport-plugins/lib/diag"
)

// serve runs a server on a free port until the test ends.
func serve(t *testing.T, options diag.ServerOptions) string {
	t.Helper()
	options.Addr = "127.0.0.1:0"
	server, err := diag.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t)
	})
	return "http://" + server.Addr().String()
}

func get(t *testing.T, url, accept string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestPages(t *testing.T) {
	health := diag.NewHealth(connected, delivering)
	var dead error
	registry := diag.NewRegistry("example", "1.2.3")
	url := serve(t, diag.ServerOptions{Health: health, Live: func() error { return dead }, Metrics: registry})

	expect := func(path string, code int, parts ...string) {
		t.Helper()
		got, body := get(t, url+path, "")
		if got != code {
			t.Errorf("%s: got %d, want %d", path, got, code)
		}
		for _, part := range parts {
			if !strings.Contains(body, part) {
				t.Errorf("%s lacks %q:\n%s", path, part, body)
			}
		}
	}
	expect("/healthz", 200, "alive\n")
	expect("/readyz", 503, "failed teleport connected: starting", "failed delivering: starting")
	health.OK(connected)
	health.Fail(delivering, "no answer\nfrom the service")
	expect("/readyz", 503, "ok     teleport connected", `failed delivering: no answer\nfrom the service`)
	expect("/healthz", 200, "alive\n")
	health.OK(delivering)
	expect("/readyz", 200, "ok     delivering")
	dead = errors.New("the queue\nstands still")
	expect("/healthz", 503, `not alive: the queue\nstands still`)
	expect("/metrics", 200, `teleport_plugin_info{plugin="example",version="1.2.3"} 1`, "go_goroutines ", "process_open_fds ")
	expect("/", 404)
}

func TestReadyInJSON(t *testing.T) {
	health := diag.NewHealth(connected)
	health.Fail(connected, "refused")
	url := serve(t, diag.ServerOptions{Health: health, Metrics: prometheus.NewRegistry()})
	code, body := get(t, url+"/readyz", "application/json")
	var status diag.Status
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		t.Fatal(err)
	}
	if code != 503 || status.Ready || len(status.Conditions) != 1 || status.Conditions[0].Reason != "refused" {
		t.Errorf("got %d, %+v", code, status)
	}
}

func TestPortInUseIsSaidPlainly(t *testing.T) {
	first, err := diag.NewServer(diag.ServerOptions{Addr: "127.0.0.1:0", Health: diag.NewHealth(), Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = diag.NewServer(diag.ServerOptions{Addr: first.Addr().String()})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "another process uses the port already; choose another one with --diag-addr") {
		t.Errorf("got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := first.Run(t.Context()); err == nil {
		t.Error("a closed server runs")
	}
}

func TestAddressThatIsNone(t *testing.T) {
	if _, err := diag.NewServer(diag.ServerOptions{Addr: "nonsense"}); err == nil || !strings.Contains(err.Error(), "write --diag-addr as host:port") {
		t.Errorf("got %v", err)
	}
}
