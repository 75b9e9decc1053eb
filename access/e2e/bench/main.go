package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"teleport-plugins/access/e2e/harness"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == floorCommand {
		exit(runFloor(ctx, os.Args[2:]))
		return
	}
	jsonPath := flag.String("json", "", "also write the figures to this file")
	services := flag.String("services", strings.Join(harness.Services(), ","), "the plugins to measure")
	only := flag.String("only", "", "take only these measures: start, post, burst, calls, catch-up")
	flag.Parse()
	exit(run(ctx, strings.Split(*services, ","), *only, *jsonPath))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// measures are taken in this order; those that need quiet come first.
var measures = []struct {
	name string
	take func(context.Context, *report, string) error
}{
	{"start", measureStart},
	{"post", measurePosts},
	{"burst", measureBursts},
	{"calls", measureCalls},
	{"catch-up", measureCatchUp},
}

func run(ctx context.Context, services []string, only, jsonPath string) error {
	r := &report{CPUs: runtime.NumCPU(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	for _, m := range measures {
		if only != "" && !slices.Contains(strings.Split(only, ","), m.name) {
			continue
		}
		for _, service := range services {
			began := time.Now()
			if err := m.take(ctx, r, service); err != nil {
				return fmt.Errorf("measuring %s of %s: %w", m.name, service, err)
			}
			fmt.Fprintf(os.Stderr, "%s of %s: measured within %v\n", m.name, service, time.Since(began).Round(100*time.Millisecond))
		}
	}
	r.sort()
	if jsonPath != "" {
		if err := r.writeJSON(jsonPath); err != nil {
			return err
		}
	}
	return r.print(os.Stdout)
}
