package slackapi

import "strings"

// apiError is an answer with "ok": false.
type apiError struct {
	// code is the value of "error".
	code string
	// messages are told in response_metadata, as Slack does for arguments and
	// blocks that it rejects.
	messages []string
	// needed and provided are the scopes of a missing_scope.
	needed, provided string
}

// Error returns the code, and what is wrong in detail if that is known.
func (e *apiError) Error() string {
	if len(e.messages) == 0 {
		return e.code
	}
	return e.code + ": " + strings.Join(e.messages, "; ")
}

func failure(code string) error { return &apiError{code: code} }

// body is the answer in the form that Slack gives it.
func (e *apiError) body() any {
	out := errorBody{Error: e.code, Needed: e.needed, Provided: e.provided}
	if len(e.messages) == 0 {
		return out
	}
	out.Meta = &responseMetadata{}
	for _, m := range e.messages {
		out.Meta.Messages = append(out.Meta.Messages, "[ERROR] "+m)
	}
	if e.code == "invalid_blocks" {
		out.Errors = e.messages
	}
	return out
}

type errorBody struct {
	OK       bool              `json:"ok"`
	Error    string            `json:"error"`
	Needed   string            `json:"needed,omitempty"`
	Provided string            `json:"provided,omitempty"`
	Errors   []string          `json:"errors,omitempty"`
	Meta     *responseMetadata `json:"response_metadata,omitempty"`
}

type responseMetadata struct {
	NextCursor string   `json:"next_cursor,omitempty"`
	Messages   []string `json:"messages,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
}
