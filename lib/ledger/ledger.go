// Package ledger is the protocol by which replicas share their work: who is at work
// on a resource is written into its record, a map of strings in the cluster's plugin
// data that is changed by compare-and-swap.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Store is the cluster's plugin data, as far as records go.
type Store interface {
	// GetPluginData reads a record; it is empty when there is none.
	GetPluginData(ctx context.Context, kind, resource, plugin string) (map[string]string, error)
	// UpdatePluginData changes a record if it holds what is expected.
	UpdatePluginData(ctx context.Context, kind, resource, plugin string, set, expect map[string]string) error
}

// Entry is a record as a Ledger keeps it.
type Entry interface {
	// Claimed is the claim of the record, to be read and changed.
	Claimed() *Claim
	// Changes returns the update that brings the stored record to this one.
	Changes() (set, expect map[string]string)
	// Stored says that an update was accepted.
	Stored(set map[string]string)
}

// Values are the values of a record as they stand in the store, by key.
type Values map[string]string

// Changes returns the update that makes the record hold the next values, of which an
// empty one stands for an absent key: the keys to be set, and what every key must
// hold for the update to be accepted.
func (v Values) Changes(next map[string]string) (set, expect map[string]string) {
	set, expect = make(map[string]string), make(map[string]string, len(next))
	for key, value := range next {
		if expect[key] = v[key]; value != v[key] {
			set[key] = value
		}
	}
	return set, expect
}

// After are the values after an update was accepted.
func (v Values) After(set map[string]string) Values {
	after := maps.Clone(v)
	if after == nil {
		after = make(Values, len(set))
	}
	maps.Copy(after, set)
	maps.DeleteFunc(after, func(_, value string) bool { return value == "" })
	return after
}

// Ledger keeps the records of one kind of resource, and sees to it that of many
// replicas one at a time works on a resource. Who holds a claim is decided by
// compare-and-swap, and that the holder is dead by our own clock alone: its claim
// has stood unchanged for the lease, since we first saw it. Make one with
// New; it is safe for use by several goroutines.
type Ledger struct {
	Options

	mu   sync.Mutex
	seen map[string]sight // what others hold, by resource
}

// Options tell a Ledger what to work with.
type Options struct {
	Store Store
	// Kind is that of the resources, Plugin the name under which records are
	// kept, Owner that of this replica, which must be unique.
	Kind, Plugin, Owner string
	// Lease is how long the claim of a silent replica is respected; Time bounds
	// recording a result.
	Lease, Time time.Duration
	// IsConflict says of an error of the Store that a compare-and-swap was
	// refused.
	IsConflict func(error) bool
	// Written is called for each write; conflict says that it was refused.
	Written func(conflict bool)
}

// sight is what another holds, and since when it has stood unchanged.
type sight struct {
	held  string
	since time.Time
}

// New returns a Ledger.
func New(o Options) *Ledger {
	return &Ledger{Options: o, seen: make(map[string]sight)}
}

// ErrConflict says that somebody else changed the record first.
var ErrConflict = errors.New("the record was changed by another writer")

// Blocked returns how long to leave a resource alone because somebody else holds
// it, as the text says that changes with each of their claims. Zero says that
// nobody does; then dead says whether a claim stands there that died.
func (l *Ledger) Blocked(id, held string) (wait time.Duration, dead bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held == "" {
		delete(l.seen, id)
		return 0, false
	}
	s := l.seen[id]
	if s.held != held {
		s = sight{held, time.Now()}
		l.seen[id] = s
	}
	left := l.Lease - time.Since(s.since)
	if left <= 0 {
		return 0, true
	}
	return max(min(left, l.Lease/8, 2*time.Second), time.Millisecond), false
}

// Forget drops what was seen of a resource that needs no more work.
func (l *Ledger) Forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, id)
}

// Keep forgets all resources but those that are still of interest.
func (l *Ledger) Keep(wanted func(id string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.seen, func(id string, _ sight) bool { return !wanted(id) })
}

// Claim writes our claim, with all else that was changed in the entry. It returns
// when the claim began to count, or ErrConflict.
func (l *Ledger) Claim(ctx context.Context, id string, e Entry) (since time.Time, err error) {
	since = time.Now()
	before := *e.Claimed()
	*e.Claimed() = before.Next(l.Owner)
	if err = l.write(ctx, id, e); err != nil {
		*e.Claimed() = before
	}
	return since, err
}

// Settle writes results and gives up our claim, or renews it where keep says so.
// Results must not be lost: the write has a time of its own, also when the context
// has ended. Where somebody else changed the record first, merge returns it as it
// is now with the results put in. It returns the entry as it was written last.
func Settle[E Entry](ctx context.Context, l *Ledger, id string, e E, keep bool, merge func(ctx context.Context) (E, error)) (E, error) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), l.Time,
		errors.New("the cluster did not take the record in time"))
	defer cancel()
	for attempt := 1; ; attempt++ {
		before := *e.Claimed()
		switch {
		case before.Owner != l.Owner: // another's, or none
		case keep:
			*e.Claimed() = before.Next(l.Owner)
		default:
			*e.Claimed() = before.Released()
		}
		err := l.write(ctx, id, e)
		if err == nil {
			return e, nil
		}
		*e.Claimed() = before
		if !errors.Is(err, ErrConflict) || attempt == 8 {
			return e, err
		}
		fresh, err := merge(ctx)
		if err != nil {
			return e, err
		}
		e = fresh
	}
}

// Read reads the stored values of a resource.
func (l *Ledger) Read(ctx context.Context, id string) (map[string]string, error) {
	data, err := l.Store.GetPluginData(ctx, l.Kind, id, l.Plugin)
	if err != nil {
		return nil, fmt.Errorf("reading the record: %w", err)
	}
	return data, nil
}

func (l *Ledger) write(ctx context.Context, id string, e Entry) error {
	set, expect := e.Changes()
	if len(set) == 0 {
		return nil
	}
	err := l.Store.UpdatePluginData(ctx, l.Kind, id, l.Plugin, set, expect)
	conflict := err != nil && l.IsConflict(err)
	l.Written(conflict)
	switch {
	case conflict:
		return ErrConflict
	case err != nil:
		return fmt.Errorf("writing the record: %w", err)
	}
	e.Stored(set)
	return nil
}
