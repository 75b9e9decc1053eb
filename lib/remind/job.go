package remind

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
)

// job is a list of which owners are to be told, and its record.
type job struct {
	list   List
	began  time.Time // of the period in which each owner is to be told once
	record *record
	owners []string
}

// wants reports whether an owner is still to be told.
func (j *job) wants(owner string) bool { return j.record.notified[owner].Before(j.began) }

// due finds the lists of which owners are to be told, the most urgent first.
func (r *Runner) due(ctx context.Context) (jobs []*job, again time.Duration, err error) {
	all, err := r.started(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, j := range all {
		if j.record, err = r.read(ctx, j.list.Name); err != nil {
			return nil, 0, err
		}
		owners, err := r.owners(ctx, j.list)
		if err != nil {
			return nil, 0, err
		}
		j.owners = slices.DeleteFunc(owners, func(owner string) bool { return !j.wants(owner) })
		switch {
		case len(j.owners) == 0:
		case r.blocked(j):
			again = r.Lease
		default:
			jobs = append(jobs, j)
		}
	}
	slices.SortFunc(jobs, func(a, b *job) int {
		return cmp.Or(a.list.Audit.Compare(b.list.Audit), cmp.Compare(a.list.Name, b.list.Name))
	})
	return jobs, again, nil
}

// started finds the lists of which owners are to be told in these days, and forgets
// what is known of lists that are not there any more.
func (r *Runner) started(ctx context.Context) (jobs []*job, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	now := time.Now()
	lists := make(map[string]bool)
	err = r.Cluster.AccessLists(ctx, func(l List) error {
		lists[l.Name] = true
		if began, ok := l.period(now); ok {
			jobs = append(jobs, &job{list: l, began: began})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.ledger.Keep(func(name string) bool { return lists[name] })
	maps.DeleteFunc(r.unrecorded, func(name string, _ map[string]time.Time) bool { return !lists[name] })
	return jobs, nil
}

// read reads the record of a list, with what could not be recorded before.
func (r *Runner) read(ctx context.Context, list string) (*record, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Record)
	defer cancel()
	raw, err := r.ledger.Read(ctx, list)
	if err != nil {
		return nil, err
	}
	rec, err := decode(raw)
	if err != nil && r.once("garbled "+list) {
		r.Log.Warn("A stored record cannot be read; what is readable of it is used", zap.String("access_list", list), zap.Error(err))
	}
	for owner, at := range r.unrecorded[list] {
		rec.tell(owner, at)
	}
	return rec, nil
}

// owners returns the owners of a list. A cluster that does not know of inherited
// ones has those that the list names.
func (r *Runner) owners(ctx context.Context, l List) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Record)
	defer cancel()
	owners, err := r.Cluster.AccessListOwners(ctx, l.Name)
	if r.Faults.IsUnimplemented(err) || r.Faults.IsDenied(err) {
		owners, err = l.Owners, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the owners of an access list: %w", err)
	}
	slices.Sort(owners)
	return slices.Compact(owners), nil
}

// blocked reports whether another replica is at work on a list.
func (r *Runner) blocked(j *job) bool {
	held := ""
	if c := j.record.claim; !c.Free() && c.Owner != r.Replica {
		held = c.String()
	}
	wait, _ := r.ledger.Blocked(j.list.Name, held)
	return wait > 0
}
