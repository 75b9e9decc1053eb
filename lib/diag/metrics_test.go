package diag_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
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
	actions := []string{"announce", "review", "end", "notice", "pending", "ending", "show", "find", "resolve", "check", "remind", "decide"}
	outcomes := []string{"ok", "retry", "wait", "unclear", "gone", "fixed", "refused", "credentials"}
	for _, action := range actions {
		for _, outcome := range outcomes {
			expectSamples(t, text, fmt.Sprintf(`deliveries_total{action=%q,outcome=%q} 0`, action, outcome))
		}
		expectSamples(t, text, fmt.Sprintf(`call_duration_seconds_count{action=%q} 0`, action))
	}
	expectSamples(t, text, `events_total{op="put"} 0`, `events_total{op="delete"} 0`, "streams_total 0",
		`faults_total{kind="panic"} 0`, `faults_total{kind="budget"} 0`, "retries_total 0",
		"rate_limit_wait_seconds_total 0", "record_writes_total 0", "record_conflicts_total 0",
		"certificate_expiry_timestamp_seconds 0", "stream_age_seconds 0", "queue_length 0", "oldest_undelivered_seconds 0")
	if n, want := strings.Count(text, "teleport_plugin_deliveries_total{"), len(actions)*len(outcomes); n != want {
		t.Errorf("%d label sets, want %d", n, want)
	}
}

// Every error counts under one of the outcomes that are there from the start.
func TestOutcomes(t *testing.T) {
	refused := func(s outbound.Scope) error { return &outbound.Error{Kind: outbound.Refused, Scope: s, Op: "post"} }
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"none":                       {nil, "ok"},
		"temporary":                  {&outbound.Error{Kind: outbound.Retry}, "retry"},
		"rate limit":                 {&outbound.Error{Kind: outbound.Wait}, "wait"},
		"lost answer":                {&outbound.Error{Kind: outbound.Unclear}, "unclear"},
		"removed message":            {&outbound.Error{Kind: outbound.Gone}, "gone"},
		"message that cannot change": {&outbound.Error{Kind: outbound.Fixed}, "fixed"},
		"refused content":            {refused(outbound.OneCall), "refused"},
		"refused place":              {refused(outbound.ThePlace), "refused"},
		"refused method":             {refused(outbound.TheMethod), "refused"},
		"refused token":              {refused(outbound.TheToken), "credentials"},
		"wrapped":                    {fmt.Errorf("telling #ops: %w", refused(outbound.TheToken)), "credentials"},
		"a scope of another kind":    {&outbound.Error{Kind: outbound.Retry, Scope: outbound.TheToken}, "retry"},
		"sorted by nobody":           {errors.New("no such host"), "retry"},
		"without a kind":             {&outbound.Error{Op: "post"}, "retry"},
		"of a kind that is unknown":  {&outbound.Error{Kind: "strange"}, "retry"},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			m := diag.NewMetrics(registry)
			before := strings.Count(scrape(t, registry), "\n")
			m.Stepped(integration.StepAnnounce, tc.err, time.Second)
			text := scrape(t, registry)
			expectSamples(t, text, fmt.Sprintf(`deliveries_total{action="announce",outcome=%q} 1`, tc.want))
			if after := strings.Count(text, "\n"); after != before {
				t.Errorf("there are %d lines, before there were %d", after, before)
			}
		})
	}
}

func TestMetricsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		m := diag.NewMetrics(registry)
		m.Stepped(integration.StepShow, nil, 20*time.Millisecond)
		m.Stepped(integration.StepCheck, errors.New("no such host"), 200*time.Millisecond)
		m.Event(diag.Delete)
		m.Broke(diag.Panic)
		m.Broke(diag.Budget)
		m.Broke(diag.Budget)
		m.Retried()
		m.Waited(1500 * time.Millisecond)
		m.RecordWritten(false)
		m.RecordWritten(true)
		m.CertificateExpires(time.Unix(1000, 0))
		m.StreamOpened()
		m.WatchQueue(func() int { return 7 }, func() time.Duration { return time.Minute })
		time.Sleep(3 * time.Second) // virtual time
		expectSamples(t, scrape(t, registry),
			`deliveries_total{action="show",outcome="ok"} 1`, `deliveries_total{action="check",outcome="retry"} 1`,
			`call_duration_seconds_sum{action="check"} 0.2`, `call_duration_seconds_bucket{action="check",le="0.25"} 1`,
			`call_duration_seconds_count{action="show"} 1`, `call_duration_seconds_bucket{action="check",le="0.1"} 0`,
			`faults_total{kind="panic"} 1`, `faults_total{kind="budget"} 2`,
			`events_total{op="delete"} 1`, "retries_total 1", "rate_limit_wait_seconds_total 1.5",
			"record_writes_total 2", "record_conflicts_total 1", "certificate_expiry_timestamp_seconds 1000",
			"streams_total 1", "stream_age_seconds 3", "queue_length 7", "oldest_undelivered_seconds 60")
		m.StreamClosed()
		m.CertificateExpires(time.Time{})
		m.WatchQueue(nil, nil)
		expectSamples(t, scrape(t, registry), "stream_age_seconds 0", "certificate_expiry_timestamp_seconds 0", "queue_length 0")
	})
}

// Each step that the contract names is in its list, and so has its numbers from
// the start.
func TestEveryStepIsListed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../integration/integration.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "Step") {
			named++
		}
		return true
	})
	if n := len(integration.Steps()); n != named || n == 0 {
		t.Errorf("%d steps are listed and %d named", n, named)
	}
}

func TestTheGlobalRegistryIsLeftAlone(t *testing.T) {
	diag.NewMetrics(diag.NewRegistry("example", "1"))
	if text := scrape(t, prometheus.DefaultGatherer); strings.Contains(text, "teleport_plugin_") {
		t.Errorf("got %s", text)
	}
}
