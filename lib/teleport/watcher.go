package teleport

import (
	"context"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
)

// NewWatcher opens a stream of changes to resources of the given kinds, as in
// [types.KindAccessRequest]. The first event is OpInit; its resource, a
// [types.WatchStatus], lists the kinds that the cluster confirms, which may be
// fewer than asked for. A refusal is reported by the watcher's Done and Error,
// not here; [IsDenied] holds of it if the identity may watch none of the kinds.
// The stream ends with ctx.
func (c *Conn) NewWatcher(ctx context.Context, kinds ...string) (types.Watcher, error) {
	watch := types.Watch{AllowPartialSuccess: true}
	for _, kind := range kinds {
		watch.Kinds = append(watch.Kinds, types.WatchKind{Kind: kind})
	}
	w, err := c.clt.NewWatcher(ctx, watch)
	if err != nil {
		return nil, failed(err, "opening a watch stream")
	}
	return watcher{w}, nil
}

// watcher explains how its stream ended.
type watcher struct{ types.Watcher }

// Error implements [types.Watcher]. A cluster that leaves out what may not be
// watched calls a watch of nothing a bad parameter, not a missing permission.
func (w watcher) Error() error {
	err := w.Watcher.Error()
	switch {
	case err == nil:
		return nil
	case trace.IsBadParameter(err):
		return newFault(ErrDenied, err, "watching access requests: %v", trace.Unwrap(err))
	}
	return failed(err, "watching access requests")
}
