package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheDashboardIsCurrent(t *testing.T) {
	var want bytes.Buffer
	if err := write(&want, panels()); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("../dashboard.json"); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("install/dashboard.json is not as it should be (%v); run go run ./install/dashboard >install/dashboard.json", err)
	}
}

var metric = regexp.MustCompile(`teleport_plugin_[a-z_]+`)

// Each metric of the reference is on the dashboard, and none that does not exist.
func TestTheDashboardShowsEachMetric(t *testing.T) {
	reference, err := os.ReadFile("../REFERENCE.md")
	if err != nil {
		t.Fatal(err)
	}
	exist := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `(teleport_plugin_[a-z_]+)` \\|").FindAllStringSubmatch(string(reference), -1) {
		exist[m[1]] = false
	}
	for _, p := range panels() {
		for _, q := range p.Queries {
			for _, name := range metric.FindAllString(q.Expr, -1) {
				name = strings.TrimSuffix(name, "_bucket")
				if _, ok := exist[name]; !ok {
					t.Errorf("%s: there is no metric %s", p.Title, name)
				}
				exist[name] = true
			}
		}
	}
	for name, shown := range exist {
		if !shown {
			t.Errorf("%s is not on the dashboard", name)
		}
	}
}

// The expressions are ones of Prometheus, as its own program has them.
func TestPrometheusReadsTheExpressions(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("there is no promtool")
	}
	rules := "groups:\n  - name: dashboard\n    rules:\n"
	for _, p := range panels() {
		for _, q := range p.Queries {
			expr := strings.NewReplacer("$__rate_interval", "5m", "'", "''").Replace(q.Expr)
			rules += "      - record: one\n        labels: {panel: '" + p.Title + " " + q.Legend + "'}\n        expr: '" + expr + "'\n"
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer("{{", "", "}}", "").Replace(rules)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
