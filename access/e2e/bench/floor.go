package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/teleport"
)

// floorCommand is the argument that makes this program the floor.
const floorCommand = "floor"

// floorWatching is what the floor says once it sees requests.
const floorWatching = "the floor is watching"

// newFloor describes the process that is the floor of a world.
func newFloor(w *harness.World, channels []string) (*harness.Replica, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	return harness.NewReplica(self, floorCommand, w.Cluster.Addr(), w.Identity(), w.Service().URL(), w.Service().Token(), strings.Join(channels, ",")), nil
}

// floor watches requests and posts a line about each pending one to each channel.
type floor struct {
	api, token string
	channels   []string
	http       *http.Client
	posts      sync.WaitGroup
	// calls bounds the calls under way as the plugin does.
	calls chan struct{}
}

// runFloor is the floor's program. Its arguments are those that newFloor gives.
func runFloor(ctx context.Context, args []string) error {
	if len(args) != 5 {
		return errors.New("the floor is started by the benchmark itself")
	}
	id, err := teleport.Load(teleport.Credentials{Identity: args[1]})
	if err != nil {
		return err
	}
	clt, err := teleport.Dial(ctx, teleport.DialOptions{Addr: args[0], Identity: id})
	if err != nil {
		return err
	}
	conn := teleport.NewConn(clt)
	defer conn.Close() //nolint:errcheck // the process ends
	f := &floor{
		api: args[2], token: args[3], channels: strings.Split(args[4], ","),
		http: newClient(), calls: make(chan struct{}, outbound.ConnectionsPerHost),
	}
	defer f.posts.Wait()
	return f.watch(ctx, conn)
}

func (f *floor) watch(ctx context.Context, conn *teleport.Conn) error {
	w, err := conn.NewWatcher(ctx, types.KindAccessRequest)
	if err != nil {
		return err
	}
	defer w.Close() //nolint:errcheck // the process ends
	for {
		select {
		case e := <-w.Events():
			if e.Type == types.OpInit {
				fmt.Println(floorWatching)
				if err := f.list(ctx, conn); err != nil {
					return err
				}
			} else if req, ok := e.Resource.(types.AccessRequest); ok && e.Type == types.OpPut {
				f.tell(ctx, req)
			}
		case <-w.Done():
			return w.Error()
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *floor) list(ctx context.Context, conn *teleport.Conn) error {
	return conn.ListRequests(ctx, func(page []*types.AccessRequestV3) error {
		for _, req := range page {
			f.tell(ctx, req)
		}
		return nil
	})
}

func (f *floor) tell(ctx context.Context, req types.AccessRequest) {
	text := req.GetUser() + " requests " + strings.Join(req.GetRoles(), ", ") + ": " + req.GetName()
	for _, channel := range f.channels {
		f.posts.Go(func() {
			f.calls <- struct{}{}
			defer func() { <-f.calls }()
			if err := f.post(ctx, channel, text); err != nil {
				fmt.Println(err)
			}
		})
	}
}

func (f *floor) post(ctx context.Context, channel, text string) error {
	req, err := service().Bare(f.api, f.token, channel, text)
	if err != nil {
		return err
	}
	return carryOut(ctx, f.http, req)
}

// newClient has as many connections as the plugin's.
func newClient() *http.Client {
	const limit = outbound.ConnectionsPerHost
	return &http.Client{Transport: &http.Transport{MaxConnsPerHost: limit, MaxIdleConnsPerHost: limit}}
}

// call sends a form and reads the answer.
func call(ctx context.Context, client *http.Client, url, form string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(form))
	if err != nil {
		return fmt.Errorf("calling: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return carryOut(ctx, client, req)
}

// carryOut makes a call and reads the answer.
func carryOut(ctx context.Context, client *http.Client, req *http.Request) error {
	resp, err := client.Do(req.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("calling: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("calling: %w", err)
	}
	return nil
}
