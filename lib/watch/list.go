package watch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"
)

const (
	// relistMax bounds the pause, which doubles from a second on, before a list
	// that failed is tried again.
	relistMax = 30 * time.Second
	// relistMin is the least pause between two lists.
	relistMin = 5 * time.Second
	// tolerated is how many lists in a row may fail before that is a condition,
	// unless a person has to change something.
	tolerated = 3
)

var (
	errMayNotList = errors.New("the plugin's role may not list access requests; add the rule access_request: list, read to it")
	errMayNotRead = errors.New("the plugin's role may not read plugin data; add the rule access_plugin_data: read, update to it")
)

// keepUp lists the requests when the connection is new, since events were
// missed, and on a timer, so that an event lost on the way costs minutes and not
// the message. A list that failed is tried again.
func (f *follower) keepUp(ctx context.Context, src Source) {
	l := &lister{follower: f, src: src, catchUp: true}
	for failures, again := 0, time.Duration(0); ; {
		err := l.list(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := f.Resync
		if err != nil {
			failures++
			again = min(max(2*again, time.Second), relistMax)
			wait = again
			f.listFailed(err, failures)
		} else {
			failures, again, f.unlisted = 0, 0, ""
			f.listening()
		}
		if !f.pause(ctx, jittered(wait, 0.1)) {
			return
		}
	}
}

// pause waits for the time of the next list, or until one is asked for. It returns
// false when the context has ended.
func (f *follower) pause(ctx context.Context, wait time.Duration) bool {
	least, most := time.After(min(wait, relistMin)), time.After(wait)
	select {
	case <-ctx.Done():
		return false
	case <-least:
	}
	select {
	case <-ctx.Done():
		return false
	case <-f.Relist:
	case <-most:
	}
	return true
}

func (f *follower) listFailed(err error, failures int) {
	if failures >= tolerated || errors.Is(err, errMayNotList) || f.Refused(err) {
		f.unlisted = err.Error()
		f.listening() // says so
	} else if failures == 1 {
		f.Log.Warn("Could not list the access requests; it will be tried again", zap.Error(err))
	}
}

// lister lists the requests of one connection.
type lister struct {
	*follower
	src     Source
	catchUp bool // no list was complete on this connection
	// shown says that the requests were shown by a list that failed otherwise:
	// they are not shown again before that has been put right.
	shown bool
}

// list shows all requests to the sink, and until this was done once, all records
// too. It ends the list only if all was read and may be seen.
func (l *lister) list(ctx context.Context) error {
	list := l.Sink.List()
	err := l.records(ctx, list)
	if err == nil && l.shown {
		_, err = l.proven(ctx)
	}
	if err != nil {
		if l.shown {
			return err
		}
		list = l.Sink.List() // some of the records would be taken for all
	}
	n, failed := l.requests(ctx, list)
	if failed != nil {
		return failed
	}
	l.shown = true
	if err != nil {
		return err
	}
	// Only now: a right that was taken away during the list counts as missing.
	sure, err := l.proven(ctx)
	if err != nil {
		return err
	}
	l.complete(list, n, sure)
	return nil
}

// complete ends a list of n requests. An empty one of a cluster that does not
// say whether we may see them is no proof of anything.
func (l *lister) complete(list List, n int, sure bool) {
	var gone int
	if sure || n > 0 {
		gone = list.End()
	}
	if l.catchUp {
		l.Log.Info("Caught up with the access requests", zap.Int("requests", n), zap.Int("gone", gone))
	}
	if l.first {
		debug.FreeOSMemory() // all records came as one message
		l.Ready()
	}
	l.catchUp, l.shown, l.first = false, false, false
}

func (l *lister) records(ctx context.Context, list List) error {
	if !l.first {
		return nil
	}
	// All of them come as one message: the heap must not grow to twice that size
	// before what was read of it is collected.
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	err := l.src.AllPluginData(ctx, types.KindAccessRequest, l.Plugin, func(id string, data map[string]string) error {
		list.Record(id, data)
		return ctx.Err()
	})
	return l.explain(err, errMayNotRead)
}

func (l *lister) requests(ctx context.Context, list List) (n int, err error) {
	err = l.src.ListRequests(ctx, func(page []*types.AccessRequestV3) error {
		n += len(page)
		list.Requests(page)
		return ctx.Err()
	})
	return n, l.explain(err, errMayNotList)
}

// proven asks whether the cluster shows us all requests. It fails if it does not.
func (l *lister) proven(ctx context.Context) (sure bool, err error) {
	may, sure, err := l.src.MayListRequests(ctx)
	if err == nil && sure && !may {
		err = errMayNotList
	}
	return sure, err
}

// explain puts what to do before a refusal.
func (f *follower) explain(err, advice error) error {
	if err != nil && f.Refused(err) {
		return fmt.Errorf("%w (%w)", advice, err)
	}
	return err
}

// Try opens a watch on access requests and looks whether they may be listed. It
// returns nil if Run would find nothing amiss.
func Try(ctx context.Context, src Source, refused func(error) bool) error {
	w, err := src.NewWatcher(ctx, types.KindAccessRequest)
	if err != nil {
		return err
	}
	defer w.Close()
	o := Options{Refused: refused}
	o.setDefaults()
	if _, err := confirm(ctx, w, o.Init, refused); err != nil {
		return err
	}
	l := &lister{follower: &follower{Options: o}, src: src}
	_, err = l.proven(ctx)
	return err
}
