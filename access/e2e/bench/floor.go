package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/gravitational/teleport/api/types"
	"golang.org/x/sync/errgroup"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/teleport"
)

// floorCommand is the argument that makes this program the floor.
const floorCommand = "floor"

// floorWatching is what the floor says once it sees requests.
const floorWatching = "the floor is watching"

// The ways in which the floor works.
const (
	atOnce = "at-once"
	// inLine: a call and its record after the other, as is needed where nothing can
	// be looked up.
	inLine = "in-line"
	// reading: it reads all records first, and does nothing with them.
	reading = "reading"
)

// newFloor describes the process that is the floor of a world.
func newFloor(w *harness.World, s *script, way string) (*harness.Replica, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	text, err := json.Marshal(s)
	path := filepath.Join(filepath.Dir(w.ConfigPath), "script.json")
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("writing the script of the floor: %w", err)
	}
	return harness.NewReplica(self, floorCommand, w.Cluster.Addr(), w.Identity(), w.Service().URL(), path, way), nil
}

// floor does what a script says about each new request.
type floor struct {
	*script
	conn   *teleport.Conn
	http   *http.Client
	origin string        // of the service
	calls  chan struct{} // bounds the calls under way as the plugin does
	turns  chan struct{} // bounds the requests that are told at once
}

// runFloor is the floor's program. Its arguments are those that newFloor gives.
func runFloor(ctx context.Context, args []string) error {
	if len(args) != 5 {
		return errors.New("the floor is started by the benchmark itself")
	}
	var s script
	text, err := os.ReadFile(args[3])
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return fmt.Errorf("reading the script: %w", err)
	}
	id, err := teleport.Load(teleport.Credentials{Identity: args[1]})
	if err != nil {
		return err
	}
	clt, err := teleport.Dial(ctx, teleport.DialOptions{Addr: args[0], Identity: id})
	if err != nil {
		return err
	}
	service, err := url.Parse(args[2])
	if err != nil {
		return fmt.Errorf("reading the address of the service: %w", err)
	}
	f := &floor{
		script: &s, conn: teleport.NewConn(clt), origin: service.Scheme + "://" + service.Host,
		http:  outbound.NewTransport(outbound.Options{}).Client(),
		calls: make(chan struct{}, outbound.ConnectionsPerHost/2), turns: make(chan struct{}, outbound.ConnectionsPerHost),
	}
	defer f.conn.Close() //nolint:errcheck // the process ends
	switch args[4] {
	case inLine:
		f.turns = make(chan struct{}, 1)
	case reading:
		err := f.conn.AllPluginData(ctx, types.KindAccessRequest, s.Plugin, func(string, map[string]string) error { return nil })
		if err != nil {
			return err
		}
	}
	return f.watch(ctx)
}

// watch works until the program is told to end, or anything fails.
func (f *floor) watch(ctx context.Context) error {
	work, ctx := errgroup.WithContext(ctx)
	w, err := f.conn.NewWatcher(ctx, types.KindAccessRequest)
	if err != nil {
		return err
	}
	defer w.Close() //nolint:errcheck // the process ends
	for {
		select {
		case e := <-w.Events():
			if e.Type == types.OpInit {
				fmt.Println(floorWatching)
			} else if e.Type == types.OpPut {
				work.Go(func() error { return f.tell(ctx, e.Resource.GetName()) })
			}
		case <-w.Done():
			return w.Error()
		case <-ctx.Done():
			return work.Wait()
		}
	}
}

// tell claims a request, makes the calls, and records what they have achieved.
func (f *floor) tell(ctx context.Context, id string) error {
	if err := f.record(ctx, id, f.Claim); err != nil {
		return err
	}
	f.turns <- struct{}{}
	defer func() { <-f.turns }()
	var calls errgroup.Group
	for _, c := range f.Calls {
		calls.Go(func() error {
			f.calls <- struct{}{}
			defer func() { <-f.calls }()
			return c.do(ctx, f.http, f.origin, f.Request, id, rand.Text()[:min(len(c.Nonce), 25)])
		})
	}
	if err := calls.Wait(); err != nil {
		return err
	}
	return f.record(ctx, id, f.Result)
}

func (f *floor) record(ctx context.Context, id string, w write) error {
	return f.conn.UpdatePluginData(ctx, types.KindAccessRequest, id, f.Plugin, w.Set, w.Expect)
}
