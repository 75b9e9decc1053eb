package sandbox_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/browser"
)

// open opens the sandbox's page in a browser.
func open(t *testing.T, sb *sandbox.Sandbox, width, height int) context.Context {
	t.Helper()
	server := httptest.NewServer(sb.Handler())
	t.Cleanup(server.Close)
	return browser.Open(t, server.URL, width, height)
}
