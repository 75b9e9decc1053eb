package pagerdutyapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"teleport-plugins/lib/sandbox/apiserver"
)

// apiError is a refusal in the form that PagerDuty gives it.
type apiError struct {
	status  int
	code    int
	message string
	details []string
}

// Error returns the code and its text.
func (e *apiError) Error() string { return fmt.Sprintf("%d %s %q", e.code, e.message, e.details) }

// invalid refuses a call for its arguments.
func invalid(details ...string) error {
	return &apiError{http.StatusBadRequest, 2001, "Invalid Input Provided", details}
}

// documented lists the error codes of PagerDuty's reference that a fault can
// ask for, with the status that they come with.
func documented() map[int]apiError {
	list := make(map[int]apiError)
	for _, e := range []apiError{
		{400, 1001, "Incident Already Resolved", nil},
		{400, 1002, "Incident Already Acknowledged", nil},
		{409, 1005, "Incident Data Changed", nil},
		{400, 1008, "Requester User Not Found", nil},
		{400, 1014, "Escalation Policy Not Found", nil},
		{400, 1015, "No On-call Found", nil},
		{400, 1018, "Requester Not Allowed", nil},
		{400, 1019, "Incident Merged", nil},
		{400, 1028, "Invalid From Header", nil},
		{500, 2000, "Internal Error", nil},
		{400, 2001, "Invalid Input Provided", nil},
		{400, 2002, "Arguments Caused Error", []string{dedupText}},
		{401, 2006, "Authentication Failed", nil},
		{404, 2007, "Account Not Found", nil},
		{403, 2008, "Account Locked", nil},
		{403, 2010, "Access Denied", nil},
		{402, 2012, "Account Expired", nil},
		{402, 2014, "Account Abilities Missing", nil},
		{408, 2016, "Request Took Too Long", nil},
		{403, 2018, "Access Denied After Update", nil},
		{429, 2020, "Rate Limit Exceeded", nil},
		{404, 2100, "Not Found", nil},
		{400, 5001, "Service Disabled", nil},
		{400, 5002, "Service Has No Policy", nil},
	} {
		list[e.code] = e
	}
	return list
}

// dedupText is what PagerDuty says when an open incident has the same key.
const dedupText = "Open incident with matching dedup key already exists on this service"

// failure is the refusal with a documented code; an unknown one is an internal
// error.
func failure(code int, details ...string) error {
	e, ok := documented()[code]
	if !ok {
		e = documented()[2000]
	}
	if len(details) > 0 {
		e.details = details
	}
	return &e
}

// refusal is the failure that a fault asks for: the code in digits.
func refusal(code string) error {
	n, err := strconv.Atoi(code)
	if err != nil {
		n = 2000
	}
	return failure(n)
}

func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return asAPIError(failure(2000))
}

func (e *apiError) answer() apiserver.Answer {
	body := map[string]any{"code": e.code, "message": e.message}
	if len(e.details) > 0 {
		body["errors"] = e.details
	}
	return apiserver.Answer{Status: e.status, Body: map[string]any{"error": body}, Code: strconv.Itoa(e.code)}
}
