package reconcile_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
)

// memory is a cluster's store of requests and records in memory. It has the
// real semantics of plugin data, because it uses the cluster's own code.
type memory struct {
	mu       sync.Mutex
	requests map[string]types.AccessRequest
	records  map[string]types.PluginData
	sinks    []sink

	reads, gets, writes int
	hidden              bool                                    // the role may not read requests
	beforeWrite         func(id string) error                   // refuses a write
	afterWrite          func(id string) error                   // the write is done, the answer is lost
	beforeRead          func(id string) error                   // refuses a read
	tries               int                                     // calls of every kind
	beforeReview        func(id string) error                   // refuses a review
	foreign             func(id string) (set map[string]string) // written by somebody else first
	late                func() bool                             // whether the next event is held back
	held                []func()                                // events that were held back, in order
}

type sink interface {
	Changed(req types.AccessRequest)
	Deleted(id string)
}

var (
	errConflict = errors.New("compare failed")
	errDenied   = errors.New("denied")
	errMissing  = errors.New("not found")
)

func newMemory() *memory {
	return &memory{requests: map[string]types.AccessRequest{}, records: map[string]types.PluginData{}}
}

func (m *memory) GetRequest(_ context.Context, id string) (types.AccessRequest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	m.tries++
	if m.beforeRead != nil {
		if err := m.beforeRead(id); err != nil {
			return nil, err
		}
	}
	req, ok := m.requests[id]
	if !ok || m.hidden {
		return nil, nil
	}
	return req.Copy(), nil
}

func (m *memory) GetPluginData(_ context.Context, _, id, plugin string) (map[string]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets++
	return m.data(id, plugin), nil
}

func (m *memory) data(id, plugin string) map[string]string {
	if d, ok := m.records[id]; ok && d.Entries()[plugin] != nil {
		return maps.Clone(d.Entries()[plugin].Data)
	}
	return nil
}

func (m *memory) UpdatePluginData(ctx context.Context, kind, id, plugin string, set, expect map[string]string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	m.tries++
	before, after := m.beforeWrite, m.afterWrite
	m.mu.Unlock()
	if before != nil {
		if err := before(id); err != nil {
			return err
		}
	}
	err := m.update(kind, id, plugin, set, expect)
	if err == nil && after != nil {
		err = after(id)
	}
	return err
}

// with changes the switches while others are at work.
func (m *memory) with(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *memory) update(kind, id, plugin string, set, expect map[string]string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	d, ok := m.records[id]
	if !ok {
		if m.requests[id] == nil {
			return errMissing
		}
		d, _ = types.NewPluginData(id, kind)
		m.records[id] = d
	}
	if m.foreign != nil {
		if foreign := m.foreign(id); foreign != nil {
			_ = d.Update(types.PluginDataUpdateParams{Kind: kind, Resource: id, Plugin: plugin, Set: foreign})
		}
	}
	if d.Update(types.PluginDataUpdateParams{Kind: kind, Resource: id, Plugin: plugin, Set: set, Expect: expect}) != nil {
		return errConflict
	}
	return nil
}

func (m *memory) SubmitReview(_ context.Context, id string, r types.AccessReview) (types.AccessRequest, error) {
	m.mu.Lock()
	refuse := m.beforeReview
	m.mu.Unlock()
	if refuse != nil {
		if err := refuse(id); err != nil {
			return nil, err
		}
	}
	m.put(id, func(req types.AccessRequest) { req.SetReviews(append(req.GetReviews(), r)) })
	return m.request(id), nil
}

// request is the request as it is now, or nil.
func (m *memory) request(id string) types.AccessRequest {
	m.mu.Lock()
	defer m.mu.Unlock()
	if req := m.requests[id]; req != nil {
		return req.Copy()
	}
	return nil
}

// put changes a request (or makes it) and tells everybody.
func (m *memory) put(id string, change func(r types.AccessRequest)) {
	m.mu.Lock()
	req := m.requests[id]
	if req == nil {
		req, _ = types.NewAccessRequest(id, "alice", "editor")
		req.SetCreationTime(time.Now())
	} else {
		req = req.Copy()
	}
	if change != nil {
		change(req)
	}
	m.requests[id] = req
	sinks := m.sinks
	m.mu.Unlock()
	m.tell(func() {
		for _, s := range sinks {
			s.Changed(req.Copy())
		}
	})
}

// tell hands out an event, after those that were held back, or holds it back too.
func (m *memory) tell(event func()) {
	m.mu.Lock()
	m.held = append(m.held, event)
	late := m.late
	m.mu.Unlock()
	if late != nil && late() {
		return
	}
	m.mu.Lock()
	events := m.held
	m.held = nil
	m.mu.Unlock()
	for _, event := range events {
		event()
	}
}

func (m *memory) review(id, author string, state types.RequestState, reason string) {
	m.put(id, func(r types.AccessRequest) {
		r.SetReviews(append(r.GetReviews(), types.AccessReview{Author: author, ProposedState: state, Reason: reason, Created: time.Now()}))
	})
}

func (m *memory) decide(id string, state types.RequestState) {
	m.put(id, func(r types.AccessRequest) { _ = r.SetState(state) })
}

func (m *memory) remove(id string) {
	m.mu.Lock()
	delete(m.requests, id)
	sinks := m.sinks
	m.mu.Unlock()
	m.tell(func() {
		for _, s := range sinks {
			s.Deleted(id)
		}
	})
}
