// Package contract holds the calls of a PagerDuty client, and the answers of the
// simulated account, against the description of the REST API that PagerDuty
// itself publishes.
//
// The publication is not part of this repository. The environment variable
// named by published.EnvDir points at a folder that holds it, in
// pagerduty/rest-access-request-subset.json (OpenAPI 3); tests that need it are
// skipped without it.
package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"teleport-plugins/lib/sandbox/published"
	"teleport-plugins/lib/sandbox/published/openapi"
)

// Checker is an http.RoundTripper that checks each call it carries, and the
// answer to it. It may be used from several goroutines.
type Checker struct {
	api  *openapi.Description
	base http.RoundTripper

	mu     sync.Mutex
	calls  map[string]int
	faults []string
}

// New reads the publication, or skips the test when there is none. At the end
// of the test what was found makes it fail.
func New(t *testing.T) *Checker {
	t.Helper()
	c := NewUnattended(t)
	t.Cleanup(func() {
		for _, f := range c.Faults() {
			t.Error(f)
		}
	})
	return c
}

// NewUnattended is New for those who look at the Faults themselves.
func NewUnattended(t *testing.T) *Checker {
	t.Helper()
	api := published.Load(t, func(dir string) (*openapi.Description, error) {
		text, err := os.ReadFile(filepath.Join(dir, "pagerduty", "rest-access-request-subset.json"))
		if err != nil {
			return nil, fmt.Errorf("reading PagerDuty's description: %w", err)
		}
		return load(text)
	})
	return &Checker{api: api, base: http.DefaultTransport, calls: make(map[string]int)}
}

func load(text []byte) (*openapi.Description, error) {
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("decoding PagerDuty's description: %w", err)
	}
	if err := supplement(tree); err != nil {
		return nil, err
	}
	api, err := openapi.New(tree, nil)
	if err != nil {
		return nil, fmt.Errorf("reading PagerDuty's description: %w", err)
	}
	return api, nil
}

// RoundTrip carries out and checks one call. Paths that are not described pass
// unchecked.
func (c *Checker) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := drain(&req.Body)
	if err != nil {
		return nil, err
	}
	resp, err := c.base.RoundTrip(req)
	req.Body = io.NopCloser(bytes.NewReader(body))
	if described(req.URL.Path) {
		c.note(req, "request", c.api.Request(toPagerDuty(req), body))
	}
	if err != nil || !described(req.URL.Path) {
		return resp, err
	}
	answer, err := drain(&resp.Body)
	if err != nil {
		return nil, err
	}
	c.note(req, fmt.Sprintf("answer %d", resp.StatusCode), c.api.Answer(toPagerDuty(req), resp, answer))
	return resp, nil
}

// drain reads a body and puts a fresh reader in its place.
func drain(body *io.ReadCloser) ([]byte, error) {
	if *body == nil {
		return nil, nil
	}
	text, err := io.ReadAll(*body)
	_ = (*body).Close()
	*body = io.NopCloser(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("reading a body to check: %w", err)
	}
	return text, nil
}

// toPagerDuty is the request as it would go to PagerDuty itself.
func toPagerDuty(req *http.Request) *http.Request {
	out := req.Clone(req.Context())
	out.URL.Scheme, out.URL.Host, out.Host = "https", "api.pagerduty.com", "api.pagerduty.com"
	return out
}

// described reports whether the description that we have knows the path.
func described(path string) bool {
	return !strings.HasPrefix(path, "/abilities") && !strings.HasPrefix(path, "/priorities")
}

func (c *Checker) note(req *http.Request, what string, fault error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[req.Method+" "+req.URL.Path]++
	if fault != nil {
		c.faults = append(c.faults, fmt.Sprintf("%s %s: %s: %v", req.Method, req.URL.RequestURI(), what, fault))
	}
}

// Faults returns what was found to be against the description.
func (c *Checker) Faults() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.faults...)
}

// Checked is how many requests and answers were checked.
func (c *Checker) Checked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, calls := range c.calls {
		n += calls
	}
	return n
}
