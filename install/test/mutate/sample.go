package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
)

// result is a mutant that was tried.
type result struct {
	mutant
	fate fate
}

// tryAll tries mutants from the first on until as many as the sample asks for
// were compiled to another program.
func (r *runner) tryAll(ctx context.Context, all []mutant, o options) ([]result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := newSample(all, o.sample, o.progress)
	var workers sync.WaitGroup
	for range o.workers {
		workers.Go(func() {
			for {
				i, ok := s.next(ctx)
				if !ok {
					return
				}
				m := all[i]
				f, err := r.try(ctx, m)
				if err != nil {
					cancel(fmt.Errorf("trying %s: %w", m.key(), err))
					s.broken()
					return
				}
				s.done(i, f)
			}
		})
	}
	workers.Wait()
	return s.results(), context.Cause(ctx)
}

// sample hands out mutants and collects what became of them.
type sample struct {
	all      []mutant
	want     int // mutants that count
	progress io.Writer

	mu      sync.Mutex
	begun   int
	counted int // of those that are done
	open    int // begun and not done
	fates   map[int]fate
	changed *sync.Cond
}

func newSample(all []mutant, want int, progress io.Writer) *sample {
	s := &sample{all: all, want: want, progress: progress, fates: make(map[int]fate)}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// next returns the next mutant to be tried; there is none when enough are done.
// While those that are under way may be enough, it waits for them, so that the
// sample does not depend on who is faster.
func (s *sample) next(ctx context.Context) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.open > 0 && s.counted+s.open >= s.want && ctx.Err() == nil {
		s.changed.Wait()
	}
	if ctx.Err() != nil || s.counted >= s.want || s.begun == len(s.all) {
		return 0, false
	}
	s.begun++
	s.open++
	return s.begun - 1, true
}

// broken says that a mutant could not be tried; the context has ended by then.
func (s *sample) broken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	s.changed.Broadcast()
}

func (s *sample) done(i int, f fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed.Broadcast()
	s.open--
	s.fates[i] = f
	if f.counts() {
		s.counted++
	}
	m := s.all[i]
	fmt.Fprintf(s.progress, "%d/%d %s: %s:%d %s: %s\n", s.counted, s.want, f, m.file, m.line, m.operator, m.shown)
}

// counts reports whether the mutant is another program than the original is.
func (f fate) counts() bool { return f != equal && f != broken }

func (s *sample) results() (results []result) {
	for i, f := range s.fates {
		results = append(results, result{s.all[i], f})
	}
	slices.SortFunc(results, func(a, b result) int { return compare(a.mutant, b.mutant) })
	return results
}
