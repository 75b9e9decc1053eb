package slackapi

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SendTo has events sent by HTTP to an address, signed with the app's signing
// secret, and not through sockets; an empty address ends that.
func (s *Server) SendTo(address, signingSecret string) {
	s.Change(func() { s.state.live.requestURL, s.state.live.signingSecret = address, signingSecret })
}

// Sign is the signature of a body that is sent at a time in Unix seconds.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%s:%s", timestamp, body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// stampOf is a time as calls of the request URL name it.
func stampOf(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// post sends an event by HTTP. Any status but 200 in time is a failure.
func (s *Server) post(ctx context.Context, address, secret string, out Outcome) (answer json.RawMessage, acked bool, err error) {
	inTime, cancel := context.WithTimeout(ctx, s.opts.AckLimit)
	defer cancel()
	body := url.Values{"payload": {string(out.Payload)}}.Encode()
	status, text, err := callURL(inTime, address, body, out.stamp, Sign(secret, out.stamp, []byte(body)))
	if err != nil || status != http.StatusOK {
		return nil, false, ctx.Err() // What ended in time was the app's fault.
	}
	return bytes.TrimSpace(text), true, nil
}

// Call calls the request URL with a payload, as a stranger does: at a time that the
// stranger names, and with a signature that the stranger makes of the time and the body.
// It returns the status of the answer.
func (s *Server) Call(ctx context.Context, payload json.RawMessage, at time.Time, sign func(stamp string, body []byte) string) (status int, err error) {
	var address string
	s.Look(func() { address = s.state.live.requestURL })
	body := url.Values{"payload": {string(payload)}}.Encode()
	stamp := stampOf(at)
	status, _, err = callURL(ctx, address, body, stamp, sign(stamp, []byte(body)))
	return status, err
}

// callURL calls an address as Slack does.
func callURL(ctx context.Context, address, body, stamp, signature string) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("making the call of the request URL: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", signature)
	transport := &http.Transport{DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("calling the request URL: %w", err)
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20)); err != nil {
		return 0, nil, fmt.Errorf("reading the answer of the request URL: %w", err)
	}
	return resp.StatusCode, answer, nil
}
