package sandbox

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
)

const (
	// readinessPause is the time between two questions whether plugins are ready, and
	// readinessTime how long an answer may take.
	readinessPause = 400 * time.Millisecond
	readinessTime  = time.Second
	// maxLog is how many lines of a plugin are kept.
	maxLog = 400
)

// Readiness is what a plugin says about itself.
type Readiness struct {
	// Known says that the plugin was asked, and Ready is its answer.
	Known bool `json:"known"`
	Ready bool `json:"ready"`
	// Why are the reasons why it is not ready.
	Why []string `json:"why,omitempty"`
}

func (r Readiness) equal(o Readiness) bool {
	return r.Known == o.Known && r.Ready == o.Ready && slices.Equal(r.Why, o.Why)
}

// words are what a plugin says: its log, and its readiness.
type words struct {
	mu      sync.Mutex
	lines   []string
	address string // where it says how it is, or empty
	says    Readiness
}

// served finds the address of health and metrics in a log.
var served = regexp.MustCompile(`Serving health and metrics\s+address:"?([^\s"]+)`)

// hear keeps a line of the log.
func (w *words) hear(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m := served.FindStringSubmatch(line); m != nil {
		w.address = m[1]
	}
	if len(w.lines) >= maxLog {
		w.lines = slices.Delete(w.lines, 0, maxLog/4)
	}
	w.lines = append(w.lines, line)
}

// forget forgets what held only for a process that has ended.
func (w *words) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.address, w.says = "", Readiness{}
}

func (w *words) readiness() Readiness {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.says
}

func (w *words) log() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.lines...)
}

// watchReadiness asks the plugins how they are until ctx ends.
func (s *Sandbox) watchReadiness(ctx context.Context) {
	client := &http.Client{Timeout: readinessTime, Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(readinessPause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, r := range s.plugins.all() {
				if r.ask(ctx, client) {
					s.changes.tell()
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// ask asks a plugin whether it is ready, and reports whether the answer is a new one.
func (w *words) ask(ctx context.Context, client *http.Client) (changed bool) {
	w.mu.Lock()
	address := w.address
	w.mu.Unlock()
	if address == "" {
		return false
	}
	says := Readiness{Known: true}
	if err := readyz(ctx, client, address, &says); err != nil {
		says.Why = []string{"it does not answer"}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.address != address || w.says.equal(says) {
		return false
	}
	w.says = says
	return true
}

// readyz asks a plugin at an address.
func readyz(ctx context.Context, client *http.Client, address string, into *Readiness) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	var status struct {
		Ready      bool
		Conditions []struct {
			Name, Reason string
			OK           bool
		}
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxBody)).Decode(&status); err != nil {
		return err
	}
	into.Ready = status.Ready
	for _, c := range status.Conditions {
		if !c.OK {
			into.Why = append(into.Why, "not "+c.Name+": "+c.Reason)
		}
	}
	return nil
}

// getLog answers with the newest lines that a plugin wrote.
func (s *Sandbox) getLog(r *http.Request) (int, any, error) {
	p, err := s.plugins.find(r.PathValue("name"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string][]string{"lines": p.log()}, nil
}
