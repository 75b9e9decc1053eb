package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"teleport-plugins/access/e2e/timeline"
)

// The markers between which the table stands in a file.
const (
	begin = "<!-- table of make faults: begin -->\n"
	end   = "<!-- table of make faults: end -->\n"
)

// read reads results as -json has written them; other lines are passed over.
func read(path string) (results []timeline.Result, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the results: %w", err)
	}
	for line := range bytes.Lines(text) {
		if line[0] != '{' {
			continue
		}
		var r timeline.Result
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("reading the results in %s: %w", path, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// document writes the table into a file, between its markers.
func document(path string, results []timeline.Result) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the file for the table: %w", err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no place for the table: the lines %q and %q", path, begin, end)
	}
	if err := os.WriteFile(path, []byte(before+begin+table(results)+end+after), 0o644); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

// table is the rows as Markdown, those of a service below its name.
func table(results []timeline.Result) string {
	var b strings.Builder
	service := ""
	for _, r := range results {
		if r.Service != service {
			service = r.Service
			fmt.Fprintf(&b, "\n### %s\n\n| What happens | Runs | Requests | Expected | Lost | Doubled | Wrong | Seconds | What is promised beside |\n|---|--:|--:|--:|--:|--:|--:|--:|---|\n",
				strings.ToUpper(service[:1])+service[1:])
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %s | %d | %.1f | %s |\n",
			r.Row, r.Runs, r.Requests, r.Expected, r.Lost, doubled(r), r.Wrong, r.Seconds, r.Promise)
	}
	fmt.Fprintf(&b, "\n`%s`\n", summary(results))
	return b.String()
}
