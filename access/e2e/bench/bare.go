package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"teleport-plugins/lib/outbound"
)

// bareCommand is the argument that makes this program do nothing but calls.
const bareCommand = "bare"

// measureBare measures what so many calls take, all of them due at once, between
// a server that does nothing but wait and a process that does nothing but call:
// what a burst cannot be faster than on this machine, whoever posts it.
func measureBare(ctx context.Context, calls int, latency time.Duration) (took []time.Duration, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(latency)
		_, _ = io.WriteString(w, `{"ok":true}`)
	}))
	defer server.Close()
	out, err := exec.CommandContext(ctx, self, bareCommand, server.URL, strconv.Itoa(calls)).Output()
	if err != nil {
		return nil, fmt.Errorf("measuring calls alone: %w", err)
	}
	for _, line := range strings.Fields(string(out)) {
		d, err := time.ParseDuration(line)
		if err != nil {
			return nil, fmt.Errorf("measuring calls alone: %w", err)
		}
		took = append(took, d)
	}
	return took, nil
}

// runBare makes the calls five times over the plugin's number of connections, and
// prints how long they took.
func runBare(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("the calls are started by the benchmark itself")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("reading the number of calls: %w", err)
	}
	client, form := newClient(), strings.Repeat("x", 2000)
	for range 5 {
		began := time.Now()
		calls, ctx := errgroup.WithContext(ctx)
		calls.SetLimit(outbound.ConnectionsPerHost)
		for range n {
			calls.Go(func() error { return call(ctx, client, args[0], form) })
		}
		if err := calls.Wait(); err != nil {
			return err
		}
		fmt.Println(time.Since(began))
	}
	return nil
}
