package board

import (
	"bytes"
	"cmp"
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

// note is what the service answers: the id of what it made or changed, or a word
// for why it did not.
type note struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// do makes one call, once. What a rate limit on op holds for is one target.
func (c *client) do(ctx context.Context, op, target, method, path string, send any) (note, error) {
	token, err := c.token.Read() // each time, so that it can be replaced
	if err != nil {
		return note{}, &outbound.Error{Kind: outbound.Retry, Op: op, Err: err}
	}
	body, err := json.Marshal(send)
	if err != nil {
		return note{}, &outbound.Error{Kind: outbound.Refused, Op: op, Err: err}
	}
	ctx, call := outbound.Begin(ctx, op, target)
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return note{}, &outbound.Error{Kind: outbound.Refused, Op: op, Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.http.Do(req)
	if err != nil {
		return note{}, call.Fail(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	var n note
	switch err := json.NewDecoder(resp.Body).Decode(&n); {
	case err != nil: // a gateway's page, say: it tells nothing of what became of the call
		e := call.Fail(fmt.Errorf("reading the answer: %w", err))
		e.Hint = cmp.Or(e.Hint, "see that board.url leads to the notice board, and whether a proxy or gateway on the way answers in its place")
		return note{}, e
	case n.Error != "":
		return note{}, refusal(call.Fail(errors.New(n.Error)), n.Error)
	case n.ID == "": // never take silence for success
		return note{}, call.Fail(errors.New("the answer names no note"))
	}
	return n, nil
}

// refusal says what the service's own words mean, and how far they reach.
func refusal(e *outbound.Error, word string) error {
	e.Code = word
	switch word {
	case "bad token":
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.TheToken, "set board.token to the token that the board's administrator gave you"
	case "no such board":
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.ThePlace, "check the board's name"
	case "no such note":
		e.Kind = outbound.Gone
	case "too fast": // the transport has seen how long to wait
	default:
		e.Kind = outbound.Refused
	}
	return e
}
