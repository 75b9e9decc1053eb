package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"teleport-plugins/access/e2e/harness"
)

// script is what the plugin did for one request, once it knew everybody, for the
// floor to do the same for each.
type script struct {
	// Plugin is the name under which records are written.
	Plugin string `json:"plugin"`
	// Request is the id of that request, which stands for that of any other.
	Request       string `json:"request"`
	Claim, Result write
	Calls         []call
}

// write is one update of a record.
type write struct{ Set, Expect map[string]string }

// call is one call to the service.
type call struct {
	Method, URI string
	Header      http.Header
	Body        string
	// Nonce is a part of the body that the service wants to be another in each
	// call, or empty.
	Nonce string
}

// nonce finds the idempotency key in a body; the plugin derives it from the id.
var nonce = regexp.MustCompile(`"nonce":"([^"]+)"`)

// recorder stands before a service and writes down what is called there.
type recorder struct {
	server *httptest.Server
	next   http.Handler

	mu    sync.Mutex
	calls []call
}

// ServeHTTP writes a call down and passes it on.
func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := call{Method: req.Method, URI: req.RequestURI, Header: req.Header.Clone(), Body: string(body)}
	c.Header.Del("Accept-Encoding") // the transport adds it
	if found := nonce.FindSubmatch(body); found != nil {
		c.Nonce = string(found[1])
	}
	r.mu.Lock()
	r.calls = append(r.calls, c)
	r.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(body))
	r.next.ServeHTTP(w, req)
}

// record puts a recorder between a world's plugin, which is not running, and its
// service.
func record(w *harness.World) (*recorder, error) {
	service, err := url.Parse(w.Service().URL())
	if err != nil {
		return nil, fmt.Errorf("recording calls: %w", err)
	}
	origin := &url.URL{Scheme: service.Scheme, Host: service.Host}
	config, err := os.ReadFile(w.ConfigPath)
	if err != nil {
		return nil, fmt.Errorf("recording calls: %w", err)
	}
	proxy := httputil.NewSingleHostReverseProxy(origin)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // a call that the plugin gave up
	r := &recorder{next: proxy}
	r.server = httptest.NewServer(r)
	config = bytes.ReplaceAll(config, []byte(origin.String()), []byte(r.server.URL))
	if err := os.WriteFile(w.ConfigPath, config, 0o600); err != nil {
		r.server.Close()
		return nil, fmt.Errorf("recording calls: %w", err)
	}
	return r, nil
}

// learn lets the plugin tell two requests, and returns what it did for the second.
func (s *subject) learn(ctx context.Context) (*script, error) {
	r, err := record(s.World)
	if err != nil {
		return nil, err
	}
	defer r.server.Close()
	if _, err := s.begin(ctx); err != nil {
		return nil, err
	}
	if _, _, err := s.burst(ctx, 1); err != nil { // what is looked up once
		return nil, err
	}
	var mu sync.Mutex
	var before []map[string]string // the record, before each write
	s.Cluster.BeforeWrite(func(id, plugin string) {
		mu.Lock()
		defer mu.Unlock()
		before = append(before, s.Cluster.PluginData(id, plugin))
	})
	defer s.Cluster.BeforeWrite(nil)
	r.mu.Lock()
	r.calls = nil
	r.mu.Unlock()
	_, ids, err := s.burst(ctx, 1)
	if err == nil {
		_, _, err = s.process.Stop()
	}
	if err != nil {
		return nil, err
	}
	if len(before) < 2 || len(r.calls) != s.recipients {
		return nil, fmt.Errorf("the plugin made %d calls and wrote %d records for a request to %d recipients", len(r.calls), len(before), s.recipients)
	}
	claim, result := before[1], s.Cluster.PluginData(ids[0], s.Plugin())
	return &script{
		Plugin: s.Plugin(), Request: ids[0], Calls: r.calls,
		Claim: change(nil, claim), Result: change(claim, result),
	}, nil
}

// change is the update that makes one record of another. It expects of each key what
// it was.
func change(from, to map[string]string) write {
	w := write{Set: make(map[string]string), Expect: make(map[string]string)}
	for _, key := range slices.Concat(slices.Collect(maps.Keys(from)), slices.Collect(maps.Keys(to))) {
		if w.Expect[key] = from[key]; to[key] != from[key] {
			w.Set[key] = to[key]
		}
	}
	return w
}

// do makes a call about a request.
func (c *call) do(ctx context.Context, client *http.Client, origin, from, to, fresh string) error {
	body := strings.ReplaceAll(c.Body, from, to)
	if c.Nonce != "" {
		body = strings.Replace(body, c.Nonce, fresh, 1)
	}
	req, err := http.NewRequestWithContext(ctx, c.Method, origin+strings.ReplaceAll(c.URI, from, to), strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("calling: %w", err)
	}
	req.Header = c.Header.Clone()
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("calling: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode > 299 || bytes.Contains(text, []byte(`"ok":false`))) {
		err = errors.New(cmp.Or(string(text), resp.Status))
	}
	if err != nil {
		return fmt.Errorf("calling: %w", err)
	}
	return nil
}
