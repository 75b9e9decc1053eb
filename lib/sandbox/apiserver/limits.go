package apiserver

import "time"

// Limits are the rate limits of a service.
type Limits struct {
	// PerRoute calls of one method on one target are let through in each Window.
	PerRoute int
	Window   time.Duration
	// Global is how many calls of all kinds are let through in a second.
	Global int
}

// Limiter counts calls in windows of fixed length. It needs a lock around it.
type Limiter struct {
	Limits
	routes map[string]*window
	global window
}

type window struct {
	ends time.Time
	used int
}

// Limit is what a limiter says of a call.
type Limit struct {
	// Over says that the call is one too many; Global that it is so for all calls.
	Over, Global bool
	// Remaining is how many more are let through, until Reset has passed.
	Remaining int
	Reset     time.Duration
}

// Take counts a call.
func (l *Limiter) Take(method, target string, now time.Time) Limit {
	if v := l.global.take(l.Limits.Global, time.Second, now); v.Over {
		v.Global = true
		return v
	}
	if l.routes == nil {
		l.routes = make(map[string]*window)
	}
	key := method + " " + target
	if l.routes[key] == nil {
		l.routes[key] = &window{}
	}
	return l.routes[key].take(l.PerRoute, l.Window, now)
}

func (w *window) take(limit int, length time.Duration, now time.Time) Limit {
	if !now.Before(w.ends) {
		w.ends, w.used = now.Add(length), 0
	}
	v := Limit{Reset: w.ends.Sub(now)}
	if w.used >= limit {
		v.Over = true
		return v
	}
	w.used++
	v.Remaining = limit - w.used
	return v
}
