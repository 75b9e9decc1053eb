//go:build contract

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
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	validation "github.com/pb33f/libopenapi-validator/errors"

	"teleport-plugins/lib/sandbox/published"
)

// Checker is an http.RoundTripper that checks each call it carries, and the
// answer to it. It may be used from several goroutines.
type Checker struct {
	v    validator.Validator
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
	v := published.Load(t, func(dir string) (validator.Validator, error) {
		text, err := os.ReadFile(filepath.Join(dir, "pagerduty", "rest-access-request-subset.json"))
		if err != nil {
			return nil, fmt.Errorf("reading PagerDuty's description: %w", err)
		}
		return load(text)
	})
	return &Checker{v: v, base: http.DefaultTransport, calls: make(map[string]int)}
}

func load(text []byte) (validator.Validator, error) {
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("decoding PagerDuty's description: %w", err)
	}
	if err := supplement(tree); err != nil {
		return nil, err
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("encoding PagerDuty's description: %w", err)
	}
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, fmt.Errorf("reading PagerDuty's description: %w", err)
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithStrictMode(),
		config.WithStrictIgnorePaths(tolerated()...),
		config.WithLogger(slog.New(slog.DiscardHandler)))
	if len(errs) > 0 {
		return nil, fmt.Errorf("reading PagerDuty's description: %v", errs)
	}
	return v, nil
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
		ok, errs := c.v.ValidateHttpRequestSync(toPagerDuty(req, body))
		c.note(req, "request", ok, errs)
	}
	if err != nil || !described(req.URL.Path) {
		return resp, err
	}
	answer, err := drain(&resp.Body)
	if err != nil {
		return nil, err
	}
	copied := *resp
	copied.Body = io.NopCloser(bytes.NewReader(answer))
	ok, errs := c.v.ValidateHttpResponse(toPagerDuty(req, body), &copied)
	c.note(req, fmt.Sprintf("answer %d", resp.StatusCode), ok, errs)
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
func toPagerDuty(req *http.Request, body []byte) *http.Request {
	out := req.Clone(req.Context())
	out.URL.Scheme, out.URL.Host, out.Host = "https", "api.pagerduty.com", "api.pagerduty.com"
	out.Body = io.NopCloser(bytes.NewReader(body))
	return out
}

// described reports whether the description that we have knows the path.
func described(path string) bool {
	return !strings.HasPrefix(path, "/abilities") && !strings.HasPrefix(path, "/priorities")
}

func (c *Checker) note(req *http.Request, what string, ok bool, errs []*validation.ValidationError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[req.Method+" "+req.URL.Path]++
	if ok {
		return
	}
	for _, e := range errs {
		text := e.Message + ": " + e.Reason
		for _, s := range e.SchemaValidationErrors {
			text += fmt.Sprintf("; %s: %s", s.FieldPath, s.Reason)
		}
		c.faults = append(c.faults, fmt.Sprintf("%s %s: %s: %s", req.Method, req.URL.RequestURI(), what, text))
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
