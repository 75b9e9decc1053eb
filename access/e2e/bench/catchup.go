package main

import (
	"context"
	"fmt"
	"time"

	"teleport-plugins/lib/sandbox/cluster"
)

// caughtUp is what the plugin logs when it has compared every request with its
// record for the first time.
const caughtUp = "Caught up with the access requests"

// measureCatchUp measures starts on a cluster that is full of pending requests.
func measureCatchUp(ctx context.Context, r *report) error {
	for _, requests := range []int{10_000, 50_000} {
		took, memory, err := known(ctx, requests)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("start with %d pending requests, all announced before: ", requests)
		r.add(
			row{Name: name + "exec to caught up", Unit: "ms", Ours: milliseconds(took)},
			row{Name: name + "memory then", Unit: "MB", Ours: megabytes(memory)},
		)
	}
	return unknown(ctx, r, 10_000)
}

// known starts the plugin where everything was announced before, and checks that
// it leaves it at that.
func known(ctx context.Context, requests int) (took time.Duration, memory int64, err error) {
	s, err := newSubject(1, true)
	if err != nil {
		return 0, 0, err
	}
	defer s.end()
	if err := s.begin(ctx); err != nil {
		return 0, 0, err
	}
	if err := s.fill(ctx, requests); err != nil {
		return 0, 0, err
	}
	c := s.count()
	if err := s.process.Start(); err != nil {
		return 0, 0, err
	}
	line, err := s.process.Logged(ctx, caughtUp, s.process.Began())
	if err != nil {
		return 0, 0, err
	}
	if memory, err = s.process.RSS(); err != nil {
		return 0, 0, err
	}
	if _, _, err := s.process.Stop(); err != nil {
		return 0, 0, err
	}
	if now := s.count(); now.service[s.Methods().Post] != c.service[s.Methods().Post] || now.cluster["UpdatePluginData"] != c.cluster["UpdatePluginData"] {
		return 0, 0, fmt.Errorf("the plugin worked on requests that were announced before: %v %v", now.service, now.cluster)
	}
	return line.Time.Sub(s.process.Began()), memory, nil
}

// fill lets the plugin announce one request, stops it, and adds further ones that
// have the record of the first.
func (s *subject) fill(ctx context.Context, requests int) error {
	created := time.Now().UTC()
	first, err := s.create(cluster.CreateParams{Created: created})
	if err == nil {
		err = s.Settled(ctx, first)
	}
	if err != nil {
		return err
	}
	if _, _, err := s.process.Stop(); err != nil {
		return err
	}
	record := s.Cluster.PluginData(first, s.Plugin())
	for range requests - 1 {
		id, err := s.create(cluster.CreateParams{Created: created})
		if err == nil {
			err = s.Cluster.SetPluginData(id, s.Plugin(), record)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unknown starts both programs where nothing was announced before.
func unknown(ctx context.Context, r *report, requests int) error {
	var took [2]time.Duration
	var memory int64
	for i, plugin := range []bool{true, false} {
		s, err := newSubject(1, plugin)
		if err != nil {
			return err
		}
		defer s.end()
		if took[i], memory, err = s.announceAll(ctx, requests); err != nil {
			return err
		}
		if plugin {
			r.add(row{Name: fmt.Sprintf("memory after %d requests were announced at the start", requests), Unit: "MB", Ours: megabytes(memory)})
		}
	}
	r.add(row{
		Name: fmt.Sprintf("start with %d pending requests, none announced before: exec to the last post", requests), Unit: "ms",
		Ours: milliseconds(took[0]), Floor: some(milliseconds(took[1])),
	})
	return nil
}

func (s *subject) announceAll(ctx context.Context, requests int) (took time.Duration, memory int64, err error) {
	for range requests {
		if _, err := s.create(cluster.CreateParams{}); err != nil {
			return 0, 0, err
		}
	}
	if err := s.process.Start(); err != nil {
		return 0, 0, err
	}
	if err := s.told(ctx, requests); err != nil {
		return 0, 0, err
	}
	took = s.last().Sub(s.process.Began())
	memory, err = s.process.RSS()
	return took, memory, err
}
