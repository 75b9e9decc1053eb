package plugin

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	spy "go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/integration"
)

// Each change of a condition is one line in the log, a repetition none.
func TestChangesOfAConditionAreLoggedOnce(t *testing.T) {
	core, logs := spy.New(zap.DebugLevel)
	c := newConditions(diag.NewHealth("fed"), zap.New(core))
	for _, step := range []struct {
		name   string
		ok     bool
		reason string
		line   string // empty for none
		shown  string
	}{
		{"at first all is well, as expected", true, "", "", ""},
		{"still", true, "with a reason", "", ""},
		{"it fails", false, "no bread", "Not fed: no bread", "no bread"},
		{"still", false, "no bread", "", "no bread"},
		{"for another reason", false, "no butter", "", "no butter"},
		{"for none", false, "", "", "no reason is known"},
		{"well again", true, "", "Recovered: fed", ""},
		{"still", true, "", "", ""},
	} {
		c.Set("fed", step.ok, step.reason)
		line := ""
		for _, l := range logs.TakeAll() {
			line += l.Message
		}
		got := c.health.Status().Conditions[0]
		if line != step.line || got.OK != step.ok || got.Reason != step.shown {
			t.Errorf("%s: logged %q, want %q; the condition is %+v", step.name, line, step.line, got)
		}
	}
	c.Set("clothed", false, "no shoes")
	c.Set("fed", false, "no bread")
	if n := logs.FilterMessageSnippet("Not ").Len(); n != 2 {
		t.Errorf("%d lines, want one of each condition", n)
	}
}

// Whoever states a condition last, health and log agree on it.
func TestConditionsAgreeWithHealth(t *testing.T) {
	core, logs := spy.New(zap.InfoLevel)
	for range 200 {
		c := newConditions(diag.NewHealth("fed"), zap.New(core))
		var both sync.WaitGroup
		for _, ok := range []bool{true, false} {
			both.Go(func() {
				for range 50 {
					c.Set("fed", ok, "no bread")
				}
			})
		}
		both.Wait()
		got := c.health.Status().Conditions[0]
		if got.OK != (c.state["fed"] == "") {
			t.Fatalf("health shows %+v where %q was stated last", got, c.state["fed"])
		}
		last := true
		for _, l := range logs.TakeAll() {
			last = strings.HasPrefix(l.Message, "Recovered")
		}
		if last != got.OK {
			t.Fatalf("the log ends with recovered=%v, health shows %+v", last, got)
		}
	}
}

func TestWhatIsObservedIsCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := observer{diag.NewMetrics(registry)}
	o.Stepped(integration.StepAnnounce, refusedToken(), time.Second)
	o.Retried()
	o.Panicked()
	o.Exceeded()
	o.Recorded(true)
	o.Event("put")
	o.Event("delete")
	o.Limited("post", 3*time.Second)
	o.Streaming(time.Now())
	for name, want := range map[string]float64{
		`deliveries_total{action="announce",outcome="credentials"}`: 1, "retries_total": 1, `faults_total{kind="panic"}`: 1, `faults_total{kind="budget"}`: 1, "record_writes_total": 1,
		"record_conflicts_total": 1, `events_total{op="put"}`: 1, `events_total{op="delete"}`: 1,
		"rate_limit_wait_seconds_total": 3, "streams_total": 1,
	} {
		if got := sample(t, registry, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if sample(t, registry, "stream_age_seconds") <= 0 {
		t.Error("the stream has no age")
	}
	o.Streaming(time.Time{})
	if age := sample(t, registry, "stream_age_seconds"); age != 0 {
		t.Errorf("the stream that ended has the age %v", age)
	}
}

// sample gives the value of one of the plugin's metrics, named as in the text
// format without the prefix.
func sample(t *testing.T, g prometheus.Gatherer, name string) float64 {
	t.Helper()
	recorder := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(recorder.Body.String()) {
		if value, ok := strings.CutPrefix(line, "teleport_plugin_"+name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}
