package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case floorCommand:
			exit(runFloor(ctx, os.Args[2:]))
			return
		case bareCommand:
			exit(runBare(ctx, os.Args[2:]))
			return
		}
	}
	jsonPath := flag.String("json", "", "also write the figures to this file")
	only := flag.String("only", "", "take only the measures with this word in their name: start, post, burst, in-line, catch-up, calls")
	flag.Parse()
	exit(run(ctx, *only, *jsonPath))
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
	take func(context.Context, *report) error
}{
	{"start", measureStart},
	{"post", measurePosts},
	{"burst", measureBurst},
	{"in-line", measureInLine},
	{"calls", measureCalls},
	{"catch-up", measureCatchUp},
}

func run(ctx context.Context, only, jsonPath string) error {
	r := &report{CPUs: runtime.NumCPU(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	for _, m := range measures {
		if only != "" && only != m.name {
			continue
		}
		began := time.Now()
		if err := m.take(ctx, r); err != nil {
			return fmt.Errorf("measuring %s: %w", m.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: measured within %v\n", m.name, time.Since(began).Round(100*time.Millisecond))
	}
	if jsonPath != "" {
		if err := r.writeJSON(jsonPath); err != nil {
			return err
		}
	}
	return r.print(os.Stdout)
}
