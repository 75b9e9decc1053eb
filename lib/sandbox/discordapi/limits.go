package discordapi

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits are the rate limits of a Server.
type Limits struct {
	// PerRoute calls of one method on one channel (or guild) are let through in
	// each Window.
	PerRoute int
	Window   time.Duration
	// Global is how many calls of all kinds are let through in a second.
	Global int
}

// DefaultLimits are five messages in five seconds for each channel, which is
// what the service lets through today though it does not promise it, and the
// documented fifty calls a second.
func DefaultLimits() *Limits { return &Limits{PerRoute: 5, Window: 5 * time.Second, Global: 50} }

// limiter counts calls in windows of fixed length.
type limiter struct {
	limits *Limits

	mu     sync.Mutex
	routes map[string]*window
	global window
}

type window struct {
	ends time.Time
	used int
}

func newLimiter(l *Limits) *limiter {
	return &limiter{limits: l, routes: make(map[string]*window)}
}

// verdict is what a limiter says of a call.
type verdict struct {
	limited   bool
	global    bool
	remaining int
	resetIn   time.Duration
}

func (l *limiter) take(method, target string, now time.Time) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v := l.global.take(l.limits.Global, time.Second, now); v.limited {
		v.global = true
		return v
	}
	key := method + " " + target
	if l.routes[key] == nil {
		l.routes[key] = &window{}
	}
	return l.routes[key].take(l.limits.PerRoute, l.limits.Window, now)
}

func (w *window) take(limit int, length time.Duration, now time.Time) verdict {
	if !now.Before(w.ends) {
		w.ends, w.used = now.Add(length), 0
	}
	v := verdict{resetIn: w.ends.Sub(now)}
	if w.used >= limit {
		v.limited = true
		return v
	}
	w.used++
	v.remaining = limit - w.used
	return v
}

// limit counts a call and tells about the limits in the header. It reports
// false when the call went over one and has been answered.
func (s *Server) limit(w http.ResponseWriter, c *call) bool {
	if s.opts.Limits == nil {
		return true
	}
	now := s.opts.Now()
	v := s.limiter.take(c.method, c.target, now)
	h := w.Header()
	if !v.global {
		h.Set("X-RateLimit-Limit", strconv.Itoa(s.opts.Limits.PerRoute))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(v.remaining))
		h.Set("X-RateLimit-Reset", seconds(time.Duration(now.Add(v.resetIn).UnixMilli())*time.Millisecond))
		h.Set("X-RateLimit-Reset-After", seconds(v.resetIn))
		h.Set("X-RateLimit-Bucket", strings.ToLower(strings.NewReplacer(" ", "", "/", "", "{", "", "}", "", "@", "").Replace(c.method)))
	}
	if v.limited {
		tooMany(w, v.resetIn, v.global)
	}
	return !v.limited
}

// seconds writes a time with three decimals.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// tooMany answers as Discord does to a caller that is too fast.
func tooMany(w http.ResponseWriter, wait time.Duration, global bool) {
	h := w.Header()
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	h.Set("X-RateLimit-Scope", "user")
	if global {
		h.Set("X-RateLimit-Global", "true")
		h.Set("X-RateLimit-Scope", "global")
	}
	writeJSON(w, http.StatusTooManyRequests, map[string]any{
		"message": "You are being rate limited.", "retry_after": wait.Seconds(), "global": global,
	})
}
