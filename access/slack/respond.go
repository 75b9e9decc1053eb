package slack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"teleport-plugins/lib/outbound"
)

// answerHosts are where Slack takes answers to presses, beside the host of its API.
var answerHosts = []string{"hooks.slack.com", "hooks.slack-gov.com"}

// respondOp is what logs call an answer at the address of a press.
const respondOp = "response_url"

// respond answers a press at the address that came with it. The answer is shown to the
// person alone, and nothing of the message is changed.
func (s *service) respond(ctx context.Context, address, text string) error {
	if err := s.isSlack(address); err != nil {
		return &outbound.Error{Kind: outbound.Refused, Op: respondOp, Err: err}
	}
	ctx, call := outbound.Begin(ctx, respondOp, "")
	req, err := outbound.JSON(ctx, http.MethodPost, address, map[string]any{"text": text, "response_type": "ephemeral", "replace_original": false})
	if err != nil {
		return errors.New("the address for the answer cannot be used")
	}
	status, said, err := outbound.Exchange(s.http, req)
	if err != nil {
		return withoutAddress(call.Fail(err))
	}
	if status == http.StatusOK && (strings.TrimSpace(string(said)) == "ok" || bytes.Contains(said, []byte(`"ok":true`))) {
		return nil
	}
	failure := call.Fail(errors.New("the answer was not taken"))
	if status >= 400 && status < 500 && status != http.StatusTooManyRequests {
		failure.Kind = outbound.Refused // the address has been used up, or is too old
	}
	return failure
}

// isSlack makes sure that an address is one at which Slack takes answers: it came with
// a press, and whoever holds it can post as the app.
func (s *service) isSlack(address string) error {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return errors.New("the press came without an address for the answer")
	}
	base, err := url.Parse(s.address)
	if err == nil && u.Scheme == base.Scheme && u.Host == base.Host && base.Host != "slack.com" {
		return nil
	}
	for _, host := range answerHosts {
		if u.Scheme == "https" && u.Host == host {
			return nil
		}
	}
	return errors.New("the address for the answer is none of Slack's")
}

// withoutAddress keeps the address, which is as good as a token, out of an error.
func withoutAddress(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("answering a press: %w", e.Err)
	}
	return err
}
