package diag

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const namespace = "teleport_plugin"

// Action is a kind of call to the service.
type Action int

// The actions. Lookup and Check have only a latency; the others are counted as
// deliveries too.
const (
	Post     Action = iota // a first message about a request
	Edit                   // a change of a message
	Reply                  // a message below another
	Notice                 // a message to the requester
	Reminder               // a message to an owner of access lists
	Lookup                 // finding a recipient
	Check                  // trying the credentials
	actions
)

// String gives the action as it stands in a label.
func (a Action) String() string {
	return [actions]string{"post", "edit", "reply", "notice", "reminder", "lookup", "check"}[a]
}

// Outcome is how a delivery ended.
type Outcome int

// The outcomes.
const (
	OK          Outcome = iota // the service said yes
	Retry                      // failed in a way that will pass; tried again with backoff
	Wait                       // the service said when to come again
	Permanent                  // failed for good
	Credentials                // the service did not take the credentials
	Gone                       // the message or its place is no longer there
	Unclear                    // no answer, so it may have been done
	outcomes
)

// String gives the outcome as it stands in a label.
func (o Outcome) String() string {
	return [outcomes]string{"ok", "retry", "wait", "permanent", "credentials", "gone", "unclear"}[o]
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

// Metrics are the numbers that a plugin keeps about itself. All label values
// exist from the start, so that a zero shows. It is safe for use by several
// goroutines. All names begin with "teleport_plugin_".
type Metrics struct {
	deliveries [Lookup][outcomes]prometheus.Counter
	calls      [actions]prometheus.Observer
	events     [ops]prometheus.Counter
	streams    prometheus.Counter
	retries    prometheus.Counter
	waited     prometheus.Counter
	writes     prometheus.Counter
	conflicts  prometheus.Counter
	expiry     prometheus.Gauge

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
		retries:   counter(r, "retries_total", "Requests put back into the queue after a failure."),
		waited:    counter(r, "rate_limit_wait_seconds_total", "Time for which services told to wait."),
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
	deliveries := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "deliveries_total", Help: "Calls that deliver something to a recipient, by how they ended.",
	}, []string{"action", "outcome"})
	calls := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "call_duration_seconds", Help: "Time that calls to the service took.",
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"action"})
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "events_total", Help: "Changes of requests that the cluster told of.",
	}, []string{"op"})
	r.MustRegister(deliveries, calls, events)
	for a := range actions {
		m.calls[a] = calls.WithLabelValues(a.String())
		if a < Lookup {
			for o := range outcomes {
				m.deliveries[a][o] = deliveries.WithLabelValues(a.String(), o.String())
			}
		}
	}
	for o := range ops {
		m.events[o] = events.WithLabelValues(o.String())
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

// Delivered counts a delivery: a Post, Edit, Reply, Notice or Reminder. Other actions deliver
// nothing and are not counted.
func (m *Metrics) Delivered(action Action, outcome Outcome) {
	if action < Lookup {
		m.deliveries[action][outcome].Inc()
	}
}

// Called records how long a call to the service took, whatever its outcome.
func (m *Metrics) Called(action Action, took time.Duration) { m.calls[action].Observe(took.Seconds()) }

// Event counts a change that the cluster told of.
func (m *Metrics) Event(op Op) { m.events[op].Inc() }

// Retried counts a request that is put back after a failure.
func (m *Metrics) Retried() { m.retries.Inc() }

// Waited adds to the time for which services told to wait; it must not be
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
