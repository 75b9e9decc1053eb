// Package endpoint delivers documents to endpoints of the operator's own: web addresses
// that are called, and programs that are started. How calls are signed, and what an
// answer means, is up to the caller.
package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/command"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

// mostPrograms is how many programs of an endpoint run at once.
const mostPrograms = 8

// Options tell an Endpoint what to work with.
type Options struct {
	Transport *outbound.Transport
	// Sign sets headers that say who calls, by the secrets of the section.
	Sign func(secrets config.SigningSecrets, h http.Header, d Document, at time.Time) error
	// MaxAnswer bounds an answer, in bytes. Of a longer one that comes over HTTP one byte
	// more is returned.
	MaxAnswer int
}

// Endpoint is an endpoint. Make one with New.
type Endpoint struct {
	Section
	Options
	name    string
	http    *http.Client
	program *command.Program // in place of the address
}

// Document is what is delivered to an endpoint.
type Document struct {
	ID   string // the same whenever the document is delivered
	Body []byte // JSON
	// Environment is what a program finds in its environment beside the usual, and Log
	// takes what it complains of.
	Environment []string
	Log         *zap.Logger
}

// New makes an endpoint of its section.
func New(name string, s Section, o Options) (*Endpoint, error) {
	if authorities := s.CAFile.Certificates(); len(authorities) > 0 {
		own, err := o.Transport.Trusting(authorities)
		if err != nil {
			return nil, fmt.Errorf("endpoints.%s.ca_file: %w", name, err)
		}
		o.Transport = own
	}
	e := &Endpoint{Section: s, Options: o, name: name, http: o.Transport.Client()}
	if len(s.Command) > 0 {
		e.program = command.New(s.Command[0], s.Command[1:], mostPrograms, o.MaxAnswer)
	}
	return e, nil
}

// Deliver delivers a document, once, and returns the answer. Its errors are
// *outbound.Error.
func (e *Endpoint) Deliver(ctx context.Context, d Document) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(e.Timeout))
	defer cancel()
	deliver := e.post
	if e.program != nil {
		deliver = e.run
	}
	answer, err := deliver(ctx, d)
	if err != nil {
		return nil, e.failed(err)
	}
	return answer, nil
}

// failed completes a failure. What one endpoint leaves without an answer says nothing of
// the others, and so it has a word of its own.
func (e *Endpoint) failed(err error) error {
	f, ok := errors.AsType[*outbound.Error](err)
	if !ok {
		f = &outbound.Error{Kind: outbound.Retry, Err: err}
	}
	f.Op = e.op()
	if f.Kind == outbound.Wait {
		f.Scope = outbound.ThePlace
	}
	if f.Err != nil {
		f.Code = f.Err.Error()
	}
	return f
}

func (e *Endpoint) op() string { return "deliver to " + e.name }

// run has the program take the document.
func (e *Endpoint) run(ctx context.Context, d Document) ([]byte, error) {
	if outbound.Rehearsing(ctx, outbound.Held{Method: "run", Path: e.Command[0], ContentType: "application/json", Body: d.Body}) {
		return nil, errors.New("the program was not started")
	}
	return e.program.Run(ctx, d.Body, d.Environment, d.Log)
}

// post posts the document to the address.
func (e *Endpoint) post(ctx context.Context, d Document) ([]byte, error) {
	ctx, call := outbound.Begin(ctx, e.op(), e.name)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(d.Body))
	if err != nil {
		return nil, &outbound.Error{Kind: outbound.Refused, Err: errNoCall}
	}
	if err := e.headers(req.Header, d, time.Now()); err != nil {
		return nil, &outbound.Error{Kind: outbound.Retry, Err: err, Hint: "see that the plugin can read the secrets of the endpoint"}
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return nil, call.Fail(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, int64(e.MaxAnswer)+1))
	if err != nil {
		return nil, call.Fail(err)
	}
	if err := judge(resp, answer); err != nil {
		return nil, refine(call.Fail(err))
	}
	return answer, nil
}

// headers sets the headers of the config, and those of every call.
func (e *Endpoint) headers(h http.Header, d Document, at time.Time) error {
	for name, secret := range e.Headers {
		value, err := secret.Read()
		if err != nil {
			return fmt.Errorf("the header %s: %w", name, err)
		}
		h.Set(name, value)
	}
	h.Set("Content-Type", "application/json")
	return e.Sign(e.Secret, h, d, at)
}

// Show prints what would be delivered, without what is secret.
func (e *Endpoint) Show(out io.Writer, d Document) {
	if e.program != nil {
		fmt.Fprintf(out, "Run %q with, on its standard input:\n%s\n", e.Command, d.Body)
		return
	}
	fmt.Fprintf(out, "POST to the url of %s\n", e.name)
	h := make(http.Header)
	if err := e.headers(h, d, time.Now()); err == nil {
		for name := range e.Headers {
			h.Set(name, "(from the config)")
		}
	}
	_ = h.Write(out) // the caller notes what cannot be written
	fmt.Fprintf(out, "\n%s\n", d.Body)
}

// Prove looks whether the endpoint is there, without delivering anything.
func (e *Endpoint) Prove(ctx context.Context) error {
	if e.program != nil {
		return command.Executable(e.Command[0])
	}
	ctx, call := outbound.Begin(ctx, "look at "+e.name, e.name)
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, e.URL, nil)
	if err != nil {
		return errNoCall
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return fmt.Errorf("the endpoint cannot be reached: %w", call.Fail(err))
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close() //nolint:wrapcheck // cannot fail
}
