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

// post sends an event by HTTP. Any status but 200 in time is a failure.
func (s *Server) post(ctx context.Context, address, secret string, payload json.RawMessage) (answer json.RawMessage, acked bool, err error) {
	body := url.Values{"payload": {string(payload)}}.Encode()
	inTime, cancel := context.WithTimeout(ctx, s.opts.AckLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(inTime, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return nil, false, fmt.Errorf("making the call of the request URL: %w", err)
	}
	stamp := strconv.FormatInt(s.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", Sign(secret, stamp, []byte(body)))
	transport := &http.Transport{DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return nil, false, ctx.Err() // What ended in time was the app's fault.
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, false, ctx.Err()
	}
	return bytes.TrimSpace(text), true, nil
}
