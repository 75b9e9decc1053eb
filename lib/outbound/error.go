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

// The kinds of failure.
const (
	// Retry: nothing was done; try again after a while.
	Retry Kind = "retry"
	// Wait: nothing was done; try again at the told time.
	Wait Kind = "wait"
	// Unclear: it may have been done; look before trying again. Every answer to
	// a call with an effect that does not have the vendor's own shape is unclear.
	Unclear Kind = "unclear"
	// Gone: the vendor says that the message to be changed does not exist.
	Gone Kind = "gone"
	// Fixed: the vendor says that the message exists and cannot be changed.
	Fixed Kind = "fixed"
	// Refused: the vendor has understood the call and refuses it, as it will
	// until somebody changes something; the Scope says how far that reaches.
	Refused Kind = "refused"
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Retry, Wait, Unclear, Gone, Fixed, Refused} }

// Scope says how far a refusal reaches. It is decided by the vendor's own words
// in the vendor's own shape, never by an HTTP status alone.
type Scope int

// The scopes, from the narrowest.
const (
	// OneCall: this call with this content.
	OneCall Scope = iota
	// ThePlace: every call that concerns the place, such as a channel in which
	// the bot is no member.
	ThePlace
	// TheMethod: every call of the method, such as one for which a scope is
	// missing.
	TheMethod
	// TheToken: every call. The vendor says that the token itself is no good.
	TheToken
)

// Error is a failed call to a service.
type Error struct {
	Kind Kind
	// Scope says how far a refusal reaches.
	Scope Scope
	// Op names the call, for example chat.postMessage.
	Op string
	// Code is the service's own word for the failure, or empty.
	Code string
	// Status is the HTTP status of the answer, or zero if there was none.
	Status int
	// After is how long to wait for the kind Wait, or before looking for the kind
	// Unclear; zero if it was not told.
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
	if e.Kind == Wait && e.After >= time.Millisecond {
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

// ScopeOf returns how far an error reaches: one call, if it does not say.
func ScopeOf(err error) Scope {
	var e *Error
	if errors.As(err, &e) {
		return e.Scope
	}
	return OneCall
}

// RefusesToken reports whether a service says that our token itself is no good.
func RefusesToken(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == Refused && e.Scope == TheToken
}

// Answered reports whether a call was answered in the vendor's own shape, be it
// with a refusal.
func Answered(err error) bool {
	var e *Error
	if err == nil || !errors.As(err, &e) {
		return err == nil
	}
	switch e.Kind {
	case Gone, Fixed, Refused:
		return true
	case Wait:
		return e.Status != 0 || e.Code != ""
	}
	return e.Code != ""
}

// HeldBack reports whether a call was not made since a rate limit that is known
// forbids it for now.
func HeldBack(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == Wait && e.Status == 0 && e.Code == ""
}
