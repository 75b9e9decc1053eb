package apiserver

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// CallLog is a log of the newest calls, with a counter for each method. R is one
// call as it arrived.
type CallLog[R any] struct {
	size int

	mu     sync.Mutex
	ring   []R
	next   int
	counts map[string]int
	last   map[string]time.Time
}

// DefaultKeep is how many calls are kept when nothing else is said.
const DefaultKeep = 4096

// NewCallLog makes a log of so many calls: DefaultKeep when it is zero, none when it
// is negative.
func NewCallLog[R any](size int) *CallLog[R] {
	if size == 0 {
		size = DefaultKeep
	}
	return &CallLog[R]{size: max(size, 0), counts: make(map[string]int), last: make(map[string]time.Time)}
}

// Keeps reports whether calls are kept at all, and not only counted.
func (c *CallLog[R]) Keeps() bool { return c.size > 0 }

// Add counts a call and keeps it in place of the oldest.
func (c *CallLog[R]) Add(method string, call R) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[method]++
	c.last[method] = time.Now()
	switch {
	case c.size == 0:
	case len(c.ring) < c.size:
		c.ring = append(c.ring, call)
	default:
		c.ring[c.next] = call
		c.next = (c.next + 1) % c.size
	}
}

// Requests returns the newest calls, oldest first. The maps in them are shared
// and must not be changed.
func (c *CallLog[R]) Requests() []R {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Concat(c.ring[c.next:], c.ring[:c.next])
}

// Calls is how often a method was called, failed calls included.
func (c *CallLog[R]) Calls(method string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[method]
}

// Last is when a method was answered last; the zero time if it never was.
func (c *CallLog[R]) Last(method string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last[method]
}

// Counts is Calls for every method that was called at all.
func (c *CallLog[R]) Counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// Seconds are whole seconds, rounded up, as HTTP wants them.
func Seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// WithoutSecrets is a copy of a header without what proves who calls.
func WithoutSecrets(h http.Header) http.Header {
	h = h.Clone()
	h.Del("Authorization")
	h.Del("Cookie")
	return h
}
