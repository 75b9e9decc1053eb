package diag_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"teleport-plugins/lib/diag"
)

// scrape gives all samples in the text format, one in each line.
func scrape(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	if recorder.Code != 200 {
		t.Fatalf("got %d: %s", recorder.Code, recorder.Body)
	}
	return recorder.Body.String()
}

func expectSamples(t *testing.T, text string, samples ...string) {
	t.Helper()
	for _, sample := range samples {
		if !strings.Contains(text, "\nteleport_plugin_"+sample+"\n") {
			t.Errorf("no sample %q in:\n%s", sample, text)
		}
	}
}

func TestEveryLabelShowsZeroAtFirst(t *testing.T) {
	registry := prometheus.NewRegistry()
	diag.NewMetrics(registry)
	text := scrape(t, registry)
	for _, action := range []string{"post", "edit", "reply", "notice", "reminder"} {
		for _, outcome := range []string{"ok", "retry", "wait", "permanent", "credentials", "gone", "unclear"} {
			expectSamples(t, text, fmt.Sprintf(`deliveries_total{action=%q,outcome=%q} 0`, action, outcome))
		}
	}
	for _, action := range []string{"post", "edit", "reply", "notice", "reminder", "lookup", "check"} {
		expectSamples(t, text, fmt.Sprintf(`call_duration_seconds_count{action=%q} 0`, action))
	}
	expectSamples(t, text, `events_total{op="put"} 0`, `events_total{op="delete"} 0`, "streams_total 0", "retries_total 0",
		"rate_limit_wait_seconds_total 0", "record_writes_total 0", "record_conflicts_total 0",
		"certificate_expiry_timestamp_seconds 0", "stream_age_seconds 0", "queue_length 0", "oldest_undelivered_seconds 0")
	if n := strings.Count(text, "teleport_plugin_deliveries_total{"); n != 35 {
		t.Errorf("%d label sets, want 35", n)
	}
}

func TestMetricsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		m := diag.NewMetrics(registry)
		m.Delivered(diag.Post, diag.OK)
		m.Delivered(diag.Notice, diag.Unclear)
		m.Delivered(diag.Lookup, diag.OK)
		m.Called(diag.Check, 200*time.Millisecond)
		m.Event(diag.Delete)
		m.Retried()
		m.Waited(1500 * time.Millisecond)
		m.RecordWritten(false)
		m.RecordWritten(true)
		m.CertificateExpires(time.Unix(1000, 0))
		m.StreamOpened()
		m.WatchQueue(func() int { return 7 }, func() time.Duration { return time.Minute })
		time.Sleep(3 * time.Second) // virtual time
		expectSamples(t, scrape(t, registry),
			`deliveries_total{action="post",outcome="ok"} 1`, `deliveries_total{action="notice",outcome="unclear"} 1`,
			`call_duration_seconds_sum{action="check"} 0.2`, `call_duration_seconds_bucket{action="check",le="0.25"} 1`,
			`events_total{op="delete"} 1`, "retries_total 1", "rate_limit_wait_seconds_total 1.5",
			"record_writes_total 2", "record_conflicts_total 1", "certificate_expiry_timestamp_seconds 1000",
			"streams_total 1", "stream_age_seconds 3", "queue_length 7", "oldest_undelivered_seconds 60")
		m.StreamClosed()
		m.CertificateExpires(time.Time{})
		m.WatchQueue(nil, nil)
		expectSamples(t, scrape(t, registry), "stream_age_seconds 0", "certificate_expiry_timestamp_seconds 0", "queue_length 0")
	})
}

func TestTheGlobalRegistryIsLeftAlone(t *testing.T) {
	diag.NewMetrics(diag.NewRegistry("slack", "1"))
	if text := scrape(t, prometheus.DefaultGatherer); strings.Contains(text, "teleport_plugin_") {
		t.Errorf("got %s", text)
	}
}
