package reconcile_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/request"
)

// Requests are made, reviewed and decided while replicas die and are started
// and calls and writes fail in every way; when the trouble is over, each
// recipient has one message that shows the final state, and each review was
// told once, in order. The outcome of a call can be looked up here, or a repeated
// call is known for what it is, so that not even a death between a call and its
// record excuses a second message.
func TestWhateverHappensEachIsToldOnceAndTheTruth(t *testing.T) {
	seeds := 150
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inTime(t, func(r *rig) { newModel(r, uint64(seed)).run() })
		})
	}
}

type model struct {
	*rig
	mu       sync.Mutex
	dice     *rand.Rand
	trouble  float64 // chance that a call or write fails
	replicas []*replica
	ids      []string
	reviews  map[string]int
	final    map[string]request.Version // id to the version that is to be shown
}

func newModel(r *rig, seed uint64) *model {
	m := &model{rig: r, dice: rand.New(rand.NewPCG(seed, 7)), trouble: 0.3, reviews: map[string]int{}, final: map[string]request.Version{}}
	r.service = finder{r.desk}
	if seed%5 == 0 {
		r.service, r.desk.keyed = r.desk, true
	}
	r.recipients = []string{"ops", "db", "sec"}[:1+seed%3]
	r.desk.latency = time.Duration(seed%4) * 300 * time.Millisecond
	r.desk.fault = func(string, string) error {
		return m.maybe(outbound.Retry, outbound.Retry, outbound.Wait, outbound.Unclear)
	}
	r.desk.lost = func(string, string) error { return m.maybe(outbound.Unclear) }
	r.memory.beforeWrite = func(string) error {
		if m.chance() {
			return errors.New("the cluster is away")
		}
		return nil
	}
	r.memory.afterWrite = func(string) error {
		if m.chance() {
			return errors.New("the answer is lost")
		}
		return nil
	}
	// What an event shows may be past when it arrives.
	m.memory.late = func() bool { return m.roll(4) == 0 }
	return m
}

func (m *model) chance() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dice.Float64() < m.trouble
}

func (m *model) roll(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dice.IntN(n)
}

func (m *model) maybe(kinds ...outbound.Kind) error {
	if m.chance() {
		return fail(kinds[m.roll(len(kinds))])
	}
	return nil
}

func (m *model) run() {
	for range 1 + m.roll(3) {
		m.replicas = append(m.replicas, m.start())
	}
	for range 60 {
		m.act()
		time.Sleep(time.Duration(m.roll(3000)) * time.Millisecond)
	}
	m.mu.Lock()
	m.trouble = 0
	m.mu.Unlock()
	m.memory.late = nil
	m.memory.tell(func() {}) // what was held back
	for _, x := range m.replicas {
		x.catchUp()
	}
	m.settle(time.Hour)
	m.check()
	for _, x := range m.replicas {
		x.stop()
	}
}

func (m *model) act() {
	switch n := m.roll(10); {
	case n < 3 || len(m.ids) == 0:
		id := fmt.Sprint("request", len(m.ids))
		m.ids = append(m.ids, id)
		m.final[id] = request.Version{Status: request.Pending}
		m.memory.put(id, nil)
	case n < 6:
		if id := m.pending(); id != "" {
			m.memory.review(id, fmt.Sprint("reviewer", m.reviews[id]), types.RequestState_APPROVED, "")
			m.reviews[id]++
			m.final[id] = request.Version{Status: request.Pending, Reviews: m.reviews[id]}
		}
	case n < 8:
		if id := m.pending(); id != "" {
			m.memory.decide(id, types.RequestState_DENIED)
			m.final[id] = request.Version{Status: request.Denied, Reviews: m.reviews[id]}
		}
	default:
		i := m.roll(len(m.replicas))
		m.replicas[i].crash()
		m.replicas[i] = m.start()
		m.replicas[i].catchUp()
	}
}

func (m *model) pending() string {
	id := m.ids[m.roll(len(m.ids))]
	if m.final[id].Status != request.Pending {
		return ""
	}
	return id
}

func (m *model) check() {
	m.t.Helper()
	posts := map[string][]*post{}
	for _, p := range m.desk.posts {
		posts[p.request+" at "+p.address] = append(posts[p.request+" at "+p.address], p)
	}
	for _, id := range m.ids {
		var told []int
		for i := range m.reviews[id] {
			told = append(told, i)
		}
		for _, address := range m.recipients {
			got := posts[id+" at "+address]
			if len(got) != 1 {
				m.t.Errorf("%s at %s: %d messages; record %v", id, address, len(got), m.memory.data(id, "test"))
				for _, e := range m.logs.All() {
					if f := e.ContextMap(); f["request_id"] == id {
						m.t.Log(e.Time.Format("04:05.000"), e.Level, e.Message, f)
					}
				}
				continue
			}
			if got[0].shown != m.final[id] {
				m.t.Errorf("%s at %s shows %v, want %v", id, address, got[0].shown, m.final[id])
			}
			if !slices.Equal(got[0].replies, told) {
				m.t.Errorf("%s at %s was told the reviews %v of %d", id, address, got[0].replies, len(told))
			}
		}
		if rec := m.record(id); !rec.Claim.Free() {
			m.t.Errorf("%s is still claimed: %v", id, rec.Claim)
			m.t.Log(m.memory.data(id, "test"))
			for _, e := range m.logs.All() {
				if f := e.ContextMap(); f["request_id"] == id {
					m.t.Log(e.Time.Format("04:05.000"), e.Level, e.Message, f)
				}
			}
		}
	}
	if bad := m.health.conditions(); len(bad) > 0 {
		m.t.Errorf("bad conditions: %q", bad)
	}
}
