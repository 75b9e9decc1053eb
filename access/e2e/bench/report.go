package main

import (
	"cmp"
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

// row is one figure of one plugin. Floor and Target are nil where there is none.
type row struct {
	Measure string   `json:"measure"`
	Service string   `json:"service"`
	Unit    string   `json:"unit"`
	Ours    float64  `json:"ours"`
	Floor   *float64 `json:"floor,omitempty"`
	// Target is the most that Ours should be, and Rule why.
	Target *float64 `json:"target,omitempty"`
	Rule   string   `json:"rule,omitempty"`
}

// add adds a figure, and the most that it should be: so many times its floor, and
// something more. Two zeros are no limit.
func (r *report) add(of row, times, more float64) {
	target := more
	switch {
	case times != 0:
		target += times * *of.Floor
		of.Rule = fmt.Sprintf("%g × floor", times)
		if more != 0 {
			of.Rule = fmt.Sprintf("floor + %g", more)
		}
	case more != 0:
		of.Rule = fmt.Sprintf("%g", more)
	}
	if of.Rule != "" {
		of.Target = &target
	}
	r.Rows = append(r.Rows, of)
}

// sort puts the plugins side by side under each measure.
func (r *report) sort() {
	order := make(map[string]int)
	for _, row := range r.Rows {
		if _, seen := order[row.Measure]; !seen {
			order[row.Measure] = len(order)
		}
	}
	slices.SortStableFunc(r.Rows, func(a, b row) int { return cmp.Compare(order[a.Measure], order[b.Measure]) })
}

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
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "measure\tplugin\tours\tfloor\tratio\tunit\tat most\t\t")
	for i, row := range r.Rows {
		measure := row.Measure
		if i > 0 && measure == r.Rows[i-1].Measure {
			measure = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", measure, row.Service, figure(&row.Ours), figure(row.Floor),
			figure(row.ratio()), row.Unit, row.Rule, row.verdict())
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	_, err := fmt.Fprintf(out, "\n%s, %s; medians of %d, taken in turn; cluster and services are in memory and share %d processors with the plugins.\n",
		r.Go, r.Platform, samples, r.CPUs)
	return err
}

func (r row) ratio() *float64 {
	if r.Floor == nil || *r.Floor == 0 {
		return nil
	}
	ratio := r.Ours / *r.Floor
	return &ratio
}

func (r row) verdict() string {
	switch {
	case r.Target == nil:
		return ""
	case r.Ours <= *r.Target:
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

// median returns the middle of an odd number of samples.
func median[T cmp.Ordered](of []T) T { return slices.Sorted(slices.Values(of))[len(of)/2] }
