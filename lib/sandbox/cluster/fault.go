package cluster

import (
	"context"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/gravitational/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Faults are the lasting misbehaviours of a cluster. The zero value is none.
type Faults struct {
	// RefuseConnections resets new connections; open ones go on.
	RefuseConnections bool `json:"refuse_connections,omitempty"`
	// BlackHole lets packets vanish: open connections stay open and silent,
	// new ones are accepted and never answered. What was held back is
	// delivered when it ends.
	BlackHole bool `json:"black_hole,omitempty"`
	// SlowMS delays every call by so many milliseconds.
	SlowMS int `json:"slow_ms,omitempty"`
	// ConflictNextWrites is how many of the next UpdatePluginData calls fail
	// with CompareFailed, as if another writer had always been faster.
	ConflictNextWrites int `json:"conflict_next_writes,omitempty"`
	// Failures are calls that fail.
	Failures []Failure `json:"failures,omitempty"`
}

// Failure makes calls of one method fail.
type Failure struct {
	// Method is the bare name, for example ListAccessRequests; empty means
	// every method.
	Method string `json:"method,omitempty"`
	// Code is the gRPC code of the answer. In JSON it is the number, or the
	// name in capitals: "UNAVAILABLE".
	Code codes.Code `json:"code"`
	// Times is how many calls fail; zero means until it is cleared.
	Times int `json:"times,omitempty"`
	// AfterWork does the call's work before it fails: the caller cannot know
	// that it was done.
	AfterWork bool `json:"after_work,omitempty"`
}

func (f Failure) err() error { return status.Error(f.Code, "simulated failure") }

// Faults returns the faults that are set; counts tell what is left of them.
func (c *Cluster) Faults() Faults {
	f := c.faults.get()
	f.RefuseConnections = c.gate.refuses.Load()
	f.BlackHole = c.gate.silent.Load()
	return f
}

// SetFaults replaces all faults; SetFaults(Faults{}) ends them.
func (c *Cluster) SetFaults(f Faults) {
	c.faults.set(f)
	c.RefuseConnections(f.RefuseConnections)
	c.BlackHole(f.BlackHole)
}

// RefuseConnections switches the fault of that name.
func (c *Cluster) RefuseConnections(on bool) { c.gate.refuses.Store(on) }

// BlackHole switches the fault of that name.
func (c *Cluster) BlackHole(on bool) { c.gate.setSilent(on) }

// Slow delays every call by d, to the millisecond; zero ends it.
func (c *Cluster) Slow(d time.Duration) {
	c.faults.change(func(f *Faults) { f.SlowMS = int(d.Milliseconds()) })
}

// ConflictNextWrites lets the next n writes of plugin data lose against another
// writer.
func (c *Cluster) ConflictNextWrites(n int) {
	c.faults.change(func(f *Faults) { f.ConflictNextWrites = n })
}

// FailCalls lets the next calls of a method fail with a code; see Failure.
func (c *Cluster) FailCalls(method string, code codes.Code, times int) {
	c.AddFailure(Failure{Method: method, Code: code, Times: times})
}

// AddFailure adds a failure behind those already set; the first that matches a
// call is the one that hits it.
func (c *Cluster) AddFailure(failure Failure) {
	c.faults.change(func(f *Faults) { f.Failures = append(f.Failures, failure) })
}

// ClearFailures removes every failure and conflict; other faults stay.
func (c *Cluster) ClearFailures() {
	c.faults.change(func(f *Faults) { f.Failures, f.ConflictNextWrites = nil, 0 })
}

// ObserveFailures has the function called with each failure that hits a call, and
// with the call's message as a text; a conflict counts as a failure. Nil ends it.
func (c *Cluster) ObserveFailures(f func(failure Failure, content string)) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.observer = f
}

// CutStreams ends every open watch stream, with an error as a failing server
// does, or in good order as a server does that closes. Connections stay open.
func (c *Cluster) CutStreams(withError bool) {
	var reason error
	if withError {
		reason = trace.ConnectionProblem(nil, "simulated end of the watch stream")
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for w := range c.watchers {
		w.end(reason)
	}
}

// CutConnections resets every open connection; new ones are welcome.
func (c *Cluster) CutConnections() { c.gate.cut() }

// Watchers tells how many watch streams are open.
func (c *Cluster) Watchers() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.watchers)
}

// faultSet guards the faults that calls ask for.
type faultSet struct {
	mu       sync.Mutex
	faults   Faults
	observer func(Failure, string)
}

// observed tells the observer of a failure that hits a call.
func (s *faultSet) observed(f Failure, message any) {
	s.mu.Lock()
	observer := s.observer
	s.mu.Unlock()
	if observer != nil {
		observer(f, fmt.Sprint(message))
	}
}

func (s *faultSet) get() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults
	f.Failures = slices.Clone(f.Failures)
	return f
}

func (s *faultSet) set(f Faults) {
	f.Failures = slices.Clone(f.Failures)
	s.change(func(old *Faults) { *old = f })
}

func (s *faultSet) change(f func(*Faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.faults)
}

// take returns the delay and the failure that hit this call, and counts it.
func (s *faultSet) take(method string) (delay time.Duration, hit Failure, fails bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delay = time.Duration(s.faults.SlowMS) * time.Millisecond
	i := slices.IndexFunc(s.faults.Failures, func(f Failure) bool { return f.Method == "" || f.Method == method })
	if i < 0 {
		return delay, Failure{}, false
	}
	f := &s.faults.Failures[i]
	hit = *f
	if f.Times > 0 {
		if f.Times--; f.Times == 0 {
			s.faults.Failures = slices.Delete(s.faults.Failures, i, i+1)
		}
	}
	return delay, hit, true
}

// takeConflict reports whether this write is one that loses, and counts it.
func (s *faultSet) takeConflict() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.ConflictNextWrites <= 0 {
		return false
	}
	s.faults.ConflictNextWrites--
	return true
}

// disturb counts a call and carries the faults out around it.
func (c *Cluster) disturb(ctx context.Context, fullMethod string, message any, call func() error) error {
	method := path.Base(fullMethod)
	c.calls.add(method)
	delay, failure, fails := c.faults.take(method)
	if fails {
		c.faults.observed(Failure{Method: method, Code: failure.Code, AfterWork: failure.AfterWork}, message)
	}
	if err := wait(ctx, delay); err != nil {
		return err
	}
	if fails && !failure.AfterWork {
		return failure.err()
	}
	if err := call(); err != nil {
		return err
	}
	if fails {
		return failure.err()
	}
	return nil
}

func (c *Cluster) disturbUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	err = c.disturb(ctx, info.FullMethod, req, func() (err error) {
		resp, err = handler(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (c *Cluster) disturbStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return c.disturb(stream.Context(), info.FullMethod, "", func() error { return handler(srv, stream) })
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}
