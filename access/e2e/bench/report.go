package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// report holds the figures of one run.
type report struct {
	CPUs     int    `json:"cpus"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Rows     []row  `json:"rows"`
}

// row is one figure. Floor, Existing and Goal are nil where there is none.
type row struct {
	Name     string   `json:"name"`
	Unit     string   `json:"unit"`
	Ours     float64  `json:"ours"`
	Floor    *float64 `json:"floor,omitempty"`
	Existing *float64 `json:"existing,omitempty"`
	Goal     *float64 `json:"goal,omitempty"`
}

// some is an optional figure that is there.
func some(v float64) *float64 { return &v }

func (r *report) add(rows ...row) { r.Rows = append(r.Rows, rows...) }

func (r *report) writeJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the figures: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the figures: %w", err)
	}
	return nil
}

// print writes the figures as a table.
func (r *report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	// What follows the last tab is not aligned, and so begins at the left.
	fmt.Fprintln(w, "ours\tfloor\texisting\tgoal\tunit\t \t  measure")
	for _, row := range r.Rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", figure(&row.Ours), figure(row.Floor), figure(row.Existing),
			figure(row.Goal), row.Unit, row.verdict(), row.Name)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	_, err := fmt.Fprintf(out, `
%s, %s; the cluster and the service are in memory and share %d processors with the plugin.
floor: a program that only watches and posts, measured in this run. existing: Teleport's own plugin 14.2.3 with a real cluster.
`, r.Go, r.Platform, r.CPUs)
	return err
}

func (r row) verdict() string {
	switch {
	case r.Goal == nil:
		return ""
	case r.Ours <= *r.Goal:
		return "met"
	}
	return "MISSED"
}

func figure(v *float64) string {
	if v == nil {
		return "-"
	}
	digits := 1
	switch {
	case math.Abs(*v) >= 100 || *v == math.Trunc(*v):
		digits = 0
	case math.Abs(*v) < 10:
		digits = 2
	}
	return strconv.FormatFloat(*v, 'f', digits, 64)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }

// percentile returns the sample below which p of a hundred lie.
func percentile(samples []time.Duration, p int) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return milliseconds(sorted[min(len(sorted)*p/100, len(sorted)-1)])
}

func median(samples []time.Duration) float64 { return percentile(samples, 50) }
