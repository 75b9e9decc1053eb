package webhook

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/document"
	"teleport-plugins/lib/endpoint"
	"teleport-plugins/lib/outbound"
)

// Endpoint is a section [endpoints.NAME].
type Endpoint struct {
	endpoint.Section
	Events   []string        `toml:"events" doc:"what the endpoint hears of: created, reviewed, pending (a reminder), approved, denied, promoted, expired, decision_refused; by default all"`
	Format   document.Format `toml:"format" default:"\"teleport\"" doc:"form of documents and answers: teleport, or opa for the API of Open Policy Agent"`
	Required bool            `toml:"required" default:"true" doc:"a request that goes to the endpoint is approved only if this one says so"`
}

// Exact makes an unknown key a fault: a secret that is misspelt would leave events
// unsigned.
func (*Endpoint) Exact() {}

// takes reports whether the endpoint hears of events of a kind.
func (e *Endpoint) takes(kind string) bool {
	return len(e.Events) == 0 || slices.Contains(e.Events, kind)
}

// Validate checks the section and fills in its defaults.
func (e *Endpoint) Validate(f *config.Faults) {
	if !f.Has("required") {
		e.Required = true
	}
	e.Format = cmp.Or(e.Format, document.Teleport)
	if e.Format != document.Teleport && e.Format != document.OPA {
		f.Add("format", "there is no such format", "write teleport or opa")
	}
	for name := range e.Headers {
		if strings.HasPrefix(http.CanonicalHeaderKey(name), "Webhook-") {
			endpoint.Reserved(f, name)
		}
	}
	for _, kind := range e.Events {
		if !slices.Contains(document.Kinds(), kind) {
			f.Add("events", fmt.Sprintf("there is no event %q", kind), "choose among "+strings.Join(document.Kinds(), ", "))
		}
	}
}

// atOnce is how many answers an endpoint is asked for again at once: one that hangs must
// not hold up the work on other requests.
const atOnce = 16

// receiver is an endpoint to which events are delivered.
type receiver struct {
	Endpoint
	to    *endpoint.Endpoint
	name  string
	asked *semaphore.Weighted // by whom it is asked for an answer
	log   *zap.Logger
}

func newReceiver(name string, e Endpoint, t *outbound.Transport, log *zap.Logger) (*receiver, error) {
	to, err := endpoint.New(name, e.Section, endpoint.Options{Transport: t, Sign: sign, MaxAnswer: document.MaxAnswer})
	if err != nil {
		return nil, err
	}
	return &receiver{Endpoint: e, to: to, name: name, asked: semaphore.NewWeighted(atOnce), log: log.With(zap.String("endpoint", name))}, nil
}

// reply is what came of a delivery.
type reply struct {
	document.Answer
	// fault says why the answer could not be understood; nil of one that could.
	fault error
	took  time.Duration
	// hash is that of the document that was answered, and partial says that it lacked
	// what may be known later.
	hash    string
	partial bool
}

// pack writes an event in the form that the endpoint takes.
func (r *receiver) pack(d document.Event) (endpoint.Document, error) {
	body, err := r.Format.Write(d)
	if err != nil {
		return endpoint.Document{}, &outbound.Error{Kind: outbound.Refused, Op: r.name, Err: err}
	}
	return endpoint.Document{
		ID: d.ID, Body: body, Environment: []string{"TELEPORT_CLUSTER=" + d.Cluster.Name}, Log: r.log.With(zap.String("request_id", d.Request.ID)),
	}, nil
}

// deliver delivers an event, once.
func (r *receiver) deliver(ctx context.Context, d document.Event) (reply, error) {
	packed, err := r.pack(d)
	if err != nil {
		return reply{}, err
	}
	begun := time.Now()
	text, err := r.to.Deliver(ctx, packed)
	if err != nil {
		return reply{}, err
	}
	sum := sha256.Sum256(packed.Body)
	said := reply{took: time.Since(begun), hash: hex.EncodeToString(sum[:]), partial: d.Partial}
	said.Answer, said.fault = r.Format.Read(text)
	return said, nil
}
