package teleport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gravitational/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The kinds of failure that [Load], [Dial] and [Probe] report; every call reports
// ErrLocked. Each returned
// error reads as one sentence and matches one of them by [errors.Is].
var (
	// ErrMissing: no credentials are configured, or a file does not exist.
	ErrMissing = errors.New("credentials missing")
	// ErrUnreadable: a file exists and cannot be read.
	ErrUnreadable = errors.New("credentials unreadable")
	// ErrMalformed: a file was read and is not what it should be.
	ErrMalformed = errors.New("credentials malformed")
	// ErrExpired: the identity's time is over, by our clock or the cluster's.
	ErrExpired = errors.New("identity expired")
	// ErrNotYetValid: the identity's time has not come.
	ErrNotYetValid = errors.New("identity not yet valid")
	// ErrAddress: the configured address is not host:port.
	ErrAddress = errors.New("malformed address")
	// ErrUnreachable: nobody answers at the address, or not as Teleport does.
	ErrUnreachable = errors.New("cluster unreachable")
	// ErrTimeout: a connection was accepted and the dial time ran out.
	ErrTimeout = errors.New("dial timed out")
	// ErrUntrusted: the server's certificate is not signed by an authority of
	// the identity, as after a rotation of the certificate authority.
	ErrUntrusted = errors.New("server not trusted")
	// ErrRejected: the cluster does not accept the identity's certificate.
	ErrRejected = errors.New("identity rejected")
	// ErrDenied: the cluster knows the identity and does not let it in.
	ErrDenied = errors.New("access denied")
	// ErrLocked: a lock is in force on the identity, which may do nothing then.
	ErrLocked = errors.New("identity locked")
	// ErrServerTooOld: the cluster is older than [MinServerVersion].
	ErrServerTooOld = errors.New("server too old")
)

// fault is a failure told in one sentence. The sentence stands alone: the
// cause stays reachable by errors.As and is not printed, because the client
// library's own text is a page long.
type fault struct {
	kind  error
	text  string
	cause error
}

func (f *fault) Error() string { return f.text }

func (f *fault) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

func newFault(kind, cause error, format string, args ...any) error {
	return &fault{kind: kind, text: fmt.Sprintf(format, args...), cause: cause}
}

// failed says what was being done when the cluster answered err. Stack traces
// that the client library attaches are dropped, its error types are kept. A
// deadline or a cancellation that gRPC reports as a status also matches the
// context's own error.
func failed(err error, format string, args ...any) error {
	if locked := lockedFault(err); locked != nil {
		return locked
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), inWords(trace.Unwrap(err)))
}

// inWords says in a sentence what the client library says in words of its own.
func inWords(err error) error {
	told := status.Convert(err)
	switch {
	case told.Code() == codes.DeadlineExceeded, errors.Is(err, context.DeadlineExceeded):
		return &fault{context.DeadlineExceeded, "no answer in time", err}
	case told.Code() == codes.Canceled, errors.Is(err, context.Canceled):
		return &fault{context.Canceled, "given up, since it is not needed any more", err}
	case told.Code() == codes.Unavailable && broken(told.Message()):
		return &fault{ErrUnreachable, "the connection to the cluster is broken", err}
	case err != nil && strings.HasPrefix(err.Error(), "rpc error: "):
		return &fault{kind: err, text: told.Message()}
	}
	return err
}

// broken reports whether a text is one of those with which gRPC itself, and not the
// cluster, says that there is no connection.
func broken(text string) bool {
	return slices.ContainsFunc([]string{
		"connection error: ", "error reading from server: ", "error reading server preface: ", "transport is closing",
		"closing transport due to: ", "last connection error: ", "name resolver error: ", "the connection is draining", "the client connection is closing",
	}, func(part string) bool { return strings.Contains(text, part) })
}

// lockedFault returns the sentence for the refusal of someone who is locked, or
// nil. Teleport has no code of its own for it: only the text, `lock targeting
// User:"access-plugin" is in force`, tells it from a missing permission.
func lockedFault(err error) error {
	if err == nil || !strings.Contains(err.Error(), "lock targeting ") {
		return nil
	}
	_, text, _ := strings.Cut(trace.Unwrap(err).Error(), "lock targeting ")
	text, _, _ = strings.Cut(text, "\n")
	return newFault(ErrLocked, err,
		"the cluster has locked the plugin out (lock targeting %s); find the lock with `tctl get locks` and remove it with `tctl rm lock/<name>`", text)
}

// IsDenied reports that the identity lacks a permission for the call. A lock is
// no missing permission: see [ErrLocked].
func IsDenied(err error) bool {
	return (trace.IsAccessDenied(err) || errors.Is(err, ErrDenied)) && !errors.Is(err, ErrLocked)
}

// IsConflict reports that an update lost: an expected value did not hold, or
// the cluster gave up after too many concurrent writers. The two cannot be told
// apart; read again and decide.
func IsConflict(err error) bool { return trace.IsCompareFailed(err) }

// IsUnimplemented reports that the cluster does not know the call: it is older
// than the call, or the edition does not include it.
func IsUnimplemented(err error) bool { return trace.IsNotImplemented(err) }

// isUnavailable reports that the cluster could not be reached or hung up. The
// call may or may not have taken effect.
func isUnavailable(err error) bool {
	return trace.IsConnectionProblem(err) || status.Code(err) == codes.Unavailable ||
		errors.Is(err, io.EOF) || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrTimeout)
}

// IsNotFound reports that the thing asked for, or written to, does not exist.
func IsNotFound(err error) bool { return trace.IsNotFound(err) }
