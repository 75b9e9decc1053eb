package lane

import "time"

// Open says whether calls may be made in a lane at all; a lane that is only busy
// is open.
func (l *Lanes) Open(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.all[key]
	return a == nil || a.refused == 0
}

// Shut reports whether all lanes in which a request waits are closed by a refusal.
// That is so as well where it waits in none.
func (l *Lanes) Shut(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for a := range l.lines[id] {
		if a.refused == 0 {
			return false
		}
	}
	return true
}

// Refuse closes a lane until the next probe. It reports whether that is news.
func (l *Lanes) Refuse(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.lane(key)
	if a.refused > 0 && time.Now().Before(a.until) {
		return false // a call that was under way by then says no more
	}
	a.closed = time.Now()
	a.until = a.closed.Add(l.Pace.Probe(a.refused + 1))
	a.refused++
	a.width = 1
	return a.refused == 1
}

// Hold closes a lane for a while, after which calls begin one by one. Zero stands
// for a pause that grows with each failure.
func (l *Lanes) Hold(key string, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.lane(key)
	if !time.Now().Before(a.until) {
		a.closed = time.Now()
		a.failed++
	}
	if wait == 0 {
		wait = l.Pace.Backoff(a.failed)
	}
	if until := time.Now().Add(wait); until.After(a.until) {
		a.until = until
	}
	a.width = 1
}

// Accept opens a lane in which a call was taken: twice as many as before may begin
// at a time, or as many as is good anywhere. A call that had begun before the lane
// was closed says nothing. It reports whether the lane had been closed by a refusal.
func (l *Lanes) Accept(key string, begun time.Time, wide bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.lane(key)
	if begun.Before(a.closed) && time.Now().Before(a.until) {
		return false
	}
	before := a.refused
	a.refused, a.failed, a.until, a.width = 0, 0, time.Time{}, min(2*a.width, l.Width)
	if wide {
		a.one, a.width = false, l.Width
	}
	l.dispatch(a)
	return before > 0
}

// Slow says that a call in a lane takes long: one at a time is made there until
// one is answered.
func (l *Lanes) Slow(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lane(key).width = 1
}

// Heard counts the calls in a row that the service has not answered.
func (l *Lanes) Heard(answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !answered {
		l.unheard++
		return
	}
	l.unheard = 0
	if a := l.all[Service]; a != nil {
		l.dispatch(a)
	}
}

// Gate is the lane that every request must go through first, if there is one now:
// while the service refuses the token, or answers nothing.
func (l *Lanes) Gate() (key string, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.all[Token]; a != nil && a.refused > 0 {
		return Token, true
	}
	return Service, l.unheard >= unheardMost
}

// Blind returns how long it is believed that nothing can be looked up in a lane.
func (l *Lanes) Blind(key string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.all[key]; a != nil {
		return max(time.Until(a.blind), 0)
	}
	return 0
}

// Blindfold notes that nothing can be looked up in a lane until the next probe. It
// reports whether that is news.
func (l *Lanes) Blindfold(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.lane(key)
	if time.Now().Before(a.blind) {
		return false // a look-up that was under way by then says no more
	}
	a.blind = time.Now().Add(l.Pace.Probe(a.unread + 1))
	a.unread++
	return a.unread == 1
}

// Sees notes that something could be looked up in a lane.
func (l *Lanes) Sees(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.all[key]; a != nil {
		a.blind, a.unread = time.Time{}, 0
	}
}
