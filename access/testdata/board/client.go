package board

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

// client makes calls. Where the vendor has a library, it is given the same
// http.Client.
type client struct {
	base  string
	token config.Secret
	http  *http.Client
}

// text is what is put on the board. The service takes the same key once: a call
// that is repeated, since its answer was lost, finds the text that is there.
type text struct {
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
}

// note is what the service answers.
type note struct {
	ID string `json:"id"`
}

// do makes one call, once. What a rate limit on op holds for is one target.
func (c *client) do(ctx context.Context, op, target, method, path string, send any) (note, error) {
	token, err := c.token.Read() // each time, so that it can be replaced
	if err != nil {
		return note{}, &outbound.Error{Kind: outbound.Credentials, Op: op, Err: err}
	}
	body, err := json.Marshal(send)
	if err != nil {
		return note{}, &outbound.Error{Kind: outbound.Permanent, Op: op, Err: err}
	}
	ctx, call := outbound.Begin(ctx, op, target)
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return note{}, &outbound.Error{Kind: outbound.Permanent, Op: op, Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.http.Do(req)
	if err != nil {
		return note{}, call.Fail(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if resp.StatusCode >= 300 {
		// The transport has seen the status and how long to wait. A service with
		// codes of its own corrects the kind and adds a hint here.
		return note{}, call.Fail(errors.New(resp.Status))
	}
	var n note
	if err := json.NewDecoder(resp.Body).Decode(&n); err != nil {
		return note{}, call.Fail(fmt.Errorf("reading the answer: %w", err))
	}
	if n.ID == "" { // never take silence for success
		return note{}, call.Fail(errors.New("the answer names no note"))
	}
	return n, nil
}

// gone says that a note which is not found was removed.
func gone(err error) error {
	if e, ok := errors.AsType[*outbound.Error](err); ok && e.Status == http.StatusNotFound {
		e.Kind = outbound.Gone
	}
	return err
}
