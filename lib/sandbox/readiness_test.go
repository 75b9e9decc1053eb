package sandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"teleport-plugins/lib/sandbox"
)

// A plugin is asked how it is where its log says that it can be; what it says is in the
// state, and its log can be read.
func TestReadinessIsWhatThePluginSays(t *testing.T) {
	var ready atomic.Bool
	health := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"ready":%v,"conditions":[{"name":"connected to Teleport","ok":%v,"reason":"cut off"}]}`, ready.Load(), ready.Load())
	}))
	t.Cleanup(health.Close)
	path := filepath.Join(t.TempDir(), "teleport-example")
	text := "#!/bin/sh\ntrap 'exit 0' TERM\necho 'INFO   Serving health and metrics address:\"" + strings.TrimPrefix(health.URL, "http://") + "\"'\nwhile :; do sleep 0.02; done\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	sb := start(t, sandbox.Options{})
	if err := sb.StartPlugin(path, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	says := func() sandbox.Readiness { return sb.State(1).Plugins[0].Readiness }
	waitFor(t, sb, func() bool { return says().Known })
	if got := says(); got.Ready || len(got.Why) != 1 || got.Why[0] != "not connected to Teleport: cut off" {
		t.Errorf("it says %+v", got)
	}
	ready.Store(true)
	waitFor(t, sb, func() bool { return says().Ready })
	if status, body := call(t, sb, "GET", "/api/plugins/example/log", ""); status != 200 || !strings.Contains(body, "Serving health") {
		t.Errorf("the log is %d %s", status, body)
	}
	health.Close()
	waitFor(t, sb, func() bool { return says().Known && !says().Ready })
}
