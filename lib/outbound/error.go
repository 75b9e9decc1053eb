// Package outbound is the one way out to the services: an HTTP transport that
// every vendor's client library is given, and the kinds of failure into which
// every answer is sorted, once. The transport sees what the libraries hide
// (whether the request left, the status, the told waiting time); the service's
// own package adds what only it knows, the meaning of the service's codes.
package outbound

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what can be done about a failure.
type Kind string

const (
	// Retry: nothing was done; try again after a while.
	Retry Kind = "retry"
	// Wait: nothing was done; try again at the told time.
	Wait Kind = "wait"
	// Unclear: it may have been done; look before trying again.
	Unclear Kind = "unclear"
	// Gone: the message to be changed does not exist any more.
	Gone Kind = "gone"
	// Permanent: the same call will always fail, for this recipient or content.
	Permanent Kind = "permanent"
	// Credentials: no call will succeed before a person mends the credentials
	// or their permissions.
	Credentials Kind = "credentials"
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Retry, Wait, Unclear, Gone, Permanent, Credentials} }

// Error is a failed call to a service.
type Error struct {
	Kind Kind
	// Op names the call, for example chat.postMessage.
	Op string
	// Code is the service's own word for the failure, or empty.
	Code string
	// Status is the HTTP status of the answer, or zero if there was none.
	Status int
	// After is how long to wait for the kind Wait; zero if it was not told.
	After time.Duration
	// Hint tells the operator what to do about it.
	Hint string
	// Err is the cause.
	Err error
}

// Error says what was called, what came back, and what can be done.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	switch {
	case e.Code != "":
		fmt.Fprintf(&b, ": %s", e.Code)
	case e.Err != nil:
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Status >= 300 {
		fmt.Fprintf(&b, " (HTTP status %d)", e.Status)
	}
	if e.Kind == Wait && e.After > 0 {
		fmt.Fprintf(&b, ", to be tried again in %v", e.After.Round(time.Millisecond))
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "; %s", e.Hint)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an error; one that nobody sorted counts as Retry,
// since trying again is the only thing that is never wrong for it.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Retry
}

// AfterOf returns how long an error tells to wait, or zero.
func AfterOf(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.After
	}
	return 0
}
