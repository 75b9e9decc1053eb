package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox/cluster"
)

func (w *world) create(r *request) error {
	p := cluster.CreateParams{
		ID: r.id, User: r.user, Roles: []string{r.role.name}, Reason: r.reason, SuggestedReviewers: r.suggest, TTL: r.ttl,
	}
	if r.adopted > 0 {
		p.Records = make(map[string]map[string]string)
		for _, s := range w.sides {
			record, err := s.Adopt(r.id, s.channels[0], r.adopted)
			if err != nil {
				return err
			}
			record["user"], record["roles"], record["request_reason"] = r.user, r.role.name, r.reason
			p.Records[s.Plugin()] = record
		}
	}
	r.note(true, "created for %s by %s, suggests %s, ttl %v, adopted %d, reason %.60q", r.role.name, r.user, r.suggest, r.ttl, r.adopted, r.reason)
	_, err := w.cluster.CreateRequest(p)
	return err
}

func (w *world) review(r *request, author, state, text string) error {
	before := r.lastChange()
	r.note(true, "reviewed by %s: %s, %s", author, state, text)
	err := w.cluster.Review(r.id, author, states[state], text)
	if r.came(err, before) {
		return nil
	}
	return err
}

// states are those that can be proposed.
var states = map[string]types.RequestState{approved: types.RequestState_APPROVED, denied: types.RequestState_DENIED}

func (w *world) decide(r *request, state string) error {
	if w.preempted(r) {
		return nil
	}
	r.note(true, "decided: %s", state)
	return w.cluster.Decide(r.id, states[state], "so be it")
}

func (w *world) promote(r *request) error {
	if w.preempted(r) {
		return nil
	}
	before := r.lastChange()
	r.note(true, "promoted")
	err := w.cluster.Promote(r.id, "Database admins")
	if r.came(err, before) {
		return nil
	}
	return err
}

func (w *world) delete(r *request) error {
	r.note(true, "deleted")
	r.mu.Lock()
	defer r.mu.Unlock()
	w.askLocked(r)
	r.last.maybe = r.working > 0 || r.put
	return w.cluster.Delete(r.id)
}

func (w *world) remove(r *request, service string, channel int) error {
	s := w.side(service)
	recipient := s.channels[channel]
	n, err := s.Remove(r.id, recipient)
	if n > 0 {
		r.note(false, "%d removed by hand at %s, %s", n, service, recipient)
		r.mu.Lock()
		for range n {
			r.removed[spot{service, recipient}] = append(r.removed[spot{service, recipient}], time.Now())
		}
		r.mu.Unlock()
	}
	return err
}

func (w *world) write(r *request, service string, set map[string]string, garbles bool) error {
	s := w.side(service)
	r.note(false, "record at %s: another program writes %.60q", service, fmt.Sprint(set))
	if garbles {
		r.mu.Lock()
		r.garbled[service]++
		r.mu.Unlock()
	}
	w.journal.add(mark{service: service, request: r.id, class: ofRecord, text: "another program writes into the record"})
	return w.cluster.SetPluginData(r.id, s.Plugin(), set)
}

func (w *world) garble(r *request, service string, n int, value string) error {
	names := func(key string, _ string) bool {
		return strings.Contains(key, "message") || strings.Contains(key, "thread") || strings.Contains(key, "id") || strings.Contains(key, "timestamp")
	}
	record := w.cluster.PluginData(r.id, w.side(service).Plugin())
	r.note(false, "record at %s, before it is garbled: %.900q", service, fmt.Sprint(record))
	maps.DeleteFunc(record, names)
	keys := slices.Sorted(maps.Keys(record))
	if len(keys) == 0 {
		return nil
	}
	return w.write(r, service, map[string]string{keys[n%len(keys)]: value}, true)
}
