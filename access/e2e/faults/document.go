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

// The heads of the tables: of rows without and with presses.
const (
	plainHead = "\n| What happens | Runs | Requests | Expected | Lost | Doubled | Wrong | Seconds | What is promised beside |\n|---|--:|--:|--:|--:|--:|--:|--:|---|\n"
	pressHead = "\n| What happens | Runs | Presses | Reviews | Too many | Unheard | Late | Expected | Lost | Doubled | Wrong | What is promised beside |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n"
)

// table is the rows as Markdown, those of a service below its name, and those in which
// people press buttons in a table of their own.
func table(results []timeline.Result) string {
	var b strings.Builder
	service, presses := "", false
	for _, r := range results {
		if r.Service != service {
			fmt.Fprintf(&b, "\n### %s\n", strings.ToUpper(r.Service[:1])+r.Service[1:])
		}
		if with := r.Presses != nil; r.Service != service || with != presses {
			service, presses = r.Service, with
			b.WriteString(map[bool]string{false: plainHead, true: pressHead}[with])
		}
		if p := r.Presses; p != nil {
			fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %s | %d | %d | %d | %s | %d | %s |\n",
				r.Row, r.Runs, p.Made, p.Reviews, p.TooMany, unheard(p), p.Late, r.Expected, r.Lost, doubled(r), r.Wrong, r.Promise)
			continue
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %s | %d | %.1f | %s |\n",
			r.Row, r.Runs, r.Requests, r.Expected, r.Lost, doubled(r), r.Wrong, r.Seconds, r.Promise)
	}
	fmt.Fprintf(&b, "\n`%s`\n", summary(results))
	return b.String()
}
