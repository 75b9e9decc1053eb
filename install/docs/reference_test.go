package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/watch"
)

// own are the plugin's own metrics: name, type and labels, as in the reference.
func own(t *testing.T) map[string][2]string {
	t.Helper()
	registry := diag.NewRegistry("example", "1.2.3")
	diag.NewMetrics(registry)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	list := map[string][2]string{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "teleport_plugin_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		list[f.GetName()] = [2]string{strings.ToLower(f.GetType().String()), strings.Join(labels, ", ")}
	}
	return list
}

func TestReferenceHasEveryMetric(t *testing.T) {
	metrics := own(t)
	var names []string
	for name := range metrics {
		names = append(names, name)
	}
	table := rows(read(t, "install/REFERENCE.md").section(t, "## Metrics"), "Metric")
	same(t, "metrics", column(table, 0), names)
	for _, row := range table {
		if want := metrics[strings.Trim(row[0], "`")]; row[1] != want[0] || row[2] != want[1] || row[3] == "" {
			t.Errorf("%s is a %s with the labels %s, not %q", row[0], want[0], want[1], row)
		}
	}
}

func TestReferenceHasEveryLabelValue(t *testing.T) {
	registry := prometheus.NewRegistry()
	diag.NewMetrics(registry)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, "install/REFERENCE.md").section(t, "## Metrics")
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if !strings.Contains(text, "`"+l.GetValue()+"`") {
					t.Errorf("%s=%s of %s is not documented", l.GetName(), l.GetValue(), f.GetName())
				}
			}
		}
	}
}

// conditions are the names in /readyz.
func conditions() []string {
	return []string{watch.Condition, reconcile.ConditionService, "delivering", reconcile.ConditionRequests, reconcile.ConditionRecords, "answering buttons"}
}

func TestReferenceHasEveryCondition(t *testing.T) {
	same(t, "conditions", column(rows(read(t, "install/REFERENCE.md").section(t, "## Health"), "Condition"), 0), conditions())
}

// fields are the names of a type in JSON.
func fields(of any) (names []string) {
	for i := range reflect.TypeOf(of).NumField() {
		name, _, _ := strings.Cut(reflect.TypeOf(of).Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func TestReferenceHasEveryKeyOfARecord(t *testing.T) {
	text := read(t, "install/REFERENCE.md").section(t, "## Records in the cluster")
	var keys []string
	for _, i := range integrations() {
		parts, err := i.Parts(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		record := plugindata.New(parts.Codec)
		record.Known = plugindata.Known{
			User: "u", Roles: []string{"r"}, Resources: []string{"/c/node/n"}, Reason: "r", Created: time.Unix(1, 0),
			Logins: map[string][]string{"r": {"l"}}, Annotations: map[string][]string{"a": {"v"}}, SuggestedReviewers: []string{"s"},
			ReviewsCount: 1, Resolution: request.Approved, ResolveReason: "r", Messages: []plugindata.Message{{Channel: "c", ID: "i"}},
		}
		record.Adopted = true
		record.Claim, record.Progress.Request = ledger.Claim{Owner: "o", Generation: 1}, 1
		set, _ := record.Changes()
		for key := range set {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	keys = append(keys, remind.NotifiedKey)
	same(t, "keys of records", column(rows(text, "Key"), 0), keys)
	same(t, "fields of progress", column(rows(text, "Field"), 0), slices.Concat(fields(plugindata.Progress{}), fields(plugindata.Delivery{}), fields(plugindata.Post{})))
	for _, name := range slices.Concat(fields(plugindata.Doubt{}), fields(request.Version{})) {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("fields of progress: %q exists and is not documented", name)
		}
	}
}

func TestAlertsAskForMetricsThatExist(t *testing.T) {
	metrics := own(t)
	for _, name := range []string{"alerts.yml", "alerts_test.yml"} {
		text, err := os.ReadFile(filepath.Join(root, "install", name))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`teleport_plugin_\w+`).FindAllString(string(text), -1)
		if len(found) < 9 {
			t.Errorf("%s names %d metrics", name, len(found))
		}
		for _, metric := range found {
			if _, ok := metrics[metric]; !ok {
				t.Errorf("%s asks for %s, which does not exist", name, metric)
			}
		}
	}
}

// Each alert has a section in the operations guide, which its runbook_url leads to, and
// which opens with its severity.
func TestOperationsHasEveryAlert(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "install", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	_, guide, _ := strings.Cut(read(t, "install/OPERATIONS.md").text, "\n## Alerts\n")
	guide, _, _ = strings.Cut(guide, "\n## ")
	var alerts, documented []string
	for _, m := range regexp.MustCompile(`(?s)- alert: (\w+).*?severity: (\w+).*?(?:runbook_url: (\S+)|\n\n)`).FindAllStringSubmatch(string(text), -1) {
		alerts = append(alerts, m[1]+" "+m[2]+" "+m[3])
	}
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)\n\n(\w+)\.`).FindAllStringSubmatch(guide, -1) {
		documented = append(documented, m[1]+" "+strings.ToLower(m[2])+" OPERATIONS.md#"+strings.ToLower(m[1]))
	}
	same(t, "alerts", documented, alerts)
}

// The alerts have tests of their own, in the form of Prometheus' promtool. Where it
// lies somewhere else than in the path, PROMTOOL says so.
func TestAlertsFire(t *testing.T) {
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		promtool = "promtool"
	}
	if _, err := exec.LookPath(promtool); err != nil {
		t.Skip("promtool is not installed; Debian has it in the package prometheus")
	}
	shows(t, filepath.Join(root, "install"), promtool, "check", "rules", "alerts.yml")
	shows(t, filepath.Join(root, "install"), promtool, "test", "rules", "alerts_test.yml")
}
