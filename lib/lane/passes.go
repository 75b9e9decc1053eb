package lane

import "sync"

// Passes are the lanes that a round has entered.
type Passes struct {
	// Calm says that others may overtake the request where it has to wait in line.
	Calm bool

	lanes *Lanes
	id    string

	mu   sync.Mutex
	held map[string]int
}

// Passes returns the passes of a round on a request, which has none yet.
func (l *Lanes) Passes(id string) *Passes { return &Passes{lanes: l, id: id} }

// Enter is as that of Lanes.
func (p *Passes) Enter(key string, one bool) bool {
	if !p.lanes.enter(key, p.id, one, p.Calm) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		p.held = make(map[string]int)
	}
	p.held[key]++
	return true
}

// Leave gives back the pass to one lane, if there is one.
func (p *Passes) Leave(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held[key] > 0 {
		p.held[key]--
		p.lanes.Leave(key)
	}
}

// Called is sent to when the round may enter a lane in which it waits.
func (p *Passes) Called() <-chan struct{} {
	p.lanes.mu.Lock()
	defer p.lanes.mu.Unlock()
	return p.lanes.rounds[p.id]
}

// LeaveAll gives back all passes.
func (p *Passes) LeaveAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, n := range p.held {
		for range n {
			p.lanes.Leave(key)
		}
	}
	p.held = nil
}
