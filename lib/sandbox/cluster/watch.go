package cluster

import (
	"context"
	"sync"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
)

// watcherBacklog is how many events may wait for a slow reader before its
// stream is ended, as a real cluster does with readers that fall behind.
const watcherBacklog = 65536

// event is one change, ready to be sent.
type event struct {
	kind string
	name string
	// request is set when an access request was put.
	request *types.AccessRequestV3
	message *proto.Event
}

// watcher is one open watch stream.
type watcher struct {
	user    string
	kinds   []types.WatchKind
	filters []types.AccessRequestFilter // one for each of kinds

	mu    sync.Mutex
	queue []*proto.Event
	ended bool
	err   error
	wake  chan struct{}
}

func newWatcher(user string, kinds []types.WatchKind) (*watcher, error) {
	w := &watcher{user: user, kinds: kinds, wake: make(chan struct{}, 1)}
	for _, k := range kinds {
		var f types.AccessRequestFilter
		if err := f.FromMap(k.Filter); err != nil {
			return nil, trace.Wrap(err)
		}
		w.filters = append(w.filters, f)
	}
	return w, nil
}

// wants reports whether a kind of the watch asks for the event. A filter looks
// at puts only: a deletion carries nothing to look at.
func (w *watcher) wants(e event) bool {
	for i, k := range w.kinds {
		if k.Kind != e.kind || k.Name != "" && k.Name != e.name {
			continue
		}
		if e.request == nil || w.filters[i].Match(e.request) {
			return true
		}
	}
	return false
}

func (w *watcher) offer(message *proto.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) >= watcherBacklog {
		w.endLocked(trace.ConnectionProblem(nil, "the watcher does not keep up"))
	}
	if w.ended {
		return
	}
	w.queue = append(w.queue, message)
	w.signal()
}

// end ends the stream with the error, or in good order when it is nil; events
// that are still queued are lost.
func (w *watcher) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endLocked(err)
}

func (w *watcher) endLocked(err error) {
	if !w.ended {
		w.ended, w.err, w.queue = true, err, nil
		w.signal()
	}
}

func (w *watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// next waits for events. more is false when the stream is to end with err.
func (w *watcher) next(ctx context.Context) (events []*proto.Event, more bool, err error) {
	select {
	case <-w.wake:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	events, w.queue = w.queue, nil
	return events, !w.ended, w.err
}

// publish tells watchers and subscribers of a change. c.mu must be held, so
// that all of them see changes in the order in which they were made.
func (c *Cluster) publish(e event) {
	for w := range c.watchers {
		if w.wants(e) {
			w.offer(e.message)
		}
	}
	c.changed()
}

// changed tells the subscribers that something is different. c.mu must be held.
func (c *Cluster) changed() {
	for s := range c.subscribers {
		select {
		case s <- struct{}{}:
		default:
		}
	}
}

// OnChange returns a channel that has a value whenever requests, plugin data or
// rules have changed since the last receive; several changes may be one value.
// stop ends the subscription.
func (c *Cluster) OnChange() (changes <-chan struct{}, stop func()) {
	s := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribers[s] = struct{}{}
	return s, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.subscribers, s)
	}
}

// subscribe opens a watch for the kinds that the caller may see and the cluster
// knows. Without AllowPartialSuccess it must be all of them.
func (c *Cluster) subscribe(ctx context.Context, watch *proto.Watch) (*watcher, error) {
	confirmed := make([]types.WatchKind, 0, len(watch.Kinds))
	for _, k := range watch.Kinds {
		err := c.mayWatch(ctx, k.Kind)
		if err == nil {
			confirmed = append(confirmed, k)
		} else if !watch.AllowPartialSuccess {
			return nil, err
		}
	}
	if len(confirmed) == 0 {
		return nil, trace.BadParameter("none of the requested kinds can be watched")
	}
	w, err := newWatcher(callerOf(ctx), confirmed)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers[w] = struct{}{}
	return w, nil
}

// mayWatch asks for less than list does: someone who may read and not list is
// sent each change and shown an empty list.
func (c *Cluster) mayWatch(ctx context.Context, kind string) error {
	known := kind == types.KindAccessRequest || kind == types.KindAccessMonitoringRule && !c.opts.Old
	if !known {
		return trace.BadParameter("resource kind %q cannot be watched", kind)
	}
	return c.require(ctx, kind, types.VerbRead)
}

func (c *Cluster) unsubscribe(w *watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.watchers, w)
}

// WatchEvents sends the confirmed kinds and then every change until the caller
// or a fault ends the stream.
func (s *authService) WatchEvents(watch *proto.Watch, stream proto.AuthService_WatchEventsServer) error {
	ctx := stream.Context()
	w, err := s.c.subscribe(ctx, watch)
	if err != nil {
		return err
	}
	defer s.c.unsubscribe(w)
	if err := stream.Send(initEvent(w.kinds)); err != nil {
		return trace.Wrap(err)
	}
	for {
		events, more, err := w.next(ctx)
		if !more {
			return trace.Wrap(err)
		}
		for _, e := range events {
			if err := stream.Send(e); err != nil {
				return trace.Wrap(err)
			}
		}
	}
}

func initEvent(kinds []types.WatchKind) *proto.Event {
	return &proto.Event{
		Type:     proto.Operation_INIT,
		Resource: &proto.Event_WatchStatus{WatchStatus: types.NewWatchStatus(kinds)},
	}
}

func requestPut(r *types.AccessRequestV3) event {
	return event{
		kind: types.KindAccessRequest, name: r.GetName(), request: r,
		message: &proto.Event{Type: proto.Operation_PUT, Resource: &proto.Event_AccessRequest{AccessRequest: r}},
	}
}

func rulePut(r *rulesv1.AccessMonitoringRule) event {
	return event{
		kind: types.KindAccessMonitoringRule, name: r.GetMetadata().GetName(),
		message: &proto.Event{Type: proto.Operation_PUT, Resource: &proto.Event_AccessMonitoringRule{AccessMonitoringRule: r}},
	}
}

// deletion carries no more than the kind and the name.
func deletion(kind, version, name string) event {
	return event{
		kind: kind, name: name,
		message: &proto.Event{Type: proto.Operation_DELETE, Resource: &proto.Event_ResourceHeader{
			ResourceHeader: &types.ResourceHeader{Kind: kind, Version: version, Metadata: types.Metadata{Name: name}},
		}},
	}
}
