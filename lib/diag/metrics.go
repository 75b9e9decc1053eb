package diag

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
)

const namespace = "teleport_plugin"

// Outcomes of a call beside the kinds of failure.
const (
	outcomeOK = "ok"
	// outcomeCredentials is a refusal of the token itself.
	outcomeCredentials = "credentials"
)

// outcomes lists every value of the label outcome.
func outcomes() []string {
	all := []string{outcomeOK, outcomeCredentials}
	for _, k := range outbound.Kinds() {
		all = append(all, string(k))
	}
	return all
}

func outcome(err error) string {
	if err == nil {
		return outcomeOK
	}
	if outbound.RefusesToken(err) {
		return outcomeCredentials
	}
	if k := outbound.KindOf(err); slices.Contains(outbound.Kinds(), k) {
		return string(k)
	}
	return string(outbound.Retry) // as the engine treats what nobody sorted
}

// Op is what the cluster told about a request.
type Op int

// The operations.
const (
	Put    Op = iota // created or changed
	Delete           // deleted or expired
	ops
)

// String gives the operation as it stands in a label.
func (o Op) String() string { return [ops]string{"put", "delete"}[o] }

// Fault is what stopped a fault of the program itself.
type Fault int

// The faults.
const (
	Panic  Fault = iota // the work on one request broke off
	Budget              // a request asked for more calls than can be needed
	faults
)

// String gives the fault as it stands in a label.
func (f Fault) String() string { return [faults]string{"panic", "budget"}[f] }

// Metrics are the numbers that a plugin keeps about itself. All label values
// exist from the start, so that a zero shows. It is safe for use by several
// goroutines. All names begin with "teleport_plugin_".
type Metrics struct {
	deliveries *prometheus.CounterVec
	calls      *prometheus.HistogramVec
	events     [ops]prometheus.Counter
	faults     [faults]prometheus.Counter
	streams    prometheus.Counter
	retries    prometheus.Counter
	waited     prometheus.Counter
	writes     prometheus.Counter
	conflicts  prometheus.Counter
	expiry     prometheus.Gauge
	presses    *prometheus.HistogramVec

	mu     sync.Mutex
	opened time.Time            // of the present stream; zero when there is none
	length func() int           // of the queue; nil until told
	oldest func() time.Duration // undelivered request; nil until told
}

// NewRegistry makes a registry that already holds the numbers of the Go runtime
// and of the process, and one that names the plugin and its version.
func NewRegistry(plugin, version string) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "info", Help: "Always 1; the labels name the plugin and its version.",
		ConstLabels: prometheus.Labels{"plugin": plugin, "version": version},
	})
	info.Set(1)
	registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// NewMetrics registers the metrics. It panics, as the registerer does, when they
// are registered there already.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		streams:   counter(r, "streams_total", "Streams opened to the Teleport cluster."),
		retries:   counter(r, "retries_total", "Requests put back into the queue after a failure that passes by itself."),
		waited:    counter(r, "rate_limit_wait_seconds_total", "Time for which the service's rate limit held calls back."),
		writes:    counter(r, "record_writes_total", "Writes of records to the cluster, conflicts included."),
		conflicts: counter(r, "record_conflicts_total", "Writes of records that lost against another writer."),
		expiry: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "certificate_expiry_timestamp_seconds",
			Help: "When the certificate of the plugin expires, in Unix time; 0 when unknown.",
		}),
	}
	r.MustRegister(m.expiry)
	m.registerVectors(r)
	m.registerFuncs(r)
	return m
}

func counter(r prometheus.Registerer, name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	r.MustRegister(c)
	return c
}

// registerVectors makes the metrics with labels and all their label values.
func (m *Metrics) registerVectors(r prometheus.Registerer) {
	m.deliveries = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "deliveries_total", Help: "Steps of the work on requests and lists, by kind and by how they ended.",
	}, []string{"action", "outcome"})
	m.calls = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "call_duration_seconds", Help: "Time that steps took, whatever their outcome.",
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"action"})
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "events_total", Help: "Changes of requests that the cluster reported.",
	}, []string{"op"})
	broken := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "faults_total", Help: "Faults of the plugin itself that were stopped, by what stopped them.",
	}, []string{"kind"})
	m.presses = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "press_duration_seconds", Help: "Time from a press of a button to its answer, by what came of it.",
		Buckets: []float64{0.1, 0.3, 1, 3, 10},
	}, []string{"outcome"})
	r.MustRegister(m.deliveries, m.calls, events, broken, m.presses)
	for _, k := range decision.Kinds() {
		m.presses.WithLabelValues(string(k))
	}
	for _, step := range integration.Steps() {
		m.calls.WithLabelValues(string(step))
		for _, o := range outcomes() {
			m.deliveries.WithLabelValues(string(step), o)
		}
	}
	for o := range ops {
		m.events[o] = events.WithLabelValues(o.String())
	}
	for f := range faults {
		m.faults[f] = broken.WithLabelValues(f.String())
	}
}

// registerFuncs makes the metrics that are worked out when they are asked for.
func (m *Metrics) registerFuncs(r prometheus.Registerer) {
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"stream_age_seconds", "How long the stream from the cluster has been open; 0 while there is none.", m.streamAge},
		{"queue_length", "Requests that wait to be looked at.", m.queueLength},
		{"oldest_undelivered_seconds", "Age of the oldest request that is not delivered to every recipient.", m.oldestAge},
	} {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: g.name, Help: g.help}, g.value))
	}
}

// Stepped counts a step, how it ended and how long it took.
func (m *Metrics) Stepped(step integration.Step, err error, took time.Duration) {
	m.deliveries.WithLabelValues(string(step), outcome(err)).Inc()
	m.calls.WithLabelValues(string(step)).Observe(took.Seconds())
}

// Event counts a change that the cluster reported.
func (m *Metrics) Event(op Op) { m.events[op].Inc() }

// Broke counts a fault of the program itself.
func (m *Metrics) Broke(f Fault) { m.faults[f].Inc() }

// Pressed counts a press of a button, by what came of it, and how long that took.
func (m *Metrics) Pressed(kind decision.Kind, took time.Duration) {
	m.presses.WithLabelValues(string(kind)).Observe(took.Seconds())
}

// Retried counts a request that is put back into the queue after a failure that
// passes by itself. One that is put back for any other reason is not counted,
// nor is a failure that waits for somebody to change something.
func (m *Metrics) Retried() { m.retries.Inc() }

// Waited adds to the time for which a rate limit held calls back; it must not be
// negative.
func (m *Metrics) Waited(d time.Duration) { m.waited.Add(d.Seconds()) }

// RecordWritten counts a write of a record, and whether it lost against another
// writer.
func (m *Metrics) RecordWritten(conflict bool) {
	m.writes.Inc()
	if conflict {
		m.conflicts.Inc()
	}
}

// CertificateExpires tells when the certificate of the plugin expires; the zero
// time means that it is not known.
func (m *Metrics) CertificateExpires(at time.Time) {
	if at.IsZero() {
		m.expiry.Set(0)
		return
	}
	m.expiry.Set(float64(at.Unix()))
}

// StreamOpened says that a stream from the cluster has been opened just now.
func (m *Metrics) StreamOpened() {
	m.streams.Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened = time.Now()
}

// StreamClosed says that there is no stream any more.
func (m *Metrics) StreamClosed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened = time.Time{}
}

// WatchQueue tells where the length of the queue and the age of the oldest
// undelivered request are to be asked for. Both funcs must be safe for use by any
// goroutine and must not block; a nil one counts as 0.
func (m *Metrics) WatchQueue(length func() int, oldest func() time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.length, m.oldest = length, oldest
}

func (m *Metrics) streamAge() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.opened.IsZero() {
		return 0
	}
	return time.Since(m.opened).Seconds()
}

// queueLength asks without the lock, which is not the asked one's business.
func (m *Metrics) queueLength() float64 {
	m.mu.Lock()
	length := m.length
	m.mu.Unlock()
	if length == nil {
		return 0
	}
	return float64(length())
}

func (m *Metrics) oldestAge() float64 {
	m.mu.Lock()
	oldest := m.oldest
	m.mu.Unlock()
	if oldest == nil {
		return 0
	}
	return oldest().Seconds()
}
