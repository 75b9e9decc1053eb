// Command dashboard writes a dashboard of the plugins' metrics, for Grafana, to its
// standard output:
//
//	go run ./install/dashboard >install/dashboard.json
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// panel is a chart, or with Single the last value of one.
type panel struct {
	Title, About, Unit string
	Single             bool
	Queries            []query
}

// query is an expression of Prometheus, and how its results are named.
type query struct{ Expr, Legend string }

// where selects what the variables of the dashboard choose.
const where = `{job=~"$job",instance=~"$instance"}`

// panels are those of the dashboard, in their order: how it goes, what is done, what
// fails, and what it costs.
func panels() []panel {
	return []panel{
		{"Running", "Plugins that can be scraped, by service and version.", "short", true, []query{
			{`count by (plugin, version) (teleport_plugin_info` + where + `)`, "{{plugin}} {{version}}"},
		}},
		{"Oldest request not delivered", "How long it has waited to be told to all of its recipients; more than five minutes is an alert.", "s", true, []query{
			{`max(teleport_plugin_oldest_undelivered_seconds` + where + `)`, "oldest"},
		}},
		{"Identity ends in", "Until the certificate of the plugin expires.", "s", true, []query{
			{`min by (instance) (teleport_plugin_certificate_expiry_timestamp_seconds` + where + ` > 0) - time()`, "{{instance}}"},
		}},
		{"Stream from the cluster", "How long it has been open; at zero there is none.", "s", true, []query{
			{`teleport_plugin_stream_age_seconds` + where, "{{instance}}"},
		}},
		{"Steps", "What is announced, changed and told below messages, in a minute.", "cpm", false, []query{
			{`60 * sum by (action) (rate(teleport_plugin_deliveries_total{job=~"$job",instance=~"$instance",outcome="ok"}[$__rate_interval]))`, "{{action}}"},
		}},
		{"Steps that did not succeed", "By how they ended; refused and credentials wait for somebody to change something, the others for time.", "cpm", false, []query{
			{`60 * sum by (outcome) (rate(teleport_plugin_deliveries_total{job=~"$job",instance=~"$instance",outcome!="ok"}[$__rate_interval]))`, "{{outcome}}"},
		}},
		{"Time of a step", "At most this, for 95 of 100.", "s", false, []query{
			{`histogram_quantile(0.95, sum by (le, action) (rate(teleport_plugin_call_duration_seconds_bucket` + where + `[$__rate_interval])))`, "{{action}}"},
		}},
		{"Time to the answer of a press", "At most this, for 95 of 100.", "s", false, []query{
			{`histogram_quantile(0.95, sum by (le, outcome) (rate(teleport_plugin_press_duration_seconds_bucket` + where + `[$__rate_interval])))`, "{{outcome}}"},
		}},
		{"Queue", "Requests that wait to be looked at.", "short", false, []query{
			{`teleport_plugin_queue_length` + where, "{{instance}}"},
		}},
		{"Changes in the cluster", "Requests that were made, changed or deleted, in a minute.", "cpm", false, []query{
			{`60 * sum by (op) (rate(teleport_plugin_events_total` + where + `[$__rate_interval]))`, "{{op}}"},
		}},
		{"Records", "Writes to the cluster, and those that lost against another writer, in a minute.", "cpm", false, []query{
			{`60 * sum(rate(teleport_plugin_record_writes_total` + where + `[$__rate_interval]))`, "writes"},
			{`60 * sum(rate(teleport_plugin_record_conflicts_total` + where + `[$__rate_interval]))`, "conflicts"},
		}},
		{"Held back", "Part of the time for which the service's rate limit held calls back.", "percentunit", false, []query{
			{`rate(teleport_plugin_rate_limit_wait_seconds_total` + where + `[$__rate_interval])`, "{{instance}}"},
		}},
		{"Retries, new streams and faults", "In an hour. Each fault has an error in the log.", "short", false, []query{
			{`sum(increase(teleport_plugin_retries_total` + where + `[1h]))`, "retries"},
			{`sum(increase(teleport_plugin_streams_total` + where + `[1h]))`, "streams"},
			{`sum by (kind) (increase(teleport_plugin_faults_total` + where + `[1h]))`, "fault: {{kind}}"},
		}},
		{"Memory", "Resident memory of the processes.", "bytes", false, []query{
			{`process_resident_memory_bytes` + where, "{{instance}}"},
		}},
	}
}

type object map[string]any

func main() {
	if err := write(os.Stdout, panels()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write writes the dashboard in Grafana's form.
func write(w io.Writer, panels []panel) error {
	source := object{"type": "prometheus", "uid": "${source}"}
	var list []object
	x, y := 0, 0
	for i, p := range panels {
		kind, width, height := "timeseries", 12, 8
		if p.Single {
			kind, width, height = "stat", 6, 4
		}
		if x+width > 24 {
			x, y = 0, y+list[len(list)-1]["gridPos"].(object)["h"].(int) //nolint:forcetypeassert // written below
		}
		var targets []object
		for n, q := range p.Queries {
			targets = append(targets, object{"datasource": source, "expr": q.Expr, "legendFormat": q.Legend, "refId": string(rune('A' + n))})
		}
		list = append(list, object{
			"id": i + 1, "type": kind, "title": p.Title, "description": p.About, "datasource": source, "targets": targets,
			"gridPos":     object{"x": x, "y": y, "w": width, "h": height},
			"fieldConfig": object{"defaults": object{"unit": p.Unit, "min": 0}, "overrides": []any{}},
		})
		x += width
	}
	variable := func(name, label, of string) object {
		return object{
			"name": name, "label": label, "type": "query", "datasource": source, "query": "label_values(" + of + ")",
			"refresh": 2, "includeAll": true, "multi": true, "current": object{"text": "All", "value": "$__all"},
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(object{ //nolint:wrapcheck // nothing to add
		"title": "Teleport access request plugins", "uid": "teleport-access-plugins", "schemaVersion": 39, "version": 1,
		"editable": true, "refresh": "30s", "tags": []string{"teleport"}, "time": object{"from": "now-6h", "to": "now"},
		"panels": list, "annotations": object{"list": []any{}},
		"templating": object{"list": []object{
			{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"},
			variable("job", "Job", "teleport_plugin_info, job"),
			variable("instance", "Instance", `teleport_plugin_info{job=~"$job"}, instance`),
		}},
	})
}
