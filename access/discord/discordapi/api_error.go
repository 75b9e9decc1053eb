package discordapi

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// apiError is a refusal in Discord's own form.
type apiError struct {
	status  int
	code    int
	message string
	fields  map[string]any // nested, as Discord tells faults of a body
}

func (e *apiError) Error() string { return strconv.Itoa(e.code) + ": " + e.message }

func (e *apiError) body() map[string]any {
	out := map[string]any{"message": e.message, "code": e.code}
	if e.fields != nil {
		out["errors"] = e.fields
	}
	return out
}

// known are the statuses and texts of the codes that the sandbox uses or can be
// told to use (Discord's page "Opcodes and Status Codes").
func known() map[int]apiError {
	table := map[int]apiError{}
	add := func(status, code int, message string) {
		table[code] = apiError{status: status, code: code, message: message}
	}
	add(http.StatusUnauthorized, 0, "401: Unauthorized")
	add(http.StatusNotFound, 10003, "Unknown Channel")
	add(http.StatusNotFound, 10004, "Unknown Guild")
	add(http.StatusNotFound, 10007, "Unknown Member")
	add(http.StatusNotFound, 10008, "Unknown Message")
	add(http.StatusNotFound, 10013, "Unknown User")
	add(http.StatusNotFound, 10015, "Unknown Webhook")
	add(http.StatusNotFound, 10062, "Unknown interaction")
	add(http.StatusTooManyRequests, 20016, "This action cannot be performed due to slowmode rate limit")
	add(http.StatusTooManyRequests, 20028, "The channel you are writing has hit the write rate limit")
	add(http.StatusTooManyRequests, 20029, "The write action you are performing on the server has hit the write rate limit")
	add(http.StatusTooManyRequests, 30046, "Maximum number of edits to messages older than 1 hour reached. Try again later")
	add(http.StatusUnauthorized, 40001, "Unauthorized. Provide a valid token and try again")
	add(http.StatusForbidden, 40004, "Sending messages has been temporarily disabled")
	add(http.StatusRequestEntityTooLarge, 40005, "Request entity too large. Try sending something smaller in size")
	add(http.StatusBadRequest, 40060, "Interaction has already been acknowledged.")
	add(http.StatusTooManyRequests, 40062, "Service resource is being rate limited")
	add(http.StatusForbidden, 40333, "internal network error")
	add(http.StatusForbidden, 50001, "Missing Access")
	add(http.StatusForbidden, 50005, "Cannot edit a message authored by another user")
	add(http.StatusBadRequest, 50006, "Cannot send an empty message")
	add(http.StatusForbidden, 50007, "Cannot send messages to this user")
	add(http.StatusBadRequest, 50008, "Cannot send messages in a non-text channel")
	add(http.StatusForbidden, 50013, "You lack permissions to perform that action")
	add(http.StatusUnauthorized, 50014, "Invalid authentication token provided")
	add(http.StatusBadRequest, 50024, "Cannot execute action on this channel type")
	add(http.StatusBadRequest, 50033, "Invalid Recipient(s)")
	add(http.StatusBadRequest, 50035, "Invalid Form Body")
	add(http.StatusBadRequest, 50041, "Invalid API version provided")
	add(http.StatusBadRequest, 50083, "Thread is archived")
	add(http.StatusBadRequest, 50109, "The request body contains invalid JSON.")
	add(http.StatusForbidden, 50278, "Cannot send messages to this user due to having no mutual guilds")
	add(http.StatusServiceUnavailable, 110000, "Index not yet available. Try again later")
	add(http.StatusServiceUnavailable, 130000, "API resource is currently overloaded. Try again a little later")
	add(http.StatusBadRequest, 160002, "Cannot reply without permission to read message history")
	add(http.StatusBadRequest, 160004, "A thread has already been created for this message")
	add(http.StatusBadRequest, 160005, "Thread is locked")
	add(http.StatusBadRequest, 160006, "Maximum number of active threads reached")
	add(http.StatusBadRequest, 200000, "Message was blocked by automatic moderation")
	add(http.StatusBadRequest, 200001, "Title was blocked by automatic moderation")
	return table
}

// failure is the refusal with the given code.
func failure(code int) *apiError {
	if e, ok := known()[code]; ok {
		return &e
	}
	return &apiError{status: http.StatusBadRequest, code: code, message: "Unknown error"}
}

// refusal is the failure that a fault's code names; 50013 when it is no number.
func refusal(code string) *apiError {
	n, err := strconv.Atoi(code)
	if err != nil {
		n = 50013
	}
	return failure(n)
}

func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return &apiError{status: http.StatusInternalServerError, message: "500: Internal Server Error"}
}

// form collects faults of a body by the path of the field.
type form struct{ faults map[string]any }

// add records a fault at a path such as embeds.0.title.
func (f *form) add(path, code, message string) {
	if f.faults == nil {
		f.faults = make(map[string]any)
	}
	at := f.faults
	for part := range strings.SplitSeq(path, ".") {
		next, ok := at[part].(map[string]any)
		if !ok {
			next = make(map[string]any)
			at[part] = next
		}
		at = next
	}
	list, _ := at["_errors"].([]map[string]string)
	at["_errors"] = append(list, map[string]string{"code": code, "message": message})
}

// err is the refusal with all faults, or nil.
func (f *form) err() error {
	if f.faults == nil {
		return nil
	}
	e := failure(50035)
	e.fields = f.faults
	return e
}
