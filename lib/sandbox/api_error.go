package sandbox

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gravitational/trace"
)

// apiError is a refusal with the HTTP status that it is told with.
type apiError struct {
	status   int
	sentence string
}

func (e *apiError) Error() string { return e.sentence }

func refusal(status int, format string, args ...any) error {
	return &apiError{status, fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return refusal(http.StatusBadRequest, format, args...)
}

func notFound(format string, args ...any) error {
	return refusal(http.StatusNotFound, format, args...)
}

// statusOf is the HTTP status that an error is told with.
func statusOf(err error) int {
	var known *apiError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known.status
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	case trace.IsNotFound(err):
		return http.StatusNotFound
	case trace.IsBadParameter(err):
		return http.StatusBadRequest
	case trace.IsAccessDenied(err):
		return http.StatusForbidden
	case trace.IsAlreadyExists(err), trace.IsCompareFailed(err):
		return http.StatusConflict
	default:
		return http.StatusInternalServerError
	}
}
