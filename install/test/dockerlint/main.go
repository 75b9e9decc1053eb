// Command dockerlint runs BuildKit's own checks, those of docker build --check,
// over Dockerfiles, and ends with 1 if they find anything.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
)

func main() {
	found := false
	for _, path := range os.Args[1:] {
		text, err := os.ReadFile(path)
		if err == nil {
			source := llb.NewSourceMap(nil, path, "Dockerfile", text)
			source.Definition = &llb.Definition{}
			results, lintErr := dockerfile2llb.DockerfileLint(context.Background(), text, dockerfile2llb.ConvertOpt{SourceMap: source})
			err = lintErr
			if results != nil {
				for _, w := range results.Warnings {
					found = true
					fmt.Printf("%s:%d: %s: %s\n", path, w.Location.Ranges[0].Start.Line, w.RuleName, w.Detail)
				}
			}
		}
		if err != nil {
			found = true
			fmt.Printf("%s: %v\n", path, err)
		}
	}
	if found {
		os.Exit(1)
	}
}
