package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// Held is a call that was rehearsed, and not made.
type Held struct {
	Method, Path, ContentType string
	Body                      []byte
}

type rehearsalKey struct{}

type rehearsal struct {
	mu   sync.Mutex
	held []Held
}

// errRehearsed is the answer to a call that is not made.
var errRehearsed = errors.New("the call was rehearsed, and not made")

// Rehearse returns a context under which calls that may change something, all but GET
// and HEAD, are not made, and a func that returns those that would have been. Each of
// them fails.
func Rehearse(ctx context.Context) (context.Context, func() []Held) {
	r := &rehearsal{}
	return context.WithValue(ctx, rehearsalKey{}, r), func() []Held {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.held
	}
}

// Rehearsing keeps a call that is not made over HTTP, and reports whether calls are
// rehearsed under the context; it is not to be made then.
func Rehearsing(ctx context.Context, h Held) bool {
	r, ok := ctx.Value(rehearsalKey{}).(*rehearsal)
	if ok {
		r.hold(h)
	}
	return ok
}

func (r *rehearsal) hold(h Held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = append(r.held, h)
}

// rehearsed keeps a call in place of making it, if that is asked for.
func rehearsed(req *http.Request) (bool, error) {
	r, ok := req.Context().Value(rehearsalKey{}).(*rehearsal)
	if !ok || req.Method == http.MethodGet || req.Method == http.MethodHead {
		return false, nil
	}
	h := Held{Method: req.Method, Path: req.URL.Path, ContentType: req.Header.Get("Content-Type")}
	if req.Body != nil {
		defer req.Body.Close() //nolint:errcheck // it was read
		var err error
		if h.Body, err = io.ReadAll(io.LimitReader(req.Body, maxBody)); err != nil {
			return true, fmt.Errorf("reading the body of a call that is rehearsed: %w", err)
		}
	}
	r.hold(h)
	return true, errRehearsed
}
