package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// JSON is a request with a body in JSON, or without one if it is nil.
func JSON(ctx context.Context, method, address string, body any) (*http.Request, error) {
	var content io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("writing the call: %w", err)
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, fmt.Errorf("writing the call: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// Exchange makes a request, once, and reads the answer to its end, which the transport
// bounds.
func Exchange(client *http.Client, req *http.Request) (status int, answer []byte, err error) {
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err //nolint:wrapcheck // sorted by Call.Fail
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err //nolint:wrapcheck // the same
}
