// Command packages draws which package stands on which, and puts the drawing into
// the documents that are named, between the lines that mark its place:
//
//	go run ./install/packages access/README.md
//
// Without a name it prints the drawing.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

const (
	module = "teleport-plugins/"
	begin  = "<!-- made by go run ./install/packages -->\n```\n"
	end    = "```\n<!-- end -->\n"
)

// graph holds the packages that each package imports, by their paths in the module.
type graph map[string][]string

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(documents []string) error {
	g, err := read(".")
	if err != nil {
		return err
	}
	if len(documents) == 0 {
		fmt.Print(g.drawing())
	}
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading the document: %w", err)
		}
		_, rest, found := strings.Cut(string(text), begin)
		old, _, ended := strings.Cut(rest, end)
		if !found || !ended {
			return fmt.Errorf("%s has no place for the drawing: a line %q, a block, and a line %q", path, strings.Fields(begin)[0], strings.TrimSpace(end))
		}
		drawn := strings.Replace(string(text), begin+old+end, begin+g.drawing()+end, 1)
		if err := os.WriteFile(path, []byte(drawn), 0o644); err != nil {
			return fmt.Errorf("writing the document: %w", err)
		}
	}
	return nil
}

// read asks the go command what the packages of lib and access import, leaving
// their tests aside.
func read(dir string) (graph, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./lib/...", "./access/...")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages: %w", err)
	}
	g := make(graph)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return g, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading what the packages import: %w", err)
		}
		path := strings.TrimPrefix(p.ImportPath, module)
		g[path] = []string{}
		for _, imported := range p.Imports {
			if inside, ok := strings.CutPrefix(imported, module); ok {
				g[path] = append(g[path], inside)
			}
		}
	}
}

var service = regexp.MustCompile(`^access/(\w+)((?:/[\w-]+)*)$`)

// general draws all services as one: what stands in one of their folders stands in
// "access/<service>", and their simulated APIs have one name.
func general(path string) string {
	m := service.FindStringSubmatch(path)
	if m == nil || m[1] == "e2e" || m[1] == "services" || m[1] == "testdata" {
		return path
	}
	return "access/<service>" + strings.ReplaceAll(m[2], m[1], "<service>")
}

// merged is the graph with the services drawn as one.
func (g graph) merged() graph {
	all := make(graph)
	for path, imports := range g {
		if strings.HasPrefix(path, "access/testdata/") {
			continue
		}
		at := general(path)
		for _, imported := range imports {
			if to := general(imported); to != at {
				all[at] = append(all[at], to)
			}
		}
		all[at] = slices.Compact(slices.Sorted(slices.Values(all[at])))
	}
	return all
}

// reach adds everything that a package stands on.
func (g graph) reach(path string, seen map[string]bool) {
	for _, next := range g[path] {
		if !seen[next] {
			seen[next] = true
			g.reach(next, seen)
		}
	}
}

// direct are the imports of a package without those that another one of them
// stands on anyway.
func (g graph) direct(path string) []string {
	below := make(map[string]bool)
	for _, next := range g[path] {
		g.reach(next, below)
	}
	return slices.DeleteFunc(slices.Clone(g[path]), func(next string) bool { return below[next] })
}

// height is how many packages stand below one another under a package.
func (g graph) height(path string) int {
	most := 0
	for _, next := range g[path] {
		most = max(most, 1+g.height(next))
	}
	return most
}

// part says where in the drawing a package belongs: to the plugins, to the sandbox,
// or to what tries the plugins in it.
func part(path string) int {
	switch {
	case strings.HasPrefix(path, "access/e2e"), path == "lib/conformance", path == "lib/config/documented":
		return 2
	case strings.HasPrefix(path, "lib/sandbox"), strings.HasPrefix(path, "access/services"),
		strings.HasPrefix(path, "access/<service>/farend"), strings.HasPrefix(path, "access/<service>/<service>api"):
		return 1
	default:
		return 0
	}
}

// drawing shows each package above those that it stands on, in three parts: the
// product, the simulated world, and what tries the one in the other. Lines of a
// height are in the order of the alphabet.
func (g graph) drawing() string {
	all := g.merged()
	names := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(part(a), part(b)), cmp.Compare(all.height(b), all.height(a)), cmp.Compare(a, b))
	})
	width := 0
	for _, name := range names {
		width = max(width, len(name))
	}
	var b strings.Builder
	titles := []string{"the plugins", "the sandbox", "what tries the plugins in the sandbox"}
	for i, name := range names {
		if i == 0 || part(name) != part(names[i-1]) {
			fmt.Fprintf(&b, "%s%s\n", map[bool]string{true: "", false: "\n"}[i == 0], titles[part(name)])
		}
		line := fmt.Sprintf("  %-*s", width, name)
		if on := all.direct(name); len(on) > 0 {
			line += "  ▶ " + strings.ReplaceAll(strings.Join(on, "  "), "lib/", "")
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
