package watch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"
)

var (
	// errSilent is the reason for a new connection when the old one does not answer.
	errSilent = errors.New("the cluster does not answer any more")
	// errMayNotWatch: a real cluster demands read alone for a stream, but a list,
	// which comes next, both.
	errMayNotWatch = errors.New("the plugin's role may not watch access requests; add the rule access_request: list, read to it")
)

// stream is one connection with its stream of events. Its goroutines end before
// it does.
type stream struct {
	*follower
	src     Source
	helpers sync.WaitGroup
	rules   chan struct{} // holds a value when a reload of the rules is due
	// fresh gets what came of dialing anew: a connection, or nil.
	fresh chan Source
}

// follow reads one stream to its end. It returns the connection to go on with
// if there is one already.
func (f *follower) follow(ctx context.Context, src Source) (next Source, err error) {
	s := &stream{follower: f, src: src, rules: make(chan struct{}, 1), fresh: make(chan Source, 1)}
	ctx, stop := context.WithCancelCause(ctx)
	defer func() {
		stop(nil)
		_ = src.Close()
		s.helpers.Wait()
		select {
		case dialed := <-s.fresh:
			if dialed != nil {
				next, err = dialed, nil
			}
		default:
		}
	}()
	kinds := []string{types.KindAccessRequest}
	if f.Rules != nil {
		kinds = append(kinds, types.KindAccessMonitoringRule)
	}
	f.Log.Debug("Starting a request watcher")
	watcher, err := src.NewWatcher(ctx, kinds...)
	if err != nil {
		return nil, err
	}
	defer watcher.Close()
	confirmed, err := confirm(ctx, watcher, f.Init, f.Refused)
	if err != nil {
		return nil, err
	}
	f.Log.Debug("Watcher connected")
	f.again = 0
	f.listening()
	f.Observer.Streaming(time.Now())
	f.Log.Info("Watching access requests", zap.Strings("kinds", confirmed))
	s.helpers.Go(func() { f.keepUp(ctx, src) })
	s.helpers.Go(func() { f.heartbeat(ctx, src, stop) })
	if f.Rules != nil {
		s.rules <- struct{}{}
		s.helpers.Go(func() { f.keepRules(ctx, s.rules) })
	}
	return s.events(ctx, watcher)
}

// confirm waits for the first event, which says what the stream will tell.
func confirm(ctx context.Context, w types.Watcher, patience time.Duration, refused func(error) bool) (kinds []string, err error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(patience):
		return nil, fmt.Errorf("the watch was not confirmed within %v", patience)
	case <-w.Done():
		err := endOf(w)
		if refused(err) {
			return nil, fmt.Errorf("%w (%w)", errMayNotWatch, err)
		}
		return nil, err
	case e := <-w.Events():
		if e.Type != types.OpInit {
			return nil, fmt.Errorf("watching access requests: the stream began with %v and not with its confirmation", e.Type)
		}
		status, ok := e.Resource.(types.WatchStatus)
		if !ok { // a server of before partial success confirms all or nothing
			return []string{types.KindAccessRequest}, nil
		}
		watched := false
		for _, k := range status.GetKinds() {
			kinds = append(kinds, k.Kind)
			watched = watched || k.Kind == types.KindAccessRequest
		}
		if !watched {
			return nil, errMayNotWatch
		}
		return kinds, nil
	}
}

func endOf(w types.Watcher) error {
	if err := w.Error(); err != nil {
		return err
	}
	return errors.New("watching access requests: the stream ended")
}

// events reads the stream without ever waiting for the work that it causes.
func (s *stream) events(ctx context.Context, w types.Watcher) (next Source, err error) {
	redial := s.Redial
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-w.Done():
			return nil, endOf(w)
		case <-redial:
			redial = nil // one at a time
			s.helpers.Go(func() { s.dial(ctx) })
		case next := <-s.fresh:
			if next != nil {
				return next, nil
			}
			redial = s.Redial
		case e := <-w.Events():
			s.event(e)
		}
	}
}

// dial makes a connection with a new identity. The old one goes on meanwhile.
func (s *stream) dial(ctx context.Context) {
	next, err := s.Connect(ctx)
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("Could not connect with the new identity; the connection made with the old one goes on", zap.Error(err))
	}
	s.fresh <- next
}

func (s *stream) event(e types.Event) {
	if e.Resource == nil {
		return
	}
	switch e.Resource.GetKind() {
	case types.KindAccessRequest:
		switch e.Type {
		case types.OpPut:
			if req, ok := e.Resource.(types.AccessRequest); ok {
				s.Observer.Event("put")
				s.Sink.Changed(req)
			}
		case types.OpDelete:
			s.Observer.Event("delete")
			s.Sink.Deleted(e.Resource.GetName())
		}
	case types.KindAccessMonitoringRule:
		select {
		case s.rules <- struct{}{}:
		default: // a reload is due already
		}
	}
}

// heartbeat notices a connection that nobody closed and that answers no more.
func (f *follower) heartbeat(ctx context.Context, src Source, stop context.CancelCauseFunc) {
	tick := time.NewTicker(f.Heartbeat)
	defer tick.Stop()
	missed := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ping, cancel := context.WithTimeout(ctx, f.Heartbeat/2)
		err := src.Ping(ping)
		cancel()
		if err == nil || ctx.Err() != nil {
			missed = 0
			continue
		}
		if missed++; missed >= 2 {
			stop(fmt.Errorf("%w: %w", errSilent, err)) // and with that the context
		}
	}
}

// keepRules reloads the rules when they have changed.
func (f *follower) keepRules(ctx context.Context, changed <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		if err := f.Rules.Reload(ctx); err != nil && ctx.Err() == nil {
			f.Log.Warn("Could not load the access monitoring rules; the earlier ones hold", zap.Error(err))
		}
	}
}
